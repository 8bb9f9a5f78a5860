"""Where a change goes: from an interval of one side of a map to the interval that it reaches.

Both sides of a picture are treated alike and apart, which halves the work of thinking: a box is an
interval of rows times an interval of columns. An interval [low, high) bounds what may change; units
in it that do not are computed in vain, and rightly.
"""

from collections.abc import Sequence
from typing import NamedTuple

Interval = tuple[int, int]  # [low, high)


class Sliding(NamedTuple):
    """How a convolution or a pooling slides along one side: the arithmetic of B12, with dilation.

    before: the padding above or left. size: units along the input and along the output.
    """

    kernel: int
    stride: int
    dilation: int
    before: int
    size: int
    output: int

    @property
    def reach(self) -> int:
        """Units from the first to the last that one output sees."""
        return self.dilation * (self.kernel - 1) + 1


def through(sliding: Sliding, changed: Interval) -> Interval:
    """The outputs that see any of the changed inputs; at least one, should a stride step over them.

    >>> through(Sliding(3, 2, 1, 1, 8, 4), (4, 6))
    (2, 4)
    """
    low, high = changed
    first = -(-(low + sliding.before - sliding.reach + 1) // sliding.stride)
    last = (high - 1 + sliding.before) // sliding.stride
    first = min(max(first, 0), sliding.output - 1)
    return first, max(first + 1, min(last + 1, sliding.output))


def union(intervals: Sequence[Interval]) -> Interval:
    """The smallest interval that holds all of them.

    >>> union([(2, 3), (5, 7)])
    (2, 7)
    """
    return min(low for low, _ in intervals), max(high for _, high in intervals)


def positions(side: int, square: int, stride: int) -> tuple[int, ...]:
    """Where a square begins as it slides along a side; the last one ends with it.

    >>> positions(10, 4, 3), positions(11, 4, 3)
    ((0, 3, 6), (0, 3, 6, 7))
    """
    found = list(range(0, side - square + 1, stride))
    if found[-1] + square < side:
        found.append(side - square)
    return tuple(found)


def alike(count: int, width: int) -> list[list[int]]:
    """Indices of positions along a side, grouped by their distance to the nearer end of it.

    What a border cuts off is alike in a group, so that one size of box fits its members.

    >>> alike(7, 2)
    [[0, 1, 5, 6], [2, 3, 4]]
    """
    groups: dict[int, list[int]] = {}
    for i in range(count):
        groups.setdefault(min(i, count - 1 - i) // width, []).append(i)
    return list(groups.values())


def common(intervals: Sequence[Interval], size: int) -> tuple[int, list[int]]:
    """One length for all intervals, and where each begins so that it ends within `size`.

    >>> common([(0, 3), (5, 7)], 7)
    (3, [0, 4])
    """
    length = max(high - low for low, high in intervals)
    return length, [min(low, size - length) for low, _ in intervals]
