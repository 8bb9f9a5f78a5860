"""Changes of value that depend on the picture's own histogram or bits, as Pillow makes them.

Values are taken as whole numbers from 0 to 255, which is what they were before the first effect.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def posterised(pixels: Tensor, bits: Tensor) -> Tensor:
    """Each value with its `bits` (N,) highest bits alone, 1 to 8."""
    step = (2.0 ** (8 - bits)).to(pixels.device, pixels.dtype).view(-1, 1, 1, 1)
    return (whole(pixels) / step).floor() * step / 255


def solarised(pixels: Tensor, threshold: Tensor) -> Tensor:
    """Values at or above the threshold (N,), in [0, 1], inverted."""
    bound = threshold.to(pixels.device, pixels.dtype).view(-1, 1, 1, 1)
    return torch.where(pixels < bound, pixels, 1 - pixels)


def stretched(pixels: Tensor) -> Tensor:
    """Autocontrast: each channel's least value to 0 and its largest to 1; a flat one as it is."""
    low, high = pixels.amin((2, 3), keepdim=True), pixels.amax((2, 3), keepdim=True)
    flat = high == low
    return torch.where(flat, pixels, (pixels - low) / torch.where(flat, 1, high - low))


def equalised(pixels: Tensor) -> Tensor:
    """Each channel's histogram made even, as nearly as a function of the value can."""
    n, channels, height, width = pixels.shape
    values = whole(pixels).long().view(n * channels, height * width)
    counts = torch.zeros(n * channels, 256, dtype=torch.long, device=pixels.device)
    counts.scatter_add_(1, values, torch.ones_like(values))
    # Pillow leaves out the pixels of the largest value that occurs, to reach 255 with them
    largest = values.amax(1, keepdim=True)
    step = (height * width - counts.gather(1, largest)) // 255
    before = counts.cumsum(1) - counts  # pixels below each value
    table = ((before + step // 2) // step.clamp_min(1)).clamp_max(255)
    kept = torch.arange(256, device=pixels.device).expand_as(table)
    table = torch.where(step == 0, kept, table)  # too few pixels, or one value only: as it is
    return table.gather(1, values).view(n, channels, height, width).to(pixels.dtype) / 255


def sharpened(pixels: Tensor, amount: Tensor) -> Tensor:
    """Away from a smoothed copy: (N,) factors; 0 is that copy, 1 the picture, 2 sharper.

    The smoothing is a 3×3 mean in which the middle counts five times; the border stays.
    """
    channels = pixels.shape[1]
    kernel = torch.ones(3, 3, device=pixels.device, dtype=pixels.dtype)
    kernel[1, 1] = 5
    smooth = pixels.clone()
    if min(pixels.shape[2:]) >= 3:
        kernels = (kernel / kernel.sum()).expand(channels, 1, 3, 3)
        smooth[:, :, 1:-1, 1:-1] = F.conv2d(pixels, kernels, groups=channels)
    factor = amount.to(pixels.device, pixels.dtype).view(-1, 1, 1, 1)
    return torch.lerp(smooth, pixels, factor).clamp(0, 1)


def whole(pixels: Tensor) -> Tensor:
    """Values as whole numbers, 0 to 255."""
    return (pixels * 255).round().clamp(0, 255)
