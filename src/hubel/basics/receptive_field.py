"""Receptive fields as algebra: along each side of the picture, unit i of a tensor sees the pixels
i·jump + low … i·jump + high.

A convolution or pooling moves the three numbers (Dumoulin & Visin 2016; Araujo et al. 2019), and
where branches meet the field is their union. The numbers are those of a unit in the middle: at the
border they may name pixels beyond the picture, which are padding. Padding by reflection or by
repetition is taken as zeros would be.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import NamedTuple

Number = int | Fraction  # a jump below one pixel, behind an enlargement, is a fraction
Shape = Sequence[int]


@dataclass(frozen=True)
class Axis:
    """Along one side of the picture: unit i of dimension `dim` sees i·jump + low … i·jump + high.

    With jump 0 all units see the same. dim is None where no dimension runs along that side. A field
    that is not exact is a bound: no unit sees more.
    """

    dim: int | None
    jump: Number
    low: Number
    high: Number
    exact: bool = True

    @property
    def size(self) -> int:
        """Pixels from the first to the last that a unit sees, some of them maybe padding."""
        return math.floor(self.high - self.low) + 1

    def within(self, side: int) -> int:
        """Of those, how many a unit in the middle of a picture of that side can see at most."""
        return min(self.size, side)


class Field(NamedTuple):
    """The receptive field of every unit of a tensor: along the picture's height, and its width."""

    height: Axis
    width: Axis


def picture(height: int, width: int) -> Field:
    """The field of the pixels themselves, (N, C, height, width).

    >>> picture(32, 32).width
    Axis(dim=3, jump=1, low=0, high=0, exact=True)
    """
    if min(height, width) < 1:
        raise ValueError(f"A picture has sides of 1 or more, not {height}×{width}.")
    return Field(Axis(2, 1, 0, 0), Axis(3, 1, 0, 0))


def union(axes: Sequence[Axis], shape: Shape) -> Axis:
    """What units see that draw on several tensors, of which `shape` is the common one."""
    first = axes[0]
    alike = all((axis.dim, axis.jump) == (first.dim, first.jump) for axis in axes)
    if not alike:
        fixed = [(axis.low, axis.high) for axis in axes if axis.jump == 0]
        axes = [whole(axis, shape) for axis in axes]
    low, high = min(axis.low for axis in axes), max(axis.high for axis in axes)
    # where one of them saw all of it anyway, nothing was rounded up
    exact = all(axis.exact for axis in axes) and (alike or (low, high) in fixed)
    return replace(axes[0], low=low, high=high, exact=exact)


def whole(axis: Axis, shape: Shape, *, exact: bool = True) -> Axis:
    """Every unit sees what any unit of a tensor of that shape saw."""
    if axis.dim is None:
        return replace(axis, exact=axis.exact and exact)
    last = (shape[axis.dim] - 1) * axis.jump
    low, high = axis.low + min(last, 0), axis.high + max(last, 0)
    return Axis(None, 0, low, high, axis.exact and exact)


def strided(axis: Axis, step: Number, first: Number, last: Number, *, exact: bool = True) -> Axis:
    """Output unit o draws on the units o·step + first … o·step + last."""
    ends = first * axis.jump, last * axis.jump
    jump, low, high = axis.jump * step, axis.low + min(ends), axis.high + max(ends)
    return Axis(axis.dim, jump, low, high, axis.exact and exact)
