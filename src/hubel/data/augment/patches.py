"""Changes to parts of a picture: blurring it, and erasing a box of it."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from hubel.data.augment.drawing import Draw, around, between, happens


def blurred(
    pixels: Tensor, draw: Draw, *, most: float, probability: float = 0.5, least: float = 0.1
) -> Tensor:
    """Some of the pictures through a Gaussian of `least` to `most` pixels' deviation."""
    deviation = torch.where(
        happens(draw, "blur", probability), between(draw, "blur deviation", least, most), least
    )
    return gaussian(pixels, deviation, radius=math.ceil(3 * most))


def gaussian(pixels: Tensor, deviation: Tensor, *, radius: int) -> Tensor:
    """Each picture through a Gaussian of its own deviation (N,), above 0, in pixels.

    Rows, then columns; the border is mirrored; the kernel ends at `radius` pixels, which three of
    the largest deviation make good, and at the picture's side.
    """
    n, channels, height, width = pixels.shape
    if n == 0:
        return pixels
    radius = min(radius, height - 1, width - 1)
    if radius == 0:
        return pixels
    steps = torch.arange(-radius, radius + 1)
    weights = torch.exp(-((steps / deviation.view(-1, 1)) ** 2) / 2)
    weights = weights / weights.sum(1, keepdim=True)
    kernels = weights.to(pixels.device, pixels.dtype).repeat_interleave(channels, 0)
    # a group for each channel of each picture: one convolution, a kernel for each
    flat = pixels.reshape(1, n * channels, height, width)
    flat = F.pad(flat, (radius, radius, radius, radius), mode="reflect")
    flat = F.conv2d(flat, kernels.view(n * channels, 1, 1, -1), groups=n * channels)
    flat = F.conv2d(flat, kernels.view(n * channels, 1, -1, 1), groups=n * channels)
    return flat.view(n, channels, height, width)


def erased(
    pixels: Tensor,
    draw: Draw,
    *,
    probability: float,
    least: float = 0.02,
    most: float = 0.33,
    aspect: float = 10 / 3,
) -> Tensor:
    """A box of some of the pictures filled with their mean colour (Zhong et al. 2020, algorithm 1).

    Its area is `least` to `most` of the picture's, its sides' ratio up to `aspect`. The paper fills
    with noise, or with the data's mean.
    """
    height, width = pixels.shape[2:]
    area = between(draw, "erase area", least, most)
    ratio = torch.exp(around(draw, "erase aspect", math.log(aspect)))
    inside = boxes(
        (height, width),
        wide=(area * ratio).sqrt().clamp_max(1),
        high=(area / ratio).sqrt().clamp_max(1),
        across=draw("erase across"),
        down=draw("erase down"),
    )
    inside &= happens(draw, "erase", probability).view(-1, 1, 1)
    mean = pixels.mean((2, 3), keepdim=True)
    return torch.where(inside.unsqueeze(1).to(pixels.device), mean, pixels)


def boxes(
    size: tuple[int, int], *, wide: Tensor, high: Tensor, across: Tensor, down: Tensor
) -> Tensor:
    """(N, H, W) bool: boxes of shares `wide` and `high` (N,), `across` and `down` in [0, 1)."""
    height, width = size
    box_width, box_height = (wide * width).round(), (high * height).round()
    left = (across * (width - box_width + 1)).floor().view(-1, 1)
    top = (down * (height - box_height + 1)).floor().view(-1, 1)
    x, y = torch.arange(width), torch.arange(height)
    columns = (x >= left) & (x < left + box_width.view(-1, 1))
    rows = (y >= top) & (y < top + box_height.view(-1, 1))
    return rows.unsqueeze(2) & columns.unsqueeze(1)
