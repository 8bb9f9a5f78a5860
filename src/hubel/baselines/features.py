"""Features designed by hand: pictures uint8 (N, C, H, W) → float32 (N, D)."""

import math

import numpy as np
from numpy.typing import NDArray

CELLS = 8  # HOG's cells along the shorter side
BINS = 8  # of a colour histogram, along each channel


def pixels(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Every value, in [0, 1]."""
    flat = images.reshape(len(images), math.prod(images.shape[1:]))
    return np.divide(flat, 255, dtype=np.float32)


def hog(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Histograms of oriented gradients (Dalal & Triggs 2005).

    Nine unsigned orientations, CELLS square cells along the shorter side, blocks of 2×2 cells
    clipped and normalised ("L2-Hys"); of a coloured picture the channel with the largest gradient
    counts at each pixel, as the paper has it.
    """
    import skimage.feature  # heavy: only where it is needed

    height, width = images.shape[2:]
    cell = max(2, min(height, width) // CELLS)
    rows = [
        skimage.feature.hog(
            image.transpose(1, 2, 0),
            orientations=9,
            pixels_per_cell=(cell, cell),
            cells_per_block=(2, 2) if min(height, width) >= 2 * cell else (1, 1),
            block_norm="L2-Hys",
            channel_axis=2,
        )
        for image in images
    ]
    return np.stack(rows).astype(np.float32) if rows else np.empty((0, 0), np.float32)


def colours(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The histogram of the pixels' colours, BINS in each channel together; roots of the shares.

    With the roots a linear product is the histograms' Bhattacharyya coefficient, which is what a
    linear machine should compare them by.
    """
    n, channels = images.shape[:2]
    weights = BINS ** np.arange(channels)
    size = BINS**channels
    counts = np.zeros((n, size), np.float32)
    for row, image in zip(counts, images, strict=True):  # one at a time: indices are wide
        levels = (image.astype(np.int64) * BINS) // 256
        row[:] = np.bincount(np.tensordot(weights, levels, 1).ravel(), minlength=size)
    total = counts.sum(1, keepdims=True)
    shares: NDArray[np.float32] = np.sqrt(counts / np.maximum(total, 1))
    return shares
