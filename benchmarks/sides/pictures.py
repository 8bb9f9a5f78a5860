"""Photographs as a network sees them: 224 × 224 cuts out of scikit-image's own pictures."""

import numpy as np
import skimage.data


def cuts(n: int, side: int = 224) -> np.ndarray:
    """uint8 (n, 3, side, side), always the same ones."""
    rng = np.random.default_rng(0)
    sources = [skimage.data.chelsea(), skimage.data.coffee(), skimage.data.astronaut()]
    found = np.empty((n, 3, side, side), np.uint8)
    for i in range(n):
        whole = sources[i % len(sources)]
        top, left = (int(rng.integers(0, whole.shape[axis] - side + 1)) for axis in (0, 1))
        found[i] = whole[top : top + side, left : left + side].transpose(2, 0, 1)
    return found
