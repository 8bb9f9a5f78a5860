"""What a network does to one picture, operation by operation, as torch itself carries it out.

Functional, in-place and reused operations are seen as well as modules, because they are watched
where torch dispatches them; modules give the names.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry
from torch.utils.weak import WeakTensorKeyDictionary

from hubel.basics.dispatch import Watching
from hubel.basics.receptive_field import Field, picture, union, whole
from hubel.basics.receptive_field_rules import RULES, Operand, after, linear
from hubel.basics.windows import described, rounding
from hubel.twins import around

PICTURE = -1  # as the producer of a tensor: the picture itself
# they hand a tensor on as it is
NOTHING = frozenset({"detach", "alias", "lift_fresh", "_to_copy", "contiguous"})
RESHAPING = frozenset({"view", "_unsafe_view", "expand", "slice"})  # nothing where the shape stays


@dataclass(frozen=True)
class Call:
    """One call of a module: its path, how often it was called by then, operations before it."""

    path: str
    module: nn.Module
    time: int
    before: int


@dataclass(frozen=True)
class Operation:
    """One operation that the picture reached, or one module that handed it on unchanged.

    call: index of the innermost call it ran in. inputs: indices of the operations whose results it
    takes, PICTURE for the picture. parameters: names of those it uses, however prepared. weighted:
    whether it multiplies by them (convolution, matrix product). memory: bytes that its output
    takes in float32, 0 where it lies in its input's.
    """

    call: int
    name: str
    inputs: tuple[int, ...]
    shape: tuple[int, ...]
    field: Field
    parameters: frozenset[str] = frozenset()
    multiply_adds: int = 0
    weighted: bool = False
    memory: int = 0
    detail: str = ""
    rounding: str = ""


@dataclass(frozen=True)
class _Value:
    producer: int
    field: Field


class Tracer(Watching):
    """Inside `with`, records in `operations` and `calls` what becomes of a picture."""

    def __init__(self, network: nn.Module, pixels: Tensor) -> None:
        super().__init__()
        self.network = network
        self.operations: list[Operation] = []
        self.calls: list[Call] = [Call("", network, 1, 0)]
        self.times: Counter[str] = Counter()
        self.stack: list[int] = [0]  # calls that have not come back
        self.given: dict[int, tuple[int, ...]] = {}  # the shape that a call was given
        self.fields: dict[int, Field | None] = {}  # and its field
        self.values: MutableMapping[Tensor, _Value | None] = WeakTensorKeyDictionary()
        # tensors made of parameters alone → their names
        self.sources: MutableMapping[Tensor, frozenset[str]] = WeakTensorKeyDictionary()
        self.values[pixels] = _Value(PICTURE, picture(*pixels.shape[-2:]))
        for name, parameter in network.named_parameters():
            self.sources[parameter] = frozenset({name})

    def __torch_dispatch__(
        self, func: Any, _types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:  # the signature is torch's
        result = func(*args, **(kwargs or {}))
        arguments = _bound(func, args, kwargs or {})
        given = [
            (key, leaf)
            for key, value in arguments.items()
            for leaf in tree_leaves(value)
            if isinstance(leaf, Tensor)
        ]
        name, written = _named(func), _written(func, arguments)
        if name == "copy":  # what stood there before is gone
            given = [(key, tensor) for key, tensor in given if key != "self"]
        outputs = [leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]
        parameters = frozenset[str]().union(*(self._source(tensor) for _, tensor in given))
        by_shape_alone = name.startswith("new_") or name.endswith("_like")
        operands = [row for row in given if self.values.get(row[1]) is not None]
        if operands and outputs and not by_shape_alone:
            self._record(func, name, arguments, given, operands, outputs, parameters)
            self._spread(written)
            return result
        for tensor in (*outputs, *written):
            if parameters and not by_shape_alone:
                self.sources[tensor] = parameters
            self.values.setdefault(tensor, None)  # it may be written to later
        return result

    def _record(
        self,
        func: Any,
        name: str,
        arguments: Mapping[str, Any],
        given: Sequence[tuple[str, Tensor]],
        operands: Sequence[tuple[str, Tensor]],
        outputs: Sequence[Tensor],
        parameters: frozenset[str],
    ) -> None:
        values = [value for _, tensor in operands if (value := self.values[tensor])]
        seen = [
            Operand(key, tuple(tensor.shape), value.field)
            for (key, tensor), value in zip(operands, values, strict=True)
        ]
        shape = tuple(outputs[0].shape)
        rule = "pointwise" if name not in RULES and torch.Tag.pointwise in func.tags else name
        field = after(rule, seen, shape, arguments)
        producers = tuple(dict.fromkeys(value.producer for value in values))
        idle = name in NOTHING or (name in RESHAPING and shape == seen[0].shape)
        if not (idle and len(producers) == 1):
            count = flop_registry.get(func.overloadpacket)
            products = count(*_positional(func, arguments), out_val=outputs[0]) // 2 if count else 0
            own = {id(tensor) for _, tensor in operands}
            weights = [t for _, t in given if id(t) not in own and t.ndim > 1 and self._source(t)]
            storages = {tensor.untyped_storage()._cdata for _, tensor in given}
            fresh = outputs[0].untyped_storage()._cdata not in storages
            self.operations.append(
                Operation(
                    call=self.stack[-1],
                    name=name,
                    inputs=producers,
                    shape=shape,
                    field=field,
                    parameters=parameters,
                    multiply_adds=products,
                    weighted=bool(count and weights),
                    memory=4 * outputs[0].numel() if fresh else 0,
                    detail=described(name, arguments),
                    rounding=rounding(name, arguments, seen[0].shape, shape),
                )
            )
            producers = (len(self.operations) - 1,)
        for tensor in outputs:
            alike = tensor.ndim == len(shape)
            self.values[tensor] = _Value(producers[0], field if alike else _all_of(field, shape))

    def _spread(self, written: Sequence[Tensor]) -> None:
        """What was written into a tensor is in all others that share its memory."""
        for tensor in written:
            new, storage = self.values[tensor], tensor.untyped_storage()._cdata
            for other in list(self.values):
                if new is None or other is tensor or other.untyped_storage()._cdata != storage:
                    continue
                old, field = self.values[other], new.field
                if not _same_planes(tensor, other):
                    field = _all_of(field, tensor.shape)
                if old is not None:
                    height, width = (
                        union(pair, other.shape) for pair in zip(old.field, field, strict=True)
                    )
                    field = Field(height, width)
                self.values[other] = _Value(new.producer, field)

    def _source(self, tensor: Tensor) -> frozenset[str]:
        return self.sources.get(tensor, frozenset())

    def enter(self, path: str, module: nn.Module, inputs: Any) -> None:
        self.times[path] += 1
        self.calls.append(Call(path, module, self.times[path], len(self.operations)))
        self.stack.append(len(self.calls) - 1)
        first = next((leaf for leaf in tree_leaves(inputs) if isinstance(leaf, Tensor)), None)
        if first is not None:
            self.given[self.stack[-1]] = tuple(first.shape)
            known = self.values.get(first)
            self.fields[self.stack[-1]] = None if known is None else known.field

    def leave(self, output: Any) -> None:
        call = self.stack.pop()
        module = self.calls[call].module
        value = self.values.get(output) if isinstance(output, Tensor) else None
        before = self.fields.get(call)
        if value is not None and before is not None and isinstance(module, nn.Linear):
            # torch lays all places in one row for it, where they are not to be followed
            height, width = (linear(axis, self.given[call]) for axis in before)
            self.values[output] = value = replace(value, field=Field(height, width))
            last = self.operations[value.producer]
            self.operations[value.producer] = replace(last, field=value.field)
        done = len(self.operations) > self.calls[call].before
        if value is None or done or not is_layer(module) or isinstance(module, nn.Identity):
            return
        # a layer that hands its input on: dropout in evaluation, flattening what is flat
        shape = tuple(output.shape)
        self.operations.append(Operation(call, "", (value.producer,), shape, value.field))
        self.values[output] = _Value(len(self.operations) - 1, value.field)


@contextmanager
def watching(network: nn.Module, tracer: Tracer) -> Iterator[None]:
    """The tracer is told of every module's calls in this thread, until the block ends."""
    inner = [(path, module) for path, module in network.named_modules() if module is not network]
    before = [
        (module, lambda *given, path=path, module=module: tracer.enter(path, module, given))
        for path, module in inner
    ]
    with around(before, [(module, tracer.leave) for _, module in inner]), tracer:
        yield


