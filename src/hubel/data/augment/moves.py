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
    n, _, height, width = pixels.shape
    padded = F.pad(pixels, (pad, pad, pad, pad))
    top = (draw("crop down") * (2 * pad + 1)).long().to(pixels.device)
    left = (draw("crop across") * (2 * pad + 1)).long().to(pixels.device)
    windows = padded.unfold(2, height, 1).unfold(3, width, 1)  # a view: every cut there is
    return windows[torch.arange(n, device=pixels.device), :, top, left]
