"""Intervals against counting: which outputs see which inputs."""

from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hubel.understanding.incremental.geometry import (
    EXTRA,
    Sliding,
    alike,
    common,
    positions,
    through,
)

small = st.integers(1, 4)


@given(st.integers(3, 20), small, small, small, st.integers(0, 3), st.data())
def test_through_holds_every_output_that_sees_a_change(
    size: int, kernel: int, stride: int, dilation: int, before: int, data: st.DataObject
) -> None:
    reach = dilation * (kernel - 1) + 1
    output = (size + 2 * before - reach) // stride + 1
    assume(output > 0)
    low = data.draw(st.integers(0, size - 1))
    high = data.draw(st.integers(low + 1, size))
    first, last = through(Sliding(kernel, stride, dilation, before, size, output), (low, high))
    seen = [
        i
        for i in range(output)
        if any(low <= i * stride - before + k * dilation < high for k in range(kernel))
    ]
    assert 0 <= first < last <= output
    if seen:
        assert first <= seen[0]
        assert seen[-1] < last
        if dilation == 1:
            assert (first, last) == (seen[0], seen[-1] + 1)
    else:
        assert last - first == 1 or dilation > 1


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 12))
def test_squares_stay_inside_and_cover_the_side(side: int, square: int, stride: int) -> None:
    assume(square <= side)
    starts = positions(side, square, stride)
    assert starts[0] == 0
    assert starts[-1] + square == side
    assert all(0 < b - a <= stride for a, b in pairwise(starts))


works = st.integers(1, 3).flatmap(
    lambda steps: st.lists(st.tuples(*[st.integers(0, 9)] * steps), min_size=1, max_size=8)
)


def _cuts(row: list[int], most: int) -> Iterator[list[list[int]]]:
    """All ways to cut a row into groups of at most so many."""
    if not row:
        yield []
    for first in range(1, min(most, len(row)) + 1):
        for rest in _cuts(row[first:], most):
            yield [row[:first], *rest]


@given(works, st.integers(1, 4))
def test_groups_hold_each_position_once_and_are_the_cheapest(
    work: list[tuple[int, ...]], most: int
) -> None:
    def cost(groups: list[list[int]]) -> float:
        largest = [sum(max(work[k][i] for k in group) for i in range(len(work[0])))
                   for group in groups]  # fmt: skip
        return sum((len(group) + EXTRA) * each for group, each in zip(groups, largest, strict=True))

    groups = alike(work, most)
    assert sorted(k for group in groups for k in group) == list(range(len(work)))
    assert max(map(len, groups)) <= most
    row = sorted(range(len(work)), key=lambda k: sum(work[k]))
    assert cost(groups) == pytest.approx(min(map(cost, _cuts(row, most))))


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 6)), min_size=1), st.integers(15, 20))
def test_a_common_length_holds_every_interval(rows: list[tuple[int, int]], size: int) -> None:
    intervals = [(low, low + length) for low, length in rows]
    length, starts = common(intervals, size)
    assert length == max(n for _, n in rows)
    for (low, high), start in zip(intervals, starts, strict=True):
        assert 0 <= start <= low
        assert high <= start + length <= size


def test_a_stride_may_step_over_a_change() -> None:
    assert through(Sliding(1, 3, 1, 0, 9, 3), (1, 2)) == (1, 2)  # nothing sees it: one in vain
    with pytest.raises(ValueError, match="max"):
        common([], 3)
