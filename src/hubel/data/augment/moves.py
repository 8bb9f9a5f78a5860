"""Changes that move whole pixels, and so interpolate nothing."""

import torch
import torch.nn.functional as F
from torch import Tensor

from hubel.data.augment.drawing import Draw, happens


def flip(pixels: Tensor, draw: Draw) -> Tensor:
    """Mirror half of the pictures left to right."""
    mirrored = happens(draw, "flip", 0.5).to(pixels.device)
    return torch.where(mirrored.view(-1, 1, 1, 1), pixels.flip(3), pixels)


def crop(pixels: Tensor, draw: Draw, *, pad: int) -> Tensor:
    """Pad by `pad` pixels of black on every side and cut the old size out at random.

    As He et al. 2015, section 4.2, for CIFAR (pad 4): a shift by whole pixels.
    """
    return cut(F.pad(pixels, (pad, pad, pad, pad)), draw, by=2 * pad)


def cut(pixels: Tensor, draw: Draw, *, by: int) -> Tensor:
    """Cut a picture out at random that is smaller by `by` pixels in height and width.

    As Krizhevsky et al. 2012, section 4.1: 227 of 256 there.
    """
    n, _, height, width = pixels.shape
    top = (draw("crop down") * (by + 1)).long().to(pixels.device)
    left = (draw("crop across") * (by + 1)).long().to(pixels.device)
    windows = pixels.unfold(2, height - by, 1).unfold(3, width - by, 1)  # a view: every cut
    return windows[torch.arange(n, device=pixels.device), :, top, left]
