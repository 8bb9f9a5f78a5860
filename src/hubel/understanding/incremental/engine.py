"""Run a traced network on many pictures that differ from one in a square, computing boxes only."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from hubel.understanding.incremental.boxes import Boxes, Clean, Extent
from hubel.understanding.incremental.geometry import Interval, alike, common, through, union
from hubel.understanding.incremental.steps import Kind, Ref, Step, aten
from hubel.understanding.incremental.tracing import Batch, Traced

FULL = 0.85  # a box that covers so much of its map: from there on whole maps are cheaper
WIDTH = 3  # positions along a side that share a size of box
MOST = 64  # positions at a time
MEMORY = 256 << 20  # bytes that one tensor of a group may take


@dataclass(frozen=True)
class Group:
    """Positions that are computed together: rows × columns of them, and each step's boxes.

    extents: by step, None for whole maps and what is no map.
    """

    rows: tuple[int, ...]
    columns: tuple[int, ...]
    extents: tuple[Extent | None, ...]

    @property
    def count(self) -> int:
        return len(self.rows) * len(self.columns)


class Incremental:
    """A network's results for one picture, as a square slides over it.

    tops and lefts: where the square begins, along each side. The picture, (C, H, W), is run once.
    """

    def __init__(
        self, network: Traced, picture: Tensor, square: int, tops: Sequence[int],
        lefts: Sequence[int],
    ) -> None:  # fmt: skip
        self.network, self.steps, self.square = network, network.steps, square
        self.tops, self.lefts = tops, lefts
        self.users = [0] * len(self.steps)
        self.last = list(range(len(self.steps)))
        for i, step in enumerate(self.steps):
            for j in step.inputs:
                self.users[j] += 1
                self.last[j] = i
        for i in network.results:
            self.users[i] += 1
            self.last[i] = len(self.steps)
        layout = torch.channels_last
        self.clean = self._whole_run(picture[None].contiguous(memory_format=layout))
        self.maps = [
            Clean(value) if step.is_map else None
            for step, value in zip(self.steps, self.clean, strict=True)
        ]
        self.down = self._intervals(tops, 0)
        self.across = self._intervals(lefts, 1)

    def _whole_run(self, pixels: Tensor) -> list[Tensor]:
        values: list[Tensor] = [pixels]
        for step in self.steps[1:]:
            values.append(_called(step, values, len(pixels)))
        return values

    def _intervals(self, starts: Sequence[int], side: int) -> list[list[Interval]]:
        """Of each step, the interval along a side that each position of the square may change."""
        found: list[list[Interval]] = []
        for step in self.steps:
            if not step.is_map:
                found.append([])
                continue
            if step.kind is Kind.PICTURE:
                found.append([(start, start + self.square) for start in starts])
                continue
            sources = [found[j] for j in step.inputs if found[j]]
            sliding = step.spread.columns if side else step.spread.rows
            if step.kind is Kind.POINTWISE:
                found.append([union(each) for each in zip(*sources, strict=True)])
            elif step.kind is Kind.SLIDING and sliding is not None:
                found.append([through(sliding, each) for each in sources[0]])
            elif step.kind is Kind.PADDED and sliding is not None:
                before = sliding.before
                found.append([(low + before, high + before) for low, high in sources[0]])
            else:
                found.append([(0, step.shape[2 + side])] * len(starts))
        return found

    def groups(self) -> list[Group]:
        """All positions, in groups of one size of box."""
        found = []
        for rows in alike(len(self.tops), WIDTH):
            for columns in alike(len(self.lefts), WIDTH):
                group = self._group(rows, columns)
                most = max(1, min(MOST, MEMORY // (4 * self._largest(group))))
                across = min(len(columns), most)
                down = max(1, most // across)
                for i in range(0, len(rows), down):
                    for j in range(0, len(columns), across):
                        part = rows[i : i + down], columns[j : j + across]
                        whole = part == (rows, columns)
                        found.append(group if whole else self._group(*part))
        return found

    def _group(self, rows: Sequence[int], columns: Sequence[int]) -> Group:
        extents: list[Extent | None] = []
        for i, step in enumerate(self.steps):
            if not step.is_map or step.kind is Kind.WHOLE:
                extents.append(None)
                continue
            sources = [extents[j] for j in step.inputs]
            if any(extent is None for extent in sources):
                extents.append(None)
                continue
            if step.kind is Kind.PADDED:
                [inner] = sources
                assert inner is not None and step.spread.rows and step.spread.columns
                tops, lefts = inner.tops + step.spread.rows.before, inner.lefts + step.spread.columns.before
                extents.append(Extent(tops, lefts, inner.height, inner.width))
                continue
            size = step.shape[2:]
            height, tops = common([self.down[i][r] for r in rows], size[0])
            width, lefts = common([self.across[i][c] for c in columns], size[1])
            if height * width >= FULL * size[0] * size[1] and i:
                extents.append(None)
            else:
                extents.append(Extent(torch.tensor(tops), torch.tensor(lefts), height, width))
        return Group(tuple(rows), tuple(columns), tuple(extents))

    def _largest(self, group: Group) -> int:
        """Numbers in the largest tensor of one position."""
        sizes = [1]
        for step, extent in zip(self.steps, group.extents, strict=True):
            if step.is_map:
                places = extent.height * extent.width if extent else step.shape[2] * step.shape[3]
                sizes.append(step.shape[1] * places)
        return max(sizes)

    def multiply_adds(self, group: Group) -> float:
        """What the group costs, all its positions together."""
        total = 0.0
        for step, extent in zip(self.steps, group.extents, strict=True):
            share = 1.0
            if extent is not None:
                share = extent.height * extent.width / (step.shape[2] * step.shape[3])
            total += step.multiply_adds * share * group.count
        return total

    def run(self, group: Group, fill: Tensor) -> list[Tensor]:
        """The results for the group's positions, each (R·K, …), row by row.

        fill: (C, H, W), what the square shows of itself.
        """
        values: list[Boxes | Tensor | None] = [None] * len(self.steps)
        for i, step in enumerate(self.steps):
            values[i] = self._value(i, step, group, values, fill)
            for j in step.inputs:
                if self.last[j] == i:
                    values[j] = None
        return [self._whole(i, values) for i in self.network.results]

    def _value(
        self, i: int, step: Step, group: Group, values: Sequence[Boxes | Tensor | None],
        fill: Tensor,
    ) -> Boxes | Tensor:  # fmt: skip
        extent = group.extents[i]
        if step.kind is Kind.PICTURE:
            assert extent is not None
            return Boxes(Clean(fill[None]).under(extent), extent)
        first = values[step.inputs[0]]
        if step.kind is Kind.MEAN and isinstance(first, Boxes):
            return self._mean(i, step, first)
        if extent is None:
            whole = {j: self._whole(j, values) for j in step.inputs}
            return _called(step, whole, group.count, inplace=False)
        if step.kind is Kind.SLIDING:
            assert isinstance(first, Boxes)
            return Boxes(self._slide(step, first, extent), extent)
        if step.kind is Kind.PADDED:
            assert isinstance(first, Boxes)
            return Boxes(first.data, extent)
        return Boxes(self._pointwise(step, extent, values), extent)

    def _slide(self, step: Step, boxes: Boxes, extent: Extent) -> Tensor:
        rows, columns, windowed = step.spread.rows, step.spread.columns, step.spread.windowed
        assert rows and columns and windowed
        window = Extent(
            extent.tops * rows.stride - rows.before,
            extent.lefts * columns.stride - columns.before,
            (extent.height - 1) * rows.stride + rows.reach,
            (extent.width - 1) * columns.stride + columns.reach,
        )
        clean = self.maps[step.inputs[0]]
        assert clean is not None
        return windowed(clean.window(boxes, window, border=step.spread.border))

    def _pointwise(
        self, step: Step, extent: Extent, values: Sequence[Boxes | Tensor | None]
    ) -> Tensor:
        given: dict[int, Tensor] = {}
        fresh = False
        for j in step.inputs:
            boxes, clean = values[j], self.maps[j]
            assert isinstance(boxes, Boxes) and clean is not None
            given[j] = clean.window(boxes, extent)
            if j == step.inputs[0]:
                copied = given[j] is not boxes.data
                own = self.users[j] == 1 and self.steps[j].kind in (Kind.SLIDING, Kind.POINTWISE)
                fresh = (copied or own) and given[j].shape[1] == step.shape[1]
        return _called(step, given, extent.count, inplace=fresh)

    def _mean(self, i: int, step: Step, boxes: Boxes) -> Tensor:
        """The clean mean, and what the boxes change in it."""
        clean = self.maps[step.inputs[0]]
        assert clean is not None
        change = boxes.data.sum((2, 3)) - clean.under(boxes.extent).sum((2, 3))
        before = self.clean[i].flatten(1)
        after = before + change / (clean.height * clean.width)
        return after.view(len(change), *step.shape[1:])

    def _whole(self, i: int, values: Sequence[Boxes | Tensor | None]) -> Tensor:
        value = values[i]
        if isinstance(value, Boxes):
            clean = self.maps[i]
            assert clean is not None
            return clean.whole(value)
        assert value is not None
        return value

    def each(self, fill: Tensor) -> Iterator[tuple[Group, list[Tensor]]]:
        """Group by group: its positions and their results."""
        for group in self.groups():
            yield group, self.run(group, fill)


def _called(
    step: Step, values: Mapping[int, Tensor] | Sequence[Tensor], count: int, *, inplace: bool = False
) -> Tensor:
    """The operation on whole tensors, of so many pictures; in place where that is allowed."""

    def put(value: Any) -> Any:
        if isinstance(value, Ref):
            return values[value.step]
        if isinstance(value, Batch):
            return count
        if isinstance(value, list | tuple):
            return type(value)(put(each) for each in value)
        return value

    target = step.target
    if inplace and isinstance(step.arguments[0], Ref):
        target = _in_place(target)
    options = {name: put(value) for name, value in step.options.items()}
    result: Tensor = target(*(put(value) for value in step.arguments), **options)
    return result


def _in_place(target: Any) -> Any:
    """The form of an operation of aten that writes into its first argument, if there is one."""
    packet = getattr(target, "overloadpacket", None)
    other = getattr(aten, f"{packet._qualified_op_name.removeprefix('aten::')}_", None) if packet else None
    return getattr(other, target._overloadname, target) if other else target
