"""What in a picture a unit answers to: its activation, taken back to the pixels by a deconvnet."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from hubel.mistakes import Mistake
from hubel.model import evaluating
from hubel.understanding.arrangement import demand_maps_first
from hubel.understanding.prefix import up_to
from hubel.understanding.probes import Score, differentiate
from hubel.understanding.rectifying import rectifying


class Projection(NamedTuple):
    """Of N pictures, a unit each.

    pixels (N, C, H, W), signed: what the pixels add to the unit, as the rule has it. values (N,):
    the units' activations. places (N, 2): the row and column of each; (0, 0) of a unit without
    places. told: what may be a ReLU and was not taken for one.
    """

    pixels: Tensor
    values: Tensor
    places: Tensor
    told: tuple[str, ...]


def project(
    network: nn.Module,
    pixels: Tensor,
    layer: str,
    units: int | Sequence[int],
    *,
    places: Sequence[tuple[int, int]] | None = None,
    rule: str = "deconvnet",
) -> Projection:
    """A unit's activation at one place, all others at 0, back to the pixels.

    Zeiler & Fergus 2014, section 2.1. pixels (N, C, H, W); units: one for all, or one a picture;
    places: (row, column) of each in its map, by default where it is strongest. rule: a row of
    `rectifying.RULES`: "deconvnet", "guided" or "gradient". The network is run as far as the layer
    and left as found. Raises Mistake for a layer, unit or place that is not there.
    """
    with evaluating(network) as network, torch.inference_mode(False), torch.enable_grad():
        leaf = pixels.detach().clone().requires_grad_()
        with rectifying(network, rule) as told:
            maps = up_to(network, leaf, [layer])[layer]
        if maps.ndim not in (2, 4):
            raise Mistake(f"{layer} hands on {tuple(maps.shape[1:])}, which are no feature maps.")
        if maps.ndim == 4:
            demand_maps_first(network, pixels, [layer])
        maps = maps[..., None, None] if maps.ndim == 2 else maps
        which = _units(units, layer, len(pixels), maps.shape[1])
        own = maps[torch.arange(len(maps), device=maps.device), which.to(maps.device)]  # (N, h, w)
        where = _places(own, layer) if places is None else _given(places, own, layer)
        values = own[torch.arange(len(own)), where[:, 0], where[:, 1]]
        # the activation itself goes down, and not a 1
        (found,) = torch.autograd.grad(
            values, leaf, values.detach(), allow_unused=True, materialize_grads=True
        )
    return Projection(found, values.detach(), where.cpu(), tuple(told))


def answer(network: nn.Module, pixels: Tensor, score: Score, *, rule: str) -> Tensor:
    """A score's gradient by the pixels, (N, C, H, W), by a row of `rectifying.RULES`."""
    with rectifying(network, rule):
        return differentiate(network, pixels, score).pixels


def _units(units: int | Sequence[int], layer: str, n: int, known: int) -> Tensor:
    chosen = [units] * n if isinstance(units, int) else list(units)
    if len(chosen) != n:
        raise Mistake(f"There are {n} pictures and {len(chosen)} units.")
    for unit in chosen:
        if not 0 <= unit < known:
            raise Mistake(f"{layer} has no unit {unit}: they are 0 to {known - 1}.")
    return torch.tensor(chosen, dtype=torch.long)


def _places(maps: Tensor, layer: str) -> Tensor:
    """The strongest place of each map, (N, 2); of equals the first, row by row."""
    if not maps[0:1].numel() and len(maps):
        raise Mistake(f"{layer} hands on maps without places.")
    best = maps.detach().flatten(1).argmax(1) if len(maps) else maps.new_zeros(0, dtype=torch.long)
    width = maps.shape[2]
    return torch.stack((best // width, best % width), 1)


def _given(places: Sequence[tuple[int, int]], maps: Tensor, layer: str) -> Tensor:
    if len(places) != len(maps):
        raise Mistake(f"There are {len(maps)} pictures and {len(places)} places.")
    height, width = maps.shape[1:]
    for row, column in places:
        if not (0 <= row < height and 0 <= column < width):
            raise Mistake(f"{layer}'s maps are {height}×{width}: no place ({row}, {column}).")
    return torch.tensor(places, dtype=torch.long, device=maps.device).view(-1, 2)
