"""An image shown a little displaced at every step: what depends on an exact place averages out.

Mordvintsev, Olah & Tyka 2015 ("Inceptionism", and the code beside it); Olah et al. 2017, section
"Transformation robustness".
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hubel import draws


def drawn(keys: Sequence[int], jitter: int, seed: int, number: int) -> NDArray[np.int64]:
    """(2, n): by how many pixels each image is moved in this step, down and across.

    From −jitter to jitter, of equal chance. keys: what each image's draws are drawn by.
    """
    if jitter == 0:
        return np.zeros((2, len(keys)), np.int64)
    shares = [draws.uniform(seed, number, keys, f"maximise {way}") for way in ("down", "across")]
    return (np.stack(shares) * (2 * jitter + 1)).astype(np.int64) - jitter


def shifted(images: Tensor, moves: NDArray[np.int64]) -> Tensor:
    """Each image of (n, C, H, W) by its own move (2, n) of pixels; what leaves comes in opposite.

    A permutation of the pixels: −moves undoes it, and takes gradients back.
    """
    if not moves.any():
        return images
    for axis, move in zip((2, 3), moves, strict=True):
        side = images.shape[axis]
        source = (np.arange(side) - move[:, None]) % side  # (n, side)
        index = torch.from_numpy(source).to(images.device).unsqueeze(1).unsqueeze(5 - axis)
        images = images.gather(axis, index.expand(images.shape))
    return images
