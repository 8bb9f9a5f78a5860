"""Changes of colour that are linear: each gives a matrix, they are multiplied, and applied once.

A matrix (N, C, C + 1) takes a colour and a 1 to the new colour. Brightness, contrast, saturation,
hue, PCA lighting and greyscale are all of this kind, so that a picture's values are visited once
and clamped to [0, 1] once, at the end.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hubel.data.augment.drawing import Draw, happens, normal

# ITU-R 601-2, as Pillow turns colours to grey.
LUMA = torch.tensor([0.299, 0.587, 0.114], dtype=torch.float64)
# NTSC's YIQ: luma, and two axes of colour around which a hue is an angle.
YIQ = torch.tensor(
    [[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]], dtype=torch.float64
)


def identity(n: int, channels: int) -> Tensor:
    return torch.eye(channels, channels + 1, dtype=torch.float64).repeat(n, 1, 1)


def brightness(amount: Tensor, channels: int) -> Tensor:
    """(N,) factors of every value."""
    return amount.view(-1, 1, 1) * identity(len(amount), channels)


def contrast(amount: Tensor, mean: Tensor) -> Tensor:
    """(N,) factors of every value's distance from the picture's mean grey; mean (N, C)."""
    channels = mean.shape[1]
    result = brightness(amount, channels)
    result[:, :, -1] = ((1 - amount) * (mean @ _luma(channels))).unsqueeze(1)
    return result


def saturation(amount: Tensor, channels: int) -> Tensor:
    """(N,) factors of every colour's distance from its own grey; 0 is greyscale."""
    grey = torch.cat((_luma(channels), torch.zeros(1))).expand(channels, channels + 1)
    amount = amount.view(-1, 1, 1)
    return amount * identity(len(amount), channels) + (1 - amount) * grey


def hue(angle: Tensor, channels: int = 3) -> Tensor:
    """(N,) radians around the grey axis, the luma kept: linear, where HSV's hue is not."""
    if channels != 3:
        return identity(len(angle), channels)  # a grey has none
    turn = torch.eye(3, dtype=torch.float64).repeat(len(angle), 1, 1)
    turn[:, 1, 1], turn[:, 1, 2] = angle.cos(), -angle.sin()
    turn[:, 2, 1], turn[:, 2, 2] = angle.sin(), angle.cos()
    result = identity(len(angle), 3)
    result[:, :, :3] = torch.linalg.inv(YIQ) @ turn @ YIQ
    return result


def offset(colour: Tensor) -> Tensor:
    """(N, C) added to every pixel."""
    result = identity(*colour.shape)
    result[:, :, -1] = colour
    return result


def principal(images: NDArray[np.uint8]) -> Tensor:
    """The principal axes of the pixels' colours, (C, C), each as long as their spread along it.

    images uint8 (N, C, H, W), values taken as [0, 1]; of many pixels an even million is used.
    """
    channels = images.shape[1]
    each = images[0, 0].size
    # whole pictures are left out first: what lies in a mapped file is not to be read through
    some = images[:: max(1, len(images) * each // 100_000_000)]
    step = max(1, len(some) * each // 1_000_000)
    flat = some.reshape(len(some), channels, each).transpose(1, 0, 2).reshape(channels, -1)
    covariance = np.cov(flat[:, ::step] / 255).reshape(channels, channels)
    variances, axes = np.linalg.eigh(covariance)
    return torch.from_numpy(axes * np.sqrt(np.clip(variances, 0, None)))


def lit(draw: Draw, axes: Tensor, strength: float) -> Tensor:
    """PCA lighting (Krizhevsky et al. 2012, section 4.1): another light's colour and intensity.

    Normal multiples, of deviation `strength` (0.1 in the paper), of the principal axes that
    `principal` gives. The paper multiplies by the covariance's eigenvalues; these are variances and
    have not a colour's unit, so the deviations are taken here, their roots.
    """
    streams = [f"light {k}" for k in range(axes.shape[1])]
    amounts = torch.stack([normal(draw, stream) for stream in streams], 1)  # (N, C)
    return offset(strength * amounts @ axes.T)


def greyed(draw: Draw, channels: int, *, probability: float) -> Tensor:
    """Greyscale for some of the pictures."""
    kept = 1 - happens(draw, "grey", probability).double()
    return saturation(kept, channels)


def then(first: Tensor, second: Tensor) -> Tensor:
    """The one matrix that applies the first and then the second."""
    both = second[:, :, :-1] @ first
    both[:, :, -1:] += second[:, :, -1:]
    return both


def seen(matrix: Tensor, colour: Tensor) -> Tensor:
    """What becomes of colours (N, C)."""
    return (matrix[:, :, :-1] @ colour.unsqueeze(2) + matrix[:, :, -1:]).squeeze(2)


def recolour(pixels: Tensor, matrix: Tensor) -> Tensor:
    """The pictures (N, C, H, W) with every colour taken through the matrix, within [0, 1]."""
    n, channels, height, width = pixels.shape
    matrix = matrix.to(pixels.device, pixels.dtype)
    flat = pixels.reshape(n, channels, height * width)
    changed = torch.baddbmm(matrix[:, :, -1:], matrix[:, :, :-1], flat)
    return changed.clamp_(0, 1).view(n, channels, height, width)


def _luma(channels: int) -> Tensor:
    return LUMA if channels == 3 else torch.full((channels,), 1 / channels, dtype=torch.float64)
