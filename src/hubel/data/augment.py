"""Random changes to training pictures, a whole batch at a time.

What happens to sample i in epoch e is drawn from (seed, e, i, name of the effect) alone: it is the
same in any batch, on any device, in a resumed run.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from hubel import draws

Draw = Callable[[str], Tensor]  # name of a stream → one number in [0, 1) for each sample
Augmentation = Callable[[Tensor, NDArray[np.int64], int, int], Tensor]
Effect = Callable[[Tensor, Draw], Tensor]


def flip(pixels: Tensor, draw: Draw) -> Tensor:
    """Mirror half of the pictures left to right."""
    mirrored = (draw("flip") < 0.5).view(-1, 1, 1, 1)
    return torch.where(mirrored, pixels.flip(3), pixels)


def crop(pixels: Tensor, draw: Draw, *, pad: int) -> Tensor:
    """Pad by `pad` pixels of black on every side and cut the old size out at random.

    As He et al. 2015, section 4.2, for CIFAR (pad 4): a shift by whole pixels.
    """
    n, _, height, width = pixels.shape
    padded = F.pad(pixels, (pad, pad, pad, pad))
    top = (draw("crop down") * (2 * pad + 1)).long()
    left = (draw("crop across") * (2 * pad + 1)).long()
    windows = padded.unfold(2, height, 1).unfold(3, width, 1)  # a view: every cut there is
    return windows[torch.arange(n, device=pixels.device), :, top, left]


def affine(
    pixels: Tensor, draw: Draw, *, degrees: float = 0.0, scale: float = 0.0, shift: float = 0.0
) -> Tensor:
    """Turn by up to ±degrees, scale each axis by 1 ± scale, shift by up to ±shift pixels.

    One bilinear sampling; what comes in from outside is black.
    """

    if len(pixels) == 0:
        return pixels  # which affine_grid refuses

    def around(stream: str, bound: float) -> Tensor:
        return ((draw(stream) * 2 - 1) * bound).to(pixels.dtype)

    height, width = pixels.shape[2:]
    angle = around("turn", math.radians(degrees))
    wide, high = 1 + around("widen", scale), 1 + around("heighten", scale)
    across = around("shift across", 2 * shift / width)
    down = around("shift down", 2 * shift / height)
    ratio = height / width  # grid_sample's units are half sides, which differ on the two axes
    cos, sin = angle.cos(), angle.sin()
    to_source = torch.stack(
        (
            torch.stack((cos * wide, -sin * high * ratio, across), 1),
            torch.stack((sin * wide / ratio, cos * high, down), 1),
        ),
        1,
    )
    grid = F.affine_grid(to_source, list(pixels.shape), align_corners=False)
    return F.grid_sample(pixels, grid, mode="bilinear", align_corners=False)


def augmentation(
    *,
    flip: bool = False,
    crop: int = 0,
    rotate: float = 0.0,
    scale: float = 0.0,
    shift: float = 0.0,
) -> Augmentation | None:
    """The effects asked for, one after the other; None when there are none.

    The result is called with pixels float (N, C, H, W), the samples' indices, seed and epoch.
    """
    effects: list[Effect] = []
    if rotate or scale or shift:
        effects.append(
            lambda pixels, draw: affine(pixels, draw, degrees=rotate, scale=scale, shift=shift)
        )
    if crop:
        effects.append(lambda pixels, draw: _crop(pixels, draw, pad=crop))
    if flip:
        effects.append(_flip)
    return _composed(effects) if effects else None


_flip, _crop = flip, crop  # the settings of `augmentation` carry the effects' own names


def _composed(effects: Sequence[Effect]) -> Augmentation:
    def augment(pixels: Tensor, indices: NDArray[np.int64], seed: int, epoch: int) -> Tensor:
        def draw(stream: str) -> Tensor:
            return torch.from_numpy(draws.uniform(seed, epoch, indices, stream)).to(
                pixels.device, torch.float32 if pixels.device.type == "mps" else torch.float64
            )

        for effect in effects:
            pixels = effect(pixels, draw)
        return pixels

    return augment
