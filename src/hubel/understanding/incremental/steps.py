"""Which operations can be computed in a box, read off aten's own arguments.

Each rule looks at one operation of a traced network and says how a change spreads through it, or
None where it cannot: then the operation is computed on whole maps.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from hubel.understanding.incremental import winograd
from hubel.understanding.incremental.geometry import Sliding

aten = torch.ops.aten


@dataclass(frozen=True)
class Ref:
    """Among an operation's arguments: the result of an earlier step."""

    step: int


@dataclass(frozen=True)
class Batch:
    """Among an operation's arguments: the number of pictures, so many times."""

    times: int = 1


@dataclass(frozen=True)
class Alike:
    """Among an operation's arguments: a tensor with the same row (1, …) for every picture."""

    row: Tensor


@dataclass(frozen=True)
class Picture:
    """The input itself."""


@dataclass(frozen=True)
class Slides:
    """A window slides: convolution, pooling. windowed: the operation without its padding.

    border: the value of the padding.
    """

    rows: Sliding
    columns: Sliding
    border: float
    windowed: Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Pointwise:
    """Each place by itself: activations, sums, norms, concatenation."""


@dataclass(frozen=True)
class Pads:
    """A border around the maps: what was in them moves down and to the right."""

    top: int
    left: int


@dataclass(frozen=True)
class Means:
    """The mean of each map."""


@dataclass(frozen=True)
class Whole:
    """Anything else: from whole maps."""


Spread = Picture | Slides | Pointwise | Pads | Means | Whole  # how a change goes through a step


@dataclass(frozen=True)
class Step:
    """One operation of a network on the picture.

    target: called with arguments and options, in which Refs stand for earlier results. shape: the
    output's for one picture. multiply_adds: of one picture, on whole maps.
    """

    name: str
    target: Callable[..., Any]
    arguments: tuple[Any, ...]
    options: Mapping[str, Any]
    shape: tuple[int, ...]
    inputs: tuple[int, ...]
    spread: Spread
    multiply_adds: int = 0

    @property
    def is_map(self) -> bool:
        return is_map(self.shape)


def is_map(shape: Sequence[int]) -> bool:
    """Whether a tensor has places: (N, C, H, W) with more than one of them."""
    return len(shape) == 4 and math.prod(shape[2:]) > 1


@dataclass(frozen=True)
class Operation:
    """An operation as traced: its arguments by the schema's names, and every step's shape."""

    arguments: Mapping[str, Any]
    shape: tuple[int, ...]
    shapes: Sequence[tuple[int, ...]]

    def map_of(self, name: str) -> tuple[int, ...] | None:
        """The shape of a map that is the argument of that name."""
        value = self.arguments[name]
        shape = self.shapes[value.step] if isinstance(value, Ref) else ()
        return shape if is_map(shape) else None


Rule = Callable[[Operation], Spread | None]


def convolution(op: Operation) -> Spread | None:
    given, before = op.arguments, op.map_of("input")
    plain = isinstance(given["weight"], Tensor) and not isinstance(given["bias"], Ref)
    if before is None or not plain or given["transposed"]:
        return None
    weight, bias, stride = given["weight"], given["bias"], pair(given["stride"])
    dilation, groups = pair(given["dilation"]), given["groups"]
    sides = _sliding(op, before, weight.shape[2:], stride, pair(given["padding"]), dilation)
    none = (0, 0)
    return Slides(
        *sides, 0.0,
        lambda x: winograd.convolution(
            x, weight, bias, stride, none, dilation, False, none, groups
        ),
    )  # fmt: skip


def max_pool(op: Operation) -> Spread | None:
    given, before = op.arguments, op.map_of("self")
    if before is None:
        return None
    kernel, dilation = pair(given["kernel_size"]), pair(given["dilation"])
    stride = pair(given["stride"] or kernel)
    sides = _sliding(op, before, kernel, stride, pair(given["padding"]), dilation)
    return Slides(*sides, -math.inf, lambda x: F.max_pool2d(x, kernel, stride, 0, dilation))


def average_pool(op: Operation) -> Spread | None:
    """Where every window counts the same number of places, padding among them."""
    given, before = op.arguments, op.map_of("self")
    if before is None:
        return None
    kernel, padding = pair(given["kernel_size"]), pair(given["padding"])
    stride, divisor = pair(given["stride"] or kernel), given["divisor_override"]
    rows, columns = _sliding(op, before, kernel, stride, padding, (1, 1))
    cut = any(
        (side.output - 1) * side.stride + side.kernel > side.size + 2 * side.before
        for side in (rows, columns)
    )
    if cut or (any(padding) and not given["count_include_pad"] and not divisor):
        return None
    return Slides(
        rows, columns, 0.0, lambda x: F.avg_pool2d(x, kernel, stride, divisor_override=divisor)
    )


