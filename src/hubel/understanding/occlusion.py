"""Where a decision comes from: what changes as a square hides one part of a picture after another.

Zeiler & Fergus 2014, "Visualizing and understanding convolutional networks", section 4.2: the
probability of a class, the activity of the strongest feature map, and the most probable class, each
by the square's position.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn

from hubel.inference.folding import folded
from hubel.inference.layout import lay_out
from hubel.logits import checked, finite
from hubel.mistakes import Mistake
from hubel.model import evaluating
from hubel.understanding.arrangement import demand_maps_first
from hubel.understanding.fills import filled
from hubel.understanding.incremental.geometry import positions
from hubel.understanding.outputs import demand_finite
from hubel.understanding.positions import Method, Progress, Squares, by_position
from hubel.understanding.probes import recording


@dataclass(frozen=True)
class Occlusion:
    """Maps by the position of the square: row r, column k has its corner at tops[r], lefts[k].

    logits: (R, K, classes). clean: those of the whole picture, (classes,). target: a class. layer,
    unit: a feature map; its activity, the sum over the map, is in activity, (R, K), and without a
    square in clean_activity. In float32, on the processor. method: how all this was found.
    """

    logits: Tensor
    clean: Tensor
    target: int
    square: int
    tops: tuple[int, ...]
    lefts: tuple[int, ...]
    method: Method
    layer: str = ""
    unit: int = -1
    activity: Tensor | None = None
    clean_activity: float = math.nan

    @property
    def probability(self) -> Tensor:
        """(R, K): of the target. Low where the square hides evidence."""
        return self.logits.softmax(-1)[..., self.target]

    @property
    def winner(self) -> Tensor:
        """(R, K): the most probable class."""
        return self.logits.argmax(-1)


def occlude(
    network: nn.Module,
    pixels: Tensor,
    target: int | None = None,
    *,
    square: int | None = None,
    stride: int | None = None,
    fill: str | Tensor = "grey",
    layer: str = "",
    unit: int | None = None,
    fast: bool | None = None,
    reach: float = 1.0,
    progress: Progress | None = None,
) -> Occlusion:
    """The three maps of the paper for one picture.

    network: pixels (N, C, H, W) in [0, 1] → logits (N, classes). pixels: (C, H, W). target: a
    class, by default the most probable. square, stride: in pixels, by default a seventh and a
    twenty-eighth of the shorter side. fill: what the square shows, "grey", "mean", "blur" or a
    picture (C, H, W). layer: whose feature map is followed, the strongest one or `unit`. fast: only
    what the square can change is computed (`hubel.understanding.incremental`), or all; None: what
    is faster on the device. reach below 1 makes that an approximation, whose error is measured.
    progress: (positions done, in all).

    The network is left as found. Raises Mistake for a square that is larger than the picture, for
    a target, layer or unit that is not there; Failure for outputs that are not finite.
    """
    squares = _squares(pixels, square, stride)
    if not 0 < reach <= 1:
        raise Mistake(f"A reach is above 0 and at most 1, not {reach}.")
    hidden = filled(pixels[None], fill)[0]
    with evaluating(network) as network, torch.inference_mode():
        function = partial(_activity, _ready(network, pixels, layer), layer)
        clean, sums = (each[0].cpu() for each in function(pixels[None]))
        _check_output(network, pixels, clean)
        target = _class(target, clean)
        if layer:
            demand_maps_first(network, pixels[None], [layer])
        unit = _unit(unit, sums, layer) if layer else None

        def judged(results: Sequence[Tensor]) -> Tensor:
            own = results[0][:, target, None]
            return own if unit is None else torch.cat((own, results[1][:, unit, None]), 1)

        (logits, activity), method = by_position(
            function, pixels, hidden, squares, judged=judged,
            fast=fast, reach=reach, progress=progress,
        )  # fmt: skip
    found = Occlusion(
        logits, clean, target, squares.square, squares.tops, squares.lefts, method
    )  # fmt: skip
    if unit is None:
        return found
    return replace(
        found, layer=layer, unit=unit, activity=activity[..., unit],
        clean_activity=float(sums[unit]),
    )  # fmt: skip


def _squares(pixels: Tensor, square: int | None, stride: int | None) -> Squares:
    if pixels.ndim != 3 or not pixels.numel():
        raise Mistake(f"One picture is (C, H, W), not {tuple(pixels.shape)}.")
    side = min(pixels.shape[1:])
    square = max(1, round(side / 7)) if square is None else square
    stride = max(1, side // 28) if stride is None else stride
    if not 1 <= square <= side:
        raise Mistake(
            f"A square of {square} pixels does not fit a picture of {pixels.shape[1]}×"
            f"{pixels.shape[2]}: take 1 to {side}."
        )
    if stride < 1:
        raise Mistake(f"A stride is 1 pixel or more, not {stride}.")
    tops, lefts = (positions(size, square, stride) for size in pixels.shape[1:])
    return Squares(square, tops, lefts)


def _ready(network: nn.Module, pixels: Tensor, layer: str) -> nn.Module:
    """A copy that computes fast, if one can be made; the layer hands on what the network's does."""
    try:
        made = folded(network, pixels[None], recorded=[layer] if layer else [])
    except (RuntimeError, TypeError):  # one that holds on to a graph cannot be copied
        return network
    lay_out(made, pixels[None])
    return made


def _activity(network: nn.Module, layer: str, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Logits (N, classes), and each feature map's sum, (N, units); without a layer (N, 0)."""
    if not layer:
        logits = checked(network(pixels), len(pixels)).float()
        return logits, logits[:, :0]
    with recording(network, [layer]) as found:
        logits = checked(network(pixels), len(pixels)).float()
    maps = found[layer].float()
    if maps.ndim not in (2, 4):
        raise Mistake(f"{layer} hands on {tuple(maps.shape[1:])}, which are no feature maps.")
    # a mean, of which a box changes a part, times the number of places
    return logits, maps if maps.ndim == 2 else maps.mean((2, 3)) * maps[0, 0].numel()


def _check_output(network: nn.Module, pixels: Tensor, logits: Tensor) -> None:
    if not logits.isfinite().all():
        demand_finite(network, pixels[None])
    finite(logits)


def _class(target: int | None, logits: Tensor) -> int:
    if target is None:
        return int(logits.argmax())
    if not 0 <= target < len(logits):
        raise Mistake(f"There is no class {target}: they are 0 to {len(logits) - 1}.")
    return target


def _unit(unit: int | None, sums: Tensor, layer: str) -> int:
    if unit is None:
        return int(sums.argmax())
    if not 0 <= unit < len(sums):
        raise Mistake(f"{layer} has no unit {unit}: they are 0 to {len(sums) - 1}.")
    return unit
