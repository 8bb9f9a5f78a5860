"""Whether an attack outlives its file: pictures are saved with 8 bits, and most attacks are not.

A change below half a level is lost where pixels are rounded; what was within ε may no longer be.
"""

import io

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from hubel.breaking.norms import LINF, Norm
from hubel.pixels import as_png

LEVELS = 255
TRIES = 40  # halvings, until a rounded change is within ε of another norm


def rounded(
    images: Tensor, originals: Tensor, *, epsilon: float | None = None, norm: Norm = LINF
) -> Tensor:
    """The pictures at levels of 8 bits, still within ε of the originals; both (N, C, H, W).

    In L∞ each pixel goes to the nearest level of those within ε. In other norms all go to their
    nearest, and a change that became too large is made smaller before it is rounded. Where the
    original itself is at such levels (it was read from a file), some level is always within ε; else
    a pixel that finds none is left at the level nearest to the original.
    """
    if epsilon is None:
        return (images * LEVELS).round() / LEVELS
    if norm is LINF:
        # a float of ε a little below a whole level must not lose that level
        low = ((originals - epsilon).clamp(0, 1) * LEVELS - 1e-3).ceil()
        high = ((originals + epsilon).clamp(0, 1) * LEVELS + 1e-3).floor()
        nearest = (images * LEVELS).round()
        found = torch.minimum(torch.maximum(nearest, low), high)
        return torch.where(low <= high, found, (originals * LEVELS).round()) / LEVELS
    change, share = images - originals, torch.ones(len(images), 1, 1, 1).to(images)
    for _ in range(TRIES):
        found = ((originals + share * change) * LEVELS).round().clamp(0, LEVELS) / LEVELS
        over = norm.size(found - originals) > epsilon * (1 + 1e-5)
        if not bool(over.any()):
            return found
        share = torch.where(over.view(-1, 1, 1, 1), share * 0.97, share)
    keep = (norm.size(found - originals) <= epsilon * (1 + 1e-5)).view(-1, 1, 1, 1)
    return torch.where(keep, found, (originals * LEVELS).round() / LEVELS)


def saved(images: Tensor) -> Tensor:
    """What a PNG file of 8 bits gives back of pictures (N, C, H, W) in [0, 1], C 1 or 3."""
    found = [_through(png(image)) for image in images]
    return torch.stack(found).to(images) if found else images.clone()


def png(image: Tensor) -> bytes:
    """One picture (C, H, W) in [0, 1] as a PNG file of 8 bits."""
    levels = (image.detach().cpu() * LEVELS).round().clamp(0, LEVELS).to(torch.uint8)
    return as_png(levels.permute(1, 2, 0).numpy())


def _through(content: bytes) -> Tensor:
    array = np.array(Image.open(io.BytesIO(content)))
    array = array[..., None] if array.ndim == 2 else array
    return torch.from_numpy(array).permute(2, 0, 1).float() / LEVELS