def adaptive_pool(op: Operation) -> Spread | None:
    """Where the maps divide evenly: a plain average pooling."""
    before = op.map_of("self")
    if before is None or any(a % b for a, b in zip(before[2:], op.shape[2:], strict=True)):
        return None
    kernel = before[2] // op.shape[2], before[3] // op.shape[3]
    sides = _sliding(op, before, kernel, kernel, (0, 0), (1, 1))
    return Slides(*sides, 0.0, lambda x: F.avg_pool2d(x, kernel))


def _sliding(
    op: Operation,
    before: Sequence[int],
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
) -> tuple[Sliding, Sliding]:
    rows, columns = (
        Sliding(kernel[i], stride[i], dilation[i], padding[i], before[2 + i], op.shape[2 + i])
        for i in range(2)
    )
    return rows, columns


def pad(op: Operation) -> Spread | None:
    """Zeros or another value around the maps, never fewer rows or columns than before."""
    before, amounts = op.map_of("self"), op.arguments["pad"]
    if before is None or len(amounts) > 4 or min(amounts) < 0:
        return None
    left, _, top, _ = (*amounts, 0, 0)[:4]
    return Pads(top, left)


def mean(op: Operation) -> Spread | None:
    before, dims = op.map_of("self"), op.arguments["dim"]
    if before is None or sorted(dim % 4 for dim in dims or ()) != [2, 3]:
        return None
    return Means()


def concatenation(op: Operation) -> Spread | None:
    parts = op.arguments["tensors"]
    alike = all(isinstance(part, Ref) and is_map(op.shapes[part.step]) for part in parts)
    return Pointwise() if alike and op.arguments["dim"] % 4 == 1 else None


def channels(op: Operation) -> Spread | None:
    """Some of the channels."""
    if op.map_of("self") is None or op.arguments["dim"] % 4 != 1:
        return None
    return Pointwise()


def norm(op: Operation) -> Spread | None:
    """Batch normalisation by the statistics that it has learned: a scale and a shift by channel."""
    given = op.arguments
    names = ("weight", "bias", "running_mean", "running_var")
    if op.map_of("input") is None or any(isinstance(given[name], Ref) for name in names):
        return None
    return Pointwise()


def pointwise(op: Operation) -> Spread | None:
    """Of maps of one size, and of what is the same at every place and for every picture."""
    for value in op.arguments.values():
        if isinstance(value, Ref):
            shape = op.shapes[value.step]
            if not is_map(shape) or shape[2:] != op.shape[2:]:
                return None
        elif isinstance(value, Tensor | Alike):
            fixed = value.row if isinstance(value, Alike) else value
            if any(side != 1 for side in fixed.shape[-2:]):
                return None
    return Pointwise() if is_map(op.shape) else None


RULES: Mapping[Any, Rule] = {
    aten.convolution: convolution,
    aten.max_pool2d: max_pool,
    aten.avg_pool2d: average_pool,
    aten._adaptive_avg_pool2d: adaptive_pool,
    aten.constant_pad_nd: pad,
    aten.mean: mean,
    aten.cat: concatenation,
    aten.slice: channels,
    aten.narrow: channels,
    aten._native_batch_norm_legit_no_training: norm,
    aten.native_batch_norm: norm,
    aten.cudnn_batch_norm: norm,
    # of each place by itself, though torch does not mark them so
    aten.hardswish: pointwise,
    aten._prelu_kernel: pointwise,
}


def spread(target: Any, op: Operation) -> Spread:
    """How a change spreads through an operation of aten."""
    rule = RULES.get(getattr(target, "overloadpacket", None))
    if rule is None and torch.Tag.pointwise in getattr(target, "tags", ()):
        rule = pointwise
    return (rule and rule(op)) or Whole()


def multiply_adds(target: Any, given: Sequence[Any], shape: Sequence[int]) -> int:
    """Of a convolution or a matrix product with weights, for an output of that shape; else 0."""
    packet = getattr(target, "overloadpacket", None)
    if packet is aten.convolution and not given[6]:
        return math.prod(shape) * int(math.prod(given[1].shape[1:]))
    if packet is aten.addmm and isinstance(given[2], Tensor):
        return math.prod(shape) * int(given[2].shape[0])
    if packet is aten.mm and isinstance(given[1], Tensor):
        return math.prod(shape) * int(given[1].shape[0])
    return 0


def pair(value: Any) -> tuple[int, int]:
    """One number, or a list of one or two, as two.

    >>> pair(3), pair([2]), pair((1, 2))
    ((3, 3), (2, 2), (1, 2))
    """
    numbers = [value] if isinstance(value, int) else list(value)
    return int(numbers[0]), int(numbers[-1])
