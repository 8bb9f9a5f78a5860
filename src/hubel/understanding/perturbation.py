"""Whether the pixels that a map marks matter: take them away, or show only them.

The score has to fall, or rise, faster than in another order (Petsiuk et al. 2018, "RISE").
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from hubel import draws
from hubel.logits import answered
from hubel.mistakes import Failure, Mistake, unknown
from hubel.model import evaluating
from hubel.understanding.fills import filled
from hubel.understanding.probes import Score
from hubel.understanding.saliency import of_class

CHUNK = 32  # pictures that the network sees at once
# the usual fill, and the sign of what a right map does to the area
KINDS = {"deletion": ("mean", -1), "insertion": ("blur", 1)}


class Curve(NamedTuple):
    """scores: (N, S + 1), after each step. area: (N,), under them, by trapezoids."""

    scores: Tensor
    area: Tensor


@dataclass(frozen=True)
class Perturbation:
    """A score as pixels go or come in the order of a map, and in two orders by chance.

    kind: "deletion" or "insertion". shares: (S + 1,), of the pixels, from 0 to 1. by_map: in the
    map's order. random: pixel by pixel, in an order drawn. moved: in the order of the same map
    moved elsewhere, the mean over some places. That chance is the fairer one to coarse maps:
    scattered pixels spoil a picture, and are no use for seeing one, far sooner than any patch.
    """

    kind: str
    shares: Tensor
    by_map: Curve
    random: Curve
    moved: Curve

    def beats(self, other: Curve) -> Tensor:
        """(N,), whether the map's area is the better one: smaller in deletion, else larger."""
        return KINDS[self.kind][1] * (self.by_map.area - other.area) > 0


def perturbation(
    network: nn.Module,
    pixels: Tensor,
    maps: Tensor,
    *,
    kind: str = "deletion",
    score: Score | None = None,
    fill: str | None = None,
    steps: int = 20,
    places: int = 4,
    seed: int = 0,
    chunk: int = CHUNK,
) -> Perturbation:
    """Deletion and insertion curves (Petsiuk et al. 2018, section 4.1).

    pixels (N, C, H, W) in [0, 1]; maps (N, H, W), or (H, W) for all; signed ones go by their sign.
    "deletion": the pixels of the highest values go first; a right map has a small area.
    "insertion": they come first; a right map has a large area. score: None is the probability of
    the class that the network finds most probable in the whole picture. fill: what stands in for
    pixels, a row of `hubel.understanding.fills` (the paper blurs with a window of 11×11 pixels);
    None: mean in deletion, blur in insertion.
    places: how many the map is moved to, cyclically by a quarter to three quarters of each side.
    Pixels of equal values go in an order drawn by the seed. chunk: pictures shown at once.
    """
    if kind not in KINDS:
        raise unknown("kind of perturbation", kind, KINDS)
    fill = KINDS[kind][0] if fill is None else fill
    if min(steps, places, chunk) < 1:
        raise Mistake(f"steps, places, chunk are 1 or more, not {steps}, {places}, {chunk}.")
    pixels, maps = pixels.detach(), _of_size(maps.detach(), pixels)
    hidden = filled(pixels, fill)
    begin, end = (hidden, pixels) if kind == "insertion" else (pixels, hidden)
    if score is None:
        with evaluating(network) as network:
            whole = torch.cat([answered(network, part) for part in torch.split(pixels, chunk)])
        score = of_class(whole.argmax(1), probability=True)
    shares = torch.linspace(0, 1, steps + 1, dtype=torch.float64, device=pixels.device)

    def curve(order: Tensor) -> Curve:
        outputs = _outputs(network, begin, end, _ranks(order, seed), shares, chunk)
        scores = torch.stack([score(each) for each in outputs], -1)
        if scores.shape != (len(pixels), len(shares)):
            raise Mistake(f"A score is one number a picture, not {tuple(scores.shape[:-1])}.")
        if not scores.isfinite().all():
            picture = int((~scores.isfinite()).nonzero()[0, 0])
            raise Failure(f"The score of picture {picture} is not finite on the way of {kind}.")
        return Curve(scores, torch.trapezoid(scores.double(), shares, dim=1))

    moves = 0.25 + 0.5 * draws.uniform(seed, 0, range(2 * places), "moved").reshape(places, 2)
    moves = np.rint(moves * maps.shape[1:]).astype(int)
    moved = [curve(maps.roll((down, across), (1, 2))) for down, across in moves.tolist()]
    mean = Curve(*(torch.stack(each).mean(0) for each in zip(*moved, strict=True)))
    level = torch.zeros_like(maps)  # equal values go in the order drawn
    return Perturbation(kind, shares, curve(maps), random=curve(level), moved=mean)


def _of_size(maps: Tensor, pixels: Tensor) -> Tensor:
    size, found = (len(pixels), *pixels.shape[2:]), tuple(maps.shape)
    if pixels.ndim != 4 or found not in {size, size[1:]}:
        raise Mistake(f"Maps are of the pictures' size, {size} or {size[1:]}, not {found}.")
    if not maps.isfinite().all():
        raise Mistake("The map is not finite.")
    return maps.expand(size).to(pixels.device)


def _ranks(maps: Tensor, seed: int) -> Tensor:
    """The place of each pixel in the order of a map, (N, H, W), 0 for the highest value."""
    flat = maps.flatten(1)
    drawn = torch.from_numpy(draws.order(seed, 0, flat.shape[1], "ties")).to(maps.device)
    order = drawn[flat[:, drawn].argsort(dim=1, descending=True, stable=True)]
    return order.argsort(1).view(maps.shape)


def _outputs(
    network: nn.Module, begin: Tensor, end: Tensor, ranks: Tensor, shares: Tensor, chunk: int
) -> Tensor:
    """(S + 1, N, …): of the pictures with the first pixels of the order taken from `end`."""
    n, found, counts = len(begin), [], (shares * ranks.shape[1] * ranks.shape[2]).round()
    with evaluating(network) as network:
        for number in torch.split(torch.arange(n * len(shares), device=begin.device), chunk):
            which, step = (number % n, number // n) if n else (number, number)
            there = (ranks[which] < counts[step][:, None, None])[:, None]
            found.append(network(torch.where(there, end[which], begin[which])))
    return torch.unflatten(torch.cat(found), 0, (len(shares), n))
