"""Random changes to training pictures, a whole batch at a time, in the order of the table.

What happens to sample i in epoch e is drawn from (seed, e, i, name of the effect) alone: it is the
same in any batch, on any device, in a resumed run.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hubel.data.augment import colour, geometry, moves, patches
from hubel.data.augment.drawing import Draw, around, drawn, factor
from hubel.data.augment.trivial import trivial

Kind = Literal["pixels", "place", "tint"]
# pixels (N, C, H, W), the samples' indices, seed, epoch → pixels
Augmentation = Callable[[Tensor, NDArray[np.int64], int, int], Tensor]


@dataclass(frozen=True)
class Effect:
    """One row: what a strength above 0 means, one to show it with, and what there is to see.

    change, by kind: "pixels" takes (pixels, draw, strength) to pixels; "place" takes (draw,
    (height, width), strength) to a transform, see `geometry`; "tint" takes (draw, strength, each
    picture's mean colour so far, the data's principal axes) to a matrix, see `colour`. Neighbours
    of one kind are applied as one.
    """

    kind: Kind
    unit: str
    shown: float
    what: str
    change: Callable[..., Tensor]


EFFECTS: dict[str, Effect] = {
    "crop": Effect(
        "pixels", "pixels of padding", 12, "padded with black, and cut to the old size anywhere",
        lambda pixels, draw, v: moves.crop(pixels, draw, pad=int(v)),
    ),
    "flip": Effect(
        "pixels", "1: half of the pictures", 1, "mirrored, left to right",
        lambda pixels, draw, _: moves.flip(pixels, draw),
    ),
    "resized_crop": Effect(
        "place", "share of the area that may be cut off", 0.75, "a part of it, enlarged",
        lambda draw, size, v: geometry.cropped(draw, size, least=1 - v),
    ),
    "rotate": Effect(
        "place", "degrees", 30, "turned, either way", lambda draw, _, v: geometry.turned(draw, v)
    ),
    "scale": Effect(
        "place", "share", 0.3, "made wider or narrower, higher or lower",
        lambda draw, _, v: geometry.scaled(draw, v),
    ),
    "shift": Effect(
        "place", "pixels", 20, "moved, also by parts of a pixel",
        lambda draw, _, v: geometry.shifted(draw, v),
    ),
    "shear": Effect(
        "place", "degrees", 20, "slanted along each axis",
        lambda draw, _, v: geometry.sheared(draw, v),
    ),
    "perspective": Effect(
        "place", "of half a side", 0.5, "seen askew",
        lambda draw, size, v: geometry.askew(draw, size, distortion=v),
    ),
    "elastic": Effect(
        "pixels", "pixels", 6, "bent like rubber",
        lambda pixels, draw, v: geometry.bent(pixels, draw, strength=v),
    ),
    "brightness": Effect(
        "tint", "factors up to 1 + it", 0.5, "lighter or darker",
        lambda draw, v, mean, _: colour.brightness(
            factor(draw, "brightness", v), mean.shape[1]
        ),
    ),
    "contrast": Effect(
        "tint", "factors up to 1 + it", 0.5, "more or less contrast",
        lambda draw, v, mean, _: colour.contrast(factor(draw, "contrast", v), mean),
    ),
    "saturation": Effect(
        "tint", "factors up to 1 + it", 0.8, "more or less colour",
        lambda draw, v, mean, _: colour.saturation(
            factor(draw, "saturation", v), mean.shape[1]
        ),
    ),
    "hue": Effect(
        "tint", "degrees", 60, "other colours",
        lambda draw, v, mean, _: colour.hue(
            around(draw, "hue", math.radians(v)), mean.shape[1]
        ),
    ),
    "lighting": Effect(
        "tint", "deviations of the data's colours", 0.5, "under another light (AlexNet's)",
        lambda draw, v, _, axes: colour.lit(draw, axes, v),
    ),
    "greyscale": Effect(
        "tint", "probability", 0.5, "without colour",
        lambda draw, v, mean, _: colour.greyed(draw, mean.shape[1], probability=v),
    ),
    "trivial": Effect(
        "pixels", "probability", 1, "one change of any kind and strength (TrivialAugment)",
        lambda pixels, draw, v: trivial(pixels, draw, probability=v),
    ),
    "blur": Effect(
        "pixels", "pixels of the largest deviation", 3, "out of focus",
        lambda pixels, draw, v: patches.blurred(pixels, draw, most=v),
    ),
    "erase": Effect(
        "pixels", "probability", 1, "a box of it taken away",
        lambda pixels, draw, v: patches.erased(pixels, draw, probability=v),
    ),
}  # fmt: skip


def augmentation(
    strengths: Mapping[str, float], *, axes: Tensor | None = None, margin: int = 0
) -> Augmentation | None:
    """The effects of EFFECTS whose strength is above 0, in the table's order; None without any.

    margin: by how much the pictures are larger than the network sees them; so much is cut off
    first, at random. axes (C, C): the data's principal colours, which `lighting` needs
    (`colour.principal`).
    The result is called with pixels float (N, C, H, W), the samples' indices, seed and epoch, and
    gives pixels in [0, 1].
    """
    effects = [(effect, strengths[name]) for name, effect in EFFECTS.items() if strengths.get(name)]
    if not effects and not margin:
        return None

    def augment(pixels: Tensor, indices: NDArray[np.int64], seed: int, epoch: int) -> Tensor:
        draw = drawn(indices, seed, epoch)
        pixels = moves.cut(pixels, draw, by=margin) if margin else pixels
        for kind, together in groupby(effects, key=lambda row: row[0].kind):
            pixels = _applied(kind, list(together), pixels, draw, axes)
        return pixels

    return augment


def _applied(
    kind: Kind,
    effects: Sequence[tuple[Effect, float]],
    pixels: Tensor,
    draw: Draw,
    axes: Tensor | None,
) -> Tensor:
    """Neighbours of one kind: a transform or a matrix for all of them."""
    n, channels, height, width = pixels.shape
    if kind == "place":
        transform = geometry.identity(n)
        for effect, strength in effects:
            # a later change looks at what the earlier ones show
            transform = transform @ effect.change(draw, (height, width), strength)
        return geometry.sample(pixels, transform)
    if kind == "tint":
        mean = pixels.mean((2, 3)).cpu().double()
        axes = torch.zeros(channels, channels, dtype=torch.float64) if axes is None else axes
        matrix = colour.identity(n, channels)
        for effect, strength in effects:
            step = effect.change(draw, strength, colour.seen(matrix, mean), axes)
            matrix = colour.then(matrix, step)
        return colour.recolour(pixels, matrix)
    for effect, strength in effects:
        pixels = effect.change(pixels, draw, strength)
    return pixels
