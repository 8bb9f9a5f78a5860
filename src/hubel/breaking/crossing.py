"""Where along a ray one of several linear scores comes to be the highest; exactly, also in a box.

On x + αd, each coordinate held within bounds, every score is linear in α between the values at
which a coordinate reaches its bound and stays. These are sorted and walked through; nothing is
searched for.
"""

from typing import NamedTuple

import torch
from torch import Tensor

MOST = 1_000_000  # numbers at once (rays × coordinates × scores), several times over

Bounds = tuple[float, float]  # the least and the largest value of a coordinate


class Crossings(NamedTuple):
    """Of P rays, float64 (P,): the least α ≥ 0 at which the target's score is no lower than any
    other, and at which it is no lower than the own one; inf where there is none."""

    alpha: Tensor
    passed: Tensor


class _Pieces(NamedTuple):
    """The target's lead over each score along a ray: T pieces that begin and end at α (P, T), the
    lead at the beginning of each and its slope (P, T, K)."""

    begin: Tensor
    end: Tensor
    lead: Tensor
    slope: Tensor


def crossings(
    weight: Tensor,
    bias: Tensor,
    x: Tensor,
    d: Tensor,
    target: Tensor,
    own: Tensor,
    *,
    bounds: Bounds | None,
) -> Crossings:
    """The α at which target's score passes the others', from x (P, D) along d (P, D).

    weight (K, D), bias (K,), all float64; target, own int64 (P,). bounds: of x, which is within
    them, and of all that is on the way; None: there are none.
    """
    size = weight.numel() if bounds else len(weight)
    at_once = max(1, MOST // max(size, 1))
    alpha, passed = x.new_empty(len(x)), x.new_empty(len(x))
    for start in range(0, len(x), at_once):
        part = slice(start, start + at_once)
        pieces = _pieces(weight, bias, x[part], d[part], target[part], bounds)
        alpha[part] = _first(pieces)
        to_own = own[part, None, None].expand(*pieces.lead.shape[:2], 1)
        passed[part] = _first(
            pieces._replace(
                lead=pieces.lead.gather(2, to_own), slope=pieces.slope.gather(2, to_own)
            )
        )
    return Crossings(alpha, passed)


def _pieces(
    weight: Tensor, bias: Tensor, x: Tensor, d: Tensor, target: Tensor, bounds: Bounds | None
) -> _Pieces:
    given = x @ weight.T + bias
    lead = given.gather(1, target[:, None]) - given  # (P, K)
    if bounds is None:
        rise = d @ weight.T
        slope = rise.gather(1, target[:, None]) - rise
        zero = x.new_zeros(len(x), 1)
        return _Pieces(zero, zero + torch.inf, lead[:, None], slope[:, None])
    low, high = bounds
    room = torch.where(d > 0, high - x, torch.where(d < 0, low - x, 0))
    ends, order = (room / torch.where(d == 0, 1, d)).sort(1)  # where coordinates stop, (P, D)
    # what a coordinate adds to the lead for each unit of α, in the order in which they stop
    rate = (d[:, :, None] * (weight[target][:, :, None] - weight.T)).gather(
        1, order[:, :, None].expand(-1, -1, len(weight))
    )
    # from the last to the first, so that nothing at all moves behind the last
    still = rate.flip(1).cumsum(1).flip(1)  # of those from here on
    slope = torch.cat((still, still.new_zeros(len(x), 1, len(weight))), 1)
    stopped = (ends[:, :, None] * rate).cumsum(1)
    at = lead[:, None] + stopped + ends[:, :, None] * slope[:, 1:]
    zero = ends.new_zeros(len(x), 1)
    return _Pieces(
        torch.cat((zero, ends), 1),
        torch.cat((ends, zero + torch.inf), 1),
        torch.cat((lead[:, None], at), 1),
        slope,
    )


def _first(pieces: _Pieces) -> Tensor:
    """The least α at which all leads are 0 or more, (P,)."""
    begin, end, lead, slope = pieces
    start = begin[:, :, None]
    crossed = start - lead / torch.where(slope == 0, 1, slope)
    since = torch.where(lead >= 0, start, torch.where(slope > 0, crossed, torch.inf)).amax(2)
    until = torch.where((lead >= 0) & (slope < 0), crossed, torch.inf).amin(2)
    found = since <= torch.minimum(until, end)  # (P, T)
    first = found.to(torch.uint8).argmax(1, keepdim=True)
    return torch.where(found.any(1), since.gather(1, first)[:, 0], torch.inf)
