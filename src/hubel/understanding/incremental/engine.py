"""A traced network's results for many pictures that differ from one in a box."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from hubel.understanding.incremental.boxes import Boxes, Clean, Extent
from hubel.understanding.incremental.plan import Group
from hubel.understanding.incremental.steps import (
    Alike,
    Batch,
    Means,
    Pads,
    Picture,
    Pointwise,
    Ref,
    Slides,
    Step,
    aten,
)
from hubel.understanding.incremental.tracing import Traced

Values = list[Boxes | Tensor | None]


class Incremental:
    """A network's results for one picture, (C, H, W), of which a box changes.

    The picture is run once, and its maps are kept. Call it without gradients.

    tail: the steps at the end that neither have nor read maps: a classifier's linear layers.
    joints: the steps before, whose values the tail reads or the results are.
    """

    def __init__(self, network: Traced, picture: Tensor) -> None:
        self.steps, self.results = network.steps, network.results
        self.head, self.tail = _divided(self.steps)
        needed = {j for i in self.tail for j in self.steps[i].inputs} | {*self.results}
        self.joints = sorted(needed & {*self.head})
        self.readers = [0] * len(self.steps)
        self.last = [0] * len(self.steps)  # the step that reads it last
        for i, step in enumerate(self.steps):
            for j in step.inputs:
                self.readers[j] += 1
                self.last[j] = i
        for i in {*self.results, *self.joints}:
            self.readers[i] += 1
            self.last[i] = len(self.steps)
        self.clean: list[Clean] = []
        for step in self.steps:
            given = [self.clean[j].values for j in step.inputs]
            first = isinstance(step.spread, Picture)
            value = picture[None] if first else _called(step, given, 1)
            layout = torch.channels_last if value.ndim == 4 else torch.contiguous_format
            self.clean.append(Clean(value.contiguous(memory_format=layout)))

    def run(self, group: Group, fill: Tensor) -> list[Tensor]:
        """The joints for the group's positions, each (rows · columns, …), row by row.

        fill: (C, H, W), of which each position shows what lies in its box.
        """
        values: Values = []
        for i in self.head:
            values.append(self._value(i, self.steps[i], group, values, fill))
            for j in self.steps[i].inputs:
                if self.last[j] == i:
                    values[j] = None
        return [self._whole(i, values) for i in self.joints]

    def finish(self, joints: Sequence[Tensor]) -> list[Tensor]:
        """The results from the joints, each (N, …), of any positions, of many groups at once."""
        values = dict(zip(self.joints, joints, strict=True))
        for i in self.tail:
            given = [values[j] for j in self.steps[i].inputs]
            values[i] = _called(self.steps[i], given, len(joints[0]))
        return [values[i] for i in self.results]

    def _value(
        self, i: int, step: Step, group: Group, values: Values, fill: Tensor
    ) -> Boxes | Tensor:
        extent = group.extents[i]
        first = values[step.inputs[0]] if step.inputs else None
        if extent is None:
            if isinstance(step.spread, Means) and isinstance(first, Boxes):
                return self._mean(i, step, first)
            given = [self._whole(j, values) for j in step.inputs]
            free = isinstance(step.spread, Pointwise) and self._is_free(step, given[0])
            return _called(step, given, group.count, in_place=free)
        match step.spread:
            case Picture():
                return Boxes(Clean(fill[None]).under(extent), extent)
            case Slides() as slides:
                return Boxes(self._slid(step, slides, values, extent), extent)
            case Pads():
                return Boxes(_boxes(first).data, extent)
            case _:
                return Boxes(self._pointwise(step, values, extent), extent)

    def _slid(self, step: Step, slides: Slides, values: Values, extent: Extent) -> Tensor:
        rows, columns = slides.rows, slides.columns
        window = Extent(
            extent.tops * rows.stride - rows.before,
            extent.lefts * columns.stride - columns.before,
            (extent.height - 1) * rows.stride + rows.reach,
            (extent.width - 1) * columns.stride + columns.reach,
        )
        j = step.inputs[0]
        return slides.windowed(self.clean[j].window(_boxes(values[j]), window, slides.border))

    def _pointwise(self, step: Step, values: Values, extent: Extent) -> Tensor:
        boxes = [_boxes(values[j]) for j in step.inputs]
        given = [
            self.clean[j].window(each, extent)
            for j, each in zip(step.inputs, boxes, strict=True)
        ]  # fmt: skip
        free = self._is_free(step, given[0], copied=given[0] is not boxes[0].data)
        return _called(step, given, extent.count, in_place=free)

    def _is_free(self, step: Step, first: Tensor, *, copied: bool = False) -> bool:
        """Whether a step may write into its first input: nobody else reads that memory."""
        j = step.inputs[0]
        own = self.readers[j] == 1 and isinstance(self.steps[j].spread, Slides | Pointwise)
        return (copied or own) and first.shape[1:2] == step.shape[1:2]

    def _mean(self, i: int, step: Step, boxes: Boxes) -> Tensor:
        """The clean mean, and what the boxes change in it."""
        clean = self.clean[step.inputs[0]]
        change = boxes.data.sum((2, 3)) - clean.under(boxes.extent).sum((2, 3))
        means = self.clean[i].values.flatten(1) + change / (clean.height * clean.width)
        return means.view(len(means), *step.shape[1:])

    def _whole(self, i: int, values: Values) -> Tensor:
        value = values[i]
        return value if isinstance(value, Tensor) else self.clean[i].whole(_boxes(value))


def replayed(network: Traced, pixels: Tensor) -> list[Tensor]:
    """The results for pixels (N, C, H, W), step by step on whole pictures."""
    values: list[Tensor] = []
    for step in network.steps:
        given = [values[j] for j in step.inputs]
        first = isinstance(step.spread, Picture)
        values.append(pixels if first else _called(step, given, len(pixels)))
    return [values[i] for i in network.results]


def _divided(steps: Sequence[Step]) -> tuple[range, range]:
    """Up to the last step that has or reads a map, and from there on."""
    last = max(
        i
        for i, step in enumerate(steps)
        if any(steps[j].is_map for j in (i, *step.inputs))
    )  # fmt: skip
    return range(last + 1), range(last + 1, len(steps))


def _boxes(value: Boxes | Tensor | None) -> Boxes:
    if not isinstance(value, Boxes):
        raise TypeError(f"boxes were planned here, not a {type(value).__name__}")
    return value


def _called(step: Step, given: Sequence[Tensor], count: int, *, in_place: bool = False) -> Tensor:
    """The step's operation on its inputs, of so many pictures; it may write into the first."""
    values = dict(zip(step.inputs, given, strict=True))

    def put(value: Any) -> Any:
        if isinstance(value, Ref):
            return values[value.step]
        if isinstance(value, Batch):
            return count * value.times
        if isinstance(value, Alike):
            return value.row.expand(count, *value.row.shape[1:])
        if isinstance(value, list):
            return [put(each) for each in value]
        return value

    written = in_place and step.arguments[0] == Ref(step.inputs[0])
    target = _in_place(step.target) if written else step.target
    options = {name: put(value) for name, value in step.options.items()}
    result: Tensor = target(*(put(value) for value in step.arguments), **options)
    return result


def _in_place(target: Callable[..., Any]) -> Callable[..., Any]:
    """The form of one of aten's operations that writes into its first argument, if there is one."""
    name = str(getattr(target, "overloadpacket", "")).removeprefix("aten.")
    form = getattr(getattr(aten, f"{name}_", None), getattr(target, "_overloadname", ""), None)
    return form or target
