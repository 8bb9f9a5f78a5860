"""Where a change goes: from an interval of one side of a map to the interval that it reaches.

Both sides of a picture are treated alike and apart, which halves the work of thinking: a box is an
interval of rows times an interval of columns. An interval [low, high) bounds what may change; units
in it that do not are computed in vain, and rightly.
"""

from collections.abc import Sequence
from typing import NamedTuple

Interval = tuple[int, int]  # [low, high)
EXTRA = 1.0  # positions' work that a group costs by itself


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


def alike(work: Sequence[Sequence[float]], most: int) -> list[list[int]]:
    """Positions along a side in groups of at most so many, for which one size of box fits well.

    work: by position, what the box costs at each step; a group's members all cost the largest of
    their numbers. Positions are brought into the order of what they cost alone; of all ways to cut
    that row into groups, this is the cheapest.

    >>> alike([[1, 1], [9, 2], [1, 1], [8, 2], [8, 2]], 3)
    [[0, 2], [1, 3, 4]]
    """
    order = sorted(range(len(work)), key=lambda k: sum(work[k]))
    best = [(0.0, 0)]  # of the first so many: the cost, and where their last group begins
    for end in range(1, len(order) + 1):
        found, largest = [], [0.0] * len(work[0])
        for begin in range(end - 1, max(end - most, 0) - 1, -1):
            largest = [*map(max, largest, work[order[begin]])]
            found.append((best[begin][0] + (end - begin + EXTRA) * sum(largest), begin))
        best.append(min(found))
    groups, end = [], len(order)
    while end:
        begin = best[end][1]
        groups.append(sorted(order[begin:end]))
        end = begin
    return groups[::-1]


def common(intervals: Sequence[Interval], size: int) -> tuple[int, list[int]]:
    """One length for all intervals, and where each begins so that it ends within `size`.

    >>> common([(0, 3), (5, 7)], 7)
    (3, [0, 4])
    """
    length = max(high - low for low, high in intervals)
    return length, [min(low, size - length) for low, _ in intervals]
