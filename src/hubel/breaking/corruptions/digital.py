"""What files and screens do: JPEG, fewer pixels, fewer levels."""

import io

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from hubel.breaking.corruptions.chance import Chance
from hubel.data.augment.tone import posterised, whole


def jpeg(pixels: Tensor, _chance: Chance, quality: float) -> Tensor:
    """Saved as JPEG of that quality, and read again."""
    found = [_through(picture, round(quality)) for picture in whole(pixels).byte().cpu()]
    return torch.stack(found).to(pixels) / 255


def pixelate(pixels: Tensor, _chance: Chance, share: float) -> Tensor:
    """Reduced to that share of its sides and enlarged again, by boxes, as Pillow's BOX."""
    for axis in (2, 3):
        side = pixels.shape[axis]
        less = max(1, int(side * share))
        reduced = torch.tensordot(_boxes(side, less).to(pixels), pixels, dims=([1], [axis]))
        pixels = reduced[_nearest(less, side)].movedim(0, axis)
    return pixels


def posterise(pixels: Tensor, _chance: Chance, bits: float) -> Tensor:
    """The highest bits of each value alone."""
    return posterised(pixels, torch.full((len(pixels),), float(round(bits))))


def _through(picture: Tensor, quality: int) -> Tensor:
    """uint8 (C, H, W) → the same."""
    array = picture.permute(1, 2, 0).contiguous().numpy()
    file = io.BytesIO()
    Image.fromarray(array[..., 0] if array.shape[2] == 1 else array).save(
        file, "JPEG", quality=quality
    )
    back = np.array(Image.open(file))
    return torch.from_numpy(back if back.ndim == 3 else back[..., None]).permute(2, 0, 1)


def _boxes(side: int, less: int) -> Tensor:
    """(less, side): each row's mean is over the pixels whose middles are in its box."""
    scale = side / less
    middle = (torch.arange(less, dtype=torch.float64)[:, None] + 0.5) * scale
    away = (torch.arange(side, dtype=torch.float64) + 0.5 - middle) / scale
    inside = ((away > -0.5) & (away <= 0.5)).double()
    return inside / inside.sum(1, keepdim=True)


def _nearest(less: int, side: int) -> Tensor:
    """(side,): the pixel of the reduced picture in which each pixel's middle lies."""
    return ((torch.arange(side, dtype=torch.float64) + 0.5) * less / side).long()
