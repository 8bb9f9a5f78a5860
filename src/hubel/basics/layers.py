"""From the operations that a picture met to the layers that people name."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from hubel.basics.receptive_field import Field
from hubel.basics.tracing import PICTURE, Call, Operation, Tracer, is_layer

# what aten calls differently from what people write
KINDS = {
    "constant_pad_nd": "pad",
    "max_pool2d_with_indices": "max_pool2d",
    "addmm": "linear",
    "mm": "matmul",
    "bmm": "matmul",
    "baddbmm": "matmul",
}


@dataclass(frozen=True)
class Row:
    """One layer, or one operation outside any layer, of the order in which they ran.

    name: the module's path, with "#2" at its second call, or its path and the operation. shape: of
    the output, without the batch. parameters: its own, each counted where it is first used. memory:
    bytes of its output in float32, 0 where that lies in its input's. field: what a unit of its
    output sees of the picture; not exact where an operation is not known. inputs: the rows whose
    outputs it takes, -1 for the picture. weighted: whether it is a layer in the papers' sense, a
    convolution or linear layer with weights. rounding: where windows do not divide a side.
    """

    name: str
    kind: str
    detail: str
    shape: tuple[int, ...]
    parameters: int
    multiply_adds: int
    memory: int
    field: Field
    inputs: tuple[int, ...]
    weighted: bool
    rounding: str

    @property
    def sees(self) -> tuple[int, int]:
        """Height and width of the receptive field; what is beyond the picture's is padding."""
        return self.field.height.size, self.field.width.size


def rows(tracer: Tracer, sizes: Mapping[str, int]) -> Iterator[Row]:
    """What was traced, as rows: the operations of one of torch's layers, or of a small module, are
    one. sizes: of the parameters, by name."""
    row_of = {PICTURE: PICTURE}
    counted: set[str] = set()
    names: dict[str, int] = {}
    for number, group in enumerate(_groups(tracer)):
        operations = [tracer.operations[i] for i in group]
        last = operations[-1]
        row_of |= dict.fromkeys(group, number)
        before = [i for op in operations for i in op.inputs if i not in group]
        parameters = {name for op in operations for name in op.parameters} - counted
        counted |= parameters
        name, kind = _named(tracer.calls[last.call], operations, _is_one(tracer, last.call))
        names[name] = names.get(name, 0) + 1
        yield Row(
            name=name if names[name] == 1 else f"{name}#{names[name]}",
            kind=kind,
            detail=next(filter(None, (op.detail for op in operations)), ""),
            shape=last.shape[1:] if last.shape[:1] == (1,) else last.shape,
            parameters=sum(sizes[name] for name in parameters),
            multiply_adds=sum(op.multiply_adds for op in operations),
            memory=4 * math.prod(last.shape) if any(op.memory for op in operations) else 0,
            field=last.field,
            inputs=tuple(dict.fromkeys(row_of[i] for i in before)),
            weighted=any(op.weighted for op in operations),
            rounding=next(
                (operation.rounding for operation in operations if operation.rounding), ""
            ),
        )


def _groups(tracer: Tracer) -> Iterator[list[int]]:
    group: list[int] = []
    for i, operation in enumerate(tracer.operations):
        together = group and tracer.operations[group[-1]].call == operation.call
        if together and _is_one(tracer, operation.call):
            group.append(i)
            continue
        if group:
            yield group
        group = [i]
    if group:
        yield group


def _is_one(tracer: Tracer, call: int) -> bool:
    """Whether a call is one row: torch's own layers, and modules of at most one weighted operation
    with no modules inside."""
    module = tracer.calls[call].module
    if is_layer(module):
        return True
    if call == 0 or list(module.children()):
        return False
    return sum(op.weighted for op in tracer.operations if op.call == call) <= 1


def _named(call: Call, operations: Sequence[Operation], one: bool) -> tuple[str, str]:
    if one:
        kind = type(call.module).__name__
        return call.path or kind, kind
    [operation] = operations
    kind = KINDS.get(operation.name, operation.name)
    if kind.endswith("convolution"):
        kind = f"conv{len(operation.shape) - 2}d"
    kind = kind.removeprefix("_").removeprefix("native_")
    return f"{call.path}.{kind}" if call.path else kind, kind
