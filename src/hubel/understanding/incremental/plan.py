"""Which positions of the square are computed together, and in which boxes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from hubel.understanding.incremental.boxes import Extent
from hubel.understanding.incremental.geometry import Interval, alike, common, through, union
from hubel.understanding.incremental.steps import Pads, Picture, Pointwise, Slides, Step, Whole
from hubel.understanding.incremental.tracing import Traced

FULL = 0.85  # a box that covers so much of its map: from there on whole maps are cheaper
WIDTH = 8  # positions along a side that share a size of box, at most
MOST = 64  # positions at a time
MEMORY = 256 << 20  # bytes that a tensor of a group may take


@dataclass(frozen=True)
class Group:
    """Positions that are computed together, rows × columns of them, and each step's boxes.

    extents: by step; None for whole maps, and for what is no map.
    """

    rows: tuple[int, ...]
    columns: tuple[int, ...]
    extents: tuple[Extent | None, ...]

    @property
    def count(self) -> int:
        return len(self.rows) * len(self.columns)


class Plan:
    """All positions of a square in groups.

    tops and lefts: where it begins along each side. reach: 1 for every unit that may change; below,
    only those in a box of that share of each side, around the square: an approximation.
    """

    def __init__(
        self,
        network: Traced,
        square: int,
        tops: Sequence[int],
        lefts: Sequence[int],
        *,
        reach: float = 1.0,
        device: torch.device | str = "cpu",
    ) -> None:
        self.steps, self.square, self.reach = network.steps, square, reach
        self.device = device
        self.tops, self.lefts = tops, lefts
        self.sides = self._intervals(tops, 0), self._intervals(lefts, 1)

    def groups(self) -> list[Group]:
        found = []
        for rows in self._alike(0):
            for columns in self._alike(1):
                most = max(1, min(MOST, MEMORY // (4 * self._largest(rows, columns))))
                across = min(len(columns), most)
                down = max(1, most // across)
                found += [
                    self._group(rows[i : i + down], columns[j : j + across])
                    for i in range(0, len(rows), down)
                    for j in range(0, len(columns), across)
                ]
        return found

    def _alike(self, side: int) -> list[list[int]]:
        """Positions along a side in groups."""
        by_step = []
        for step, reached in zip(self.steps, self.sides[side], strict=True):
            if step.is_map:
                unit = (step.multiply_adds + math.prod(step.shape)) / step.shape[2 + side]
                by_step.append([(high - low) * unit for low, high in reached])
        return alike([*zip(*by_step, strict=True)], WIDTH)

    def multiply_adds(self, group: Group) -> float:
        """Of all the group's positions together."""
        return group.count * sum(
            step.multiply_adds * self._share(step, extent)
            for step, extent in zip(self.steps, group.extents, strict=True)
        )

    def _share(self, step: Step, extent: Extent | None) -> float:
        places = math.prod(step.shape[2:])
        return extent.height * extent.width / places if extent and places else 1.0

    def _intervals(self, starts: Sequence[int], side: int) -> list[list[Interval]]:
        """By step, the interval along a side that each position of the square may change."""
        found: list[list[Interval]] = []
        for step in self.steps:
            sources = [found[j] for j in step.inputs]
            size = step.shape[2 + side] if step.is_map else 0
            if not step.is_map or any(not each for each in sources):
                found.append([(0, size)] * len(starts) if step.is_map else [])
                continue
            match step.spread:
                case Picture():
                    reached = [(start, start + self.square) for start in starts]
                case Pointwise():
                    reached = [union(each) for each in zip(*sources, strict=True)]
                case Slides(rows, columns):
                    reached = [through(columns if side else rows, each) for each in sources[0]]
                case Pads(top, left):
                    by = left if side else top
                    reached = [(low + by, high + by) for low, high in sources[0]]
                case _:
                    reached = [(0, size)] * len(starts)
            found.append(self._capped(reached, starts, side, size))
        return found

    def _capped(
        self, reached: list[Interval], starts: Sequence[int], side: int, size: int
    ) -> list[Interval]:
        """No longer than the reach allows, around where the square's middle is in this map."""
        if self.reach >= 1:
            return reached
        most = max(1, math.ceil(self.reach * size))
        scale = size / self.steps[0].shape[2 + side]
        capped = []
        for (low, high), start in zip(reached, starts, strict=True):
            if high - low > most and low < high:
                middle = (start + self.square / 2) * scale
                low = int(min(max(round(middle - most / 2), low), high - most))
                high = low + most
            capped.append((low, high))
        return capped

    def _group(self, rows: Sequence[int], columns: Sequence[int]) -> Group:
        extents: list[Extent | None] = []
        for i in range(len(self.steps)):
            extents.append(self._extent(i, rows, columns, extents))
        return Group(tuple(rows), tuple(columns), tuple(extents))

    def _extent(
        self, i: int, rows: Sequence[int], columns: Sequence[int], before: Sequence[Extent | None]
    ) -> Extent | None:
        step = self.steps[i]
        sources = [extent for j in step.inputs if (extent := before[j]) is not None]
        if not step.is_map or isinstance(step.spread, Whole) or len(sources) < len(step.inputs):
            return None
        if isinstance(step.spread, Pads):  # the same boxes, moved
            inner, by = sources[0], step.spread
            return Extent(inner.tops + by.top, inner.lefts + by.left, inner.height, inner.width)
        height, tops = common([self.sides[0][i][r] for r in rows], step.shape[2])
        width, lefts = common([self.sides[1][i][c] for c in columns], step.shape[3])
        if sources and height * width >= FULL * math.prod(step.shape[2:]):
            return None
        down, across = (torch.tensor(each, device=self.device) for each in (tops, lefts))
        return Extent(down, across, height, width)

    def _largest(self, rows: Sequence[int], columns: Sequence[int]) -> int:
        """Numbers in the largest tensor of one position."""
        extents = self._group(rows, columns).extents
        return max(
            int(math.prod(step.shape) * self._share(step, extent))
            for step, extent in zip(self.steps, extents, strict=True)
        )
