"""Where the object is in a picture, without anything learned: what differs from the background.

For silhouettes and for textures from the inside of an object, where a picture has no alpha channel.
The background is what the picture's corners are made of; Otsu 1979 ("A threshold selection method
from gray-level histograms") says from which distance on a pixel is something else.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hubel.figures import percent
from hubel.mistakes import Mistake

Images = NDArray[np.floating]  # (N, C, H, W) in [0, 1]
Masks = NDArray[np.bool_]  # (N, H, W), True on the object

FRAME = 0.04  # of the shorter side: how wide the border is, 1 pixel at least
CORNER = 0.12  # of the shorter side: of the corners that stand for the background
SIGMA = 1.4826  # a normal distribution's standard deviation in median absolute deviations
LEVELS = 256  # of the histogram that the threshold is found in
NOISE = 0.02  # of a pixel, as a standard deviation: corners of one colour have none of their own
SPECK = 0.05  # of the largest part: smaller parts of a mask are dropped
# A mask is uncertain beyond these. Of 58 cut-out stamps over white, where the alpha channel says
# what is right, masks from η = 0.75 on overlapped it by 0.98 (intersection over union, the median;
# 3 of 56 by less than 0.8); photographs without a plain ground have less (astronaut 0.66, cat 0.66,
# coffee 0.73). A wall of brick has 0.83: the rule is no proof.
SEPARATE, LEAST, MOST, TOUCHING = 0.75, 0.02, 0.95, 0.6


class Found(NamedTuple):
    """masks (N, H, W), without holes; solid (N, H, W): the same with them. certain (N,): whether
    each can be relied on; why (N): in words, where not. separability (N,): Otsu's η, the share of
    the distances' variance that the threshold explains, in [0, 1].
    """

    masks: Masks
    certain: NDArray[np.bool_]
    why: tuple[str, ...]
    separability: NDArray[np.float64]
    solid: Masks


def found(images: Images) -> Found:
    """The object in each picture (N, C, H, W): one mask, its holes filled, its specks dropped.

    A pixel's distance from the background is that from the corners' median colour, in each channel
    by how much the corners themselves differ there. A mask is uncertain where the distances do not
    fall apart in two groups (η below SEPARATE), where it covers less than LEAST or more than MOST
    of the picture, or more than TOUCHING of the border. One of a picture of one colour is empty.
    Raises Mistake for another shape.
    """
    if images.ndim != 4 or 0 in images.shape[1:]:
        raise Mistake(f"Pictures are (N, C, H, W), and not empty; found {images.shape}.")
    far = _distances(images)
    thresholds, separability = otsu(far.reshape(len(far), images.shape[2] * images.shape[3]))
    above = far > thresholds[:, None, None]
    masks = np.stack([_whole(mask) for mask in above]) if len(above) else above
    why = tuple(_doubt(mask, float(eta)) for mask, eta in zip(masks, separability, strict=True))
    certain = np.array([not doubt for doubt in why], bool)
    return Found(masks, certain, why, separability, masks & above)


def otsu(values: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """values (N, M) in [0, 1] → of each row the threshold and η, both (N,).

    The threshold is the upper edge of the bin after which the variance between what lies below and
    above is largest; η is that over the whole variance (of the histogram; 0 for equal values).
    """
    n = len(values)
    bins = np.minimum((values * LEVELS).astype(np.int64), LEVELS - 1)
    index = bins + LEVELS * np.arange(n)[:, None]
    counts = np.bincount(index.ravel(), minlength=n * LEVELS).reshape(n, LEVELS)
    shares = counts / max(values.shape[1], 1)
    middles = (np.arange(LEVELS) + 0.5) / LEVELS
    below = shares.cumsum(1)
    mass = (shares * middles).cumsum(1)
    mean = mass[:, -1:]
    room = below * (1 - below)
    between = np.where(room > 0, (mean * below - mass) ** 2 / np.maximum(room, 1e-12), 0.0)
    best = between.argmax(1)
    total = (shares * (middles - mean) ** 2).sum(1)
    eta = between.max(1) / np.maximum(total, 1e-12)
    return (best + 1) / LEVELS, np.minimum(eta, 1.0)


def border(side: tuple[int, int]) -> NDArray[np.bool_]:
    """Which pixels of a picture (H, W) are its border, FRAME of the shorter side wide."""
    width = max(1, round(FRAME * min(side)))
    frame = np.ones(side, bool)
    frame[width : side[0] - width, width : side[1] - width] = False
    return frame


def corners(side: tuple[int, int]) -> NDArray[np.bool_]:
    """Which pixels of a picture (H, W) are its corners; where an object is cut off, they are not
    yet it."""
    width = max(1, round(CORNER * min(side)))
    rows, columns = (np.minimum(np.arange(s), np.arange(s)[::-1]) < width for s in side)
    return np.asarray(rows[:, None] & columns, bool)


def _distances(images: Images) -> NDArray[np.float64]:
    """(N, C, H, W) → (N, H, W) in [0, 1]: how far each pixel is from the background.

    1: black from white, where the corners are of one colour. The square root, because a pale object
    with a dark middle is to be told from the ground, not its middle from the rest of it.
    """
    values = images.astype(np.float64)
    around = values[:, :, corners((images.shape[2], images.shape[3]))]  # (N, C, B)
    middle = np.median(around, axis=2, keepdims=True)
    deviation = SIGMA * np.median(np.abs(around - middle), axis=2) + NOISE
    off = (values - middle[..., None]) * (NOISE / deviation)[..., None, None]
    far: NDArray[np.float64] = np.minimum(np.sqrt(np.sqrt(np.square(off).mean(1))), 1.0)
    return far


def _whole(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The mask without holes, and without parts that are small beside the largest."""
    from scipy import ndimage  # heavy: only where it is needed

    filled = ndimage.binary_fill_holes(mask)
    parts, number = ndimage.label(filled)
    if number < 2:
        return np.asarray(filled, bool)
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    return np.asarray((sizes >= SPECK * sizes.max())[parts] & filled, bool)


def _doubt(mask: NDArray[np.bool_], separability: float) -> str:
    """Why a mask cannot be relied on; "" where it can."""
    share = float(mask.mean())
    if not mask.any():
        return "nothing differs from the corners"
    if separability < SEPARATE:
        return f"object and background do not fall apart (η = {separability:.2f})"
    if not LEAST <= share <= MOST:
        return f"it covers {percent(share, 0)} of the picture"
    touching = float(mask[border((mask.shape[0], mask.shape[1]))].mean())
    if touching > TOUCHING:
        return f"it covers {percent(touching, 0)} of the border"
    return ""
