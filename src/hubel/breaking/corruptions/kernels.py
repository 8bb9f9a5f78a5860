"""Kernels that pictures are blurred with, each its own, and how."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from hubel.data.augment.patches import gaussian


def filtered(pixels: Tensor, kernels: Tensor) -> Tensor:
    """Pictures (N, C, H, W) through kernels (N, k, k), k odd; beyond its border a picture goes on.

    A kernel's middle is at the pixel; what lies right of and below it is what it sees there. By
    Fourier transforms: a streak of 80 pixels would take 6,400 products a value.
    """
    height, width = pixels.shape[2:]
    reach = kernels.shape[-1] // 2
    padded = F.pad(pixels, (reach, reach, reach, reach), mode="replicate")
    size = padded.shape[2:]
    seen = torch.fft.rfft2(kernels.to(pixels), s=size).conj().unsqueeze(1)
    blurred: Tensor = torch.fft.irfft2(torch.fft.rfft2(padded) * seen, s=size)
    return blurred[..., :height, :width]


def disk(radius: float, softness: float) -> Tensor:
    """(1, k, k): even over the pixels within the radius, then through a Gaussian of deviation
    `softness`, which ends at 1 pixel, and at 2 of radii above 8."""
    reach = 2 if radius > 8 else 1
    border = math.floor(radius) + 2 * reach  # so that nothing is mirrored
    steps = torch.arange(-border, border + 1, dtype=torch.float64)
    inside = (steps**2 + steps[:, None] ** 2 <= radius**2).double()
    even = (inside / inside.sum()).expand(1, 1, -1, -1)
    return gaussian(even, torch.tensor([softness], dtype=torch.float64), radius=reach)[0]


def streaks(angle: Tensor, radius: float, deviation: float, *, both: bool = False) -> Tensor:
    """(N, k, k): a line from the middle in the direction of the angle (N,), radians, fading.

    As ImageMagick's motion blur: 2 radius + 1 steps, weighted by half a Gaussian, each at the
    nearest pixel. x goes right and y down. both: also in the opposite direction.
    """
    length = 2 * math.ceil(radius)
    along = torch.arange(-length if both else 0, length + 1, dtype=torch.float64)
    weights = torch.exp(-((along / deviation) ** 2) / 2)
    angle = angle.double().view(-1, 1)
    across, down = ((along * part - 0.5).ceil().long() for part in (angle.cos(), angle.sin()))
    side = 2 * length + 1
    flat = torch.zeros(len(angle), side * side, dtype=torch.float64)
    place = (down + length) * side + across + length
    flat.scatter_add_(1, place, (weights / weights.sum()).expand_as(place).contiguous())
    return flat.view(-1, side, side)
