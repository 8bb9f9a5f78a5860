"""The part of a picture that a unit sees, cut out.

Where a unit stands near the border its receptive field reaches beyond the picture, into the
padding. What is cut out there is grey, so that patches of one layer are all of one size; only
along a side that the field covers whole, the picture is taken as it is.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from hubel.basics.receptive_field import Axis, Field

GREY = 0.5  # of what lies beyond the picture
HELD, LEAST = 0.95, 7  # what `held` holds of the projections' squares; the least side of its square


class Box(NamedTuple):
    """Rows top … bottom − 1 and columns left … right − 1 of a picture, some maybe beyond it."""

    top: int
    left: int
    bottom: int
    right: int


def seen(field: Field, row: int, column: int, size: tuple[int, int]) -> Box:
    """What the unit at (row, column) of a map sees of a picture of that size (height, width).

    >>> from hubel.basics.receptive_field import picture
    >>> seen(picture(8, 8), 2, 3, (8, 8))
    Box(top=2, left=3, bottom=3, right=4)
    """
    top, bottom = _along(field.height, row, size[0])
    left, right = _along(field.width, column, size[1])
    return Box(top, left, bottom, right)


def _along(axis: Axis, place: int, side: int) -> tuple[int, int]:
    if axis.dim is None or axis.size >= side:
        return 0, side
    first = math.ceil(place * axis.jump + axis.low)  # behind an enlargement it may be a fraction
    return first, first + axis.size


def crop(pixels: Tensor, box: Box, beyond: float = GREY) -> Tensor:
    """The box of a picture (C, H, W), as (C, height, width); `beyond` where it lies beyond.

    >>> import torch
    >>> crop(torch.ones(1, 2, 2), Box(-1, 0, 1, 2)).tolist()
    [[[0.5, 0.5], [1.0, 1.0]]]
    """
    channels, height, width = pixels.shape
    found = pixels.new_full((channels, box.bottom - box.top, box.right - box.left), beyond)
    top, bottom = max(box.top, 0), min(box.bottom, height)
    left, right = max(box.left, 0), min(box.right, width)
    if top < bottom and left < right:
        inside = slice(top - box.top, bottom - box.top), slice(left - box.left, right - box.left)
        found[:, inside[0], inside[1]] = pixels[:, top:bottom, left:right]
    return found


def held(projections: NDArray[np.floating]) -> Box:
    """The smallest square around the middle of projections (M, h, w, C), h = w, that holds HELD.

    Of the mean of their squares, each projection weighing the same: what a unit sees at the rim of
    its field counts for little (Luo et al. 2016, "Understanding the effective receptive field"). It
    is LEAST pixels wide or more, and no wider than the field.
    """
    squares = np.square(projections.astype(np.float64)).sum(3)
    squares /= np.maximum(squares.sum((1, 2), keepdims=True), 1e-30)
    mean = squares.mean(0)
    whole, total = len(mean), mean.sum()
    places = np.arange(whole)
    down, across = (
        round(float(mean.sum(axis) @ places / total)) if total else whole // 2 for axis in (1, 0)
    )
    for half in range(LEAST // 2, whole // 2):
        side = 2 * half + 1
        top, left = (min(max(middle - half, 0), whole - side) for middle in (down, across))
        if mean[top : top + side, left : left + side].sum() >= HELD * total:
            return Box(top, left, top + side, left + side)
    return Box(0, 0, whole, whole)