def is_layer(module: nn.Module) -> bool:
    """Whether it is one of torch's own layers, with nothing inside."""
    return type(module).__module__.startswith("torch.nn.") and not list(module.children())


def _all_of(field: Field, shape: Sequence[int]) -> Field:
    """For tensors of which it is not known where in another, of that shape, their units stand."""
    height, width = (whole(axis, shape, exact=False) for axis in field)
    return Field(height, width)


def _same_planes(a: Tensor, b: Tensor) -> bool:
    """Whether two views of one memory are whole planes of it: equal positions, equal pixels."""
    if a.ndim != 4 or b.ndim != 4 or a.shape[2:] != b.shape[2:] or a.stride() != b.stride():
        return False
    return (a.storage_offset() - b.storage_offset()) % max(a.stride(1), 1) == 0


def _named(func: Any) -> str:
    """aten's name, without overload and without the mark of in-place operations."""
    namespace, name = func._schema.name.split("::")
    if namespace != "aten":
        return f"{namespace}::{name}"
    return str(name.rstrip("_") if func._schema.is_mutable else name)


def _bound(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments by the names of the schema, defaults included."""
    rows = func._schema.arguments
    found = {row.name: row.default_value for row in rows if row.has_default_value()}
    return found | {row.name: value for row, value in zip(rows, args, strict=False)} | dict(kwargs)


def _positional(func: Any, arguments: Mapping[str, Any]) -> list[Any]:
    return [arguments[row.name] for row in func._schema.arguments if not row.kwarg_only]


def _written(func: Any, arguments: Mapping[str, Any]) -> list[Tensor]:
    """The tensors that an in-place operation changes."""
    if not func._schema.is_mutable:
        return []
    rows = [row for row in func._schema.arguments if row.alias_info and row.alias_info.is_write]
    leaves = [leaf for row in rows for leaf in tree_leaves(arguments.get(row.name))]
    return [leaf for leaf in leaves if isinstance(leaf, Tensor)]
