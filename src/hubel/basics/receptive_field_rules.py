"""What each operation of torch does to a receptive field: a rule for each kind, in one table."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any, NamedTuple

from hubel.basics.receptive_field import Axis, Field, Shape, strided, union, whole
from hubel.basics.windows import windows


class Operand(NamedTuple):
    """A tensor that an operation is given: the argument's name, its shape, its field."""

    argument: str
    shape: tuple[int, ...]
    field: Field


Arguments = Mapping[str, Any]
Rule = Callable[[Axis, Operand, Shape, Arguments], Axis]  # (…, the output's shape, arguments)


def after(name: str, operands: Sequence[Operand], out: Shape, arguments: Arguments) -> Field:
    """The field behind the operation `name` of torch's aten, whose output has the shape `out`.

    arguments: the operation's, by the names of its schema. An operation without a rule is taken
    to let every unit see all that its operands see; its field is a bound.
    """
    rule = RULES.get(name, unknown)
    axes = [[rule(axis, operand, out, arguments) for axis in operand.field] for operand in operands]
    height, width = (union(sides, out) for sides in zip(*axes, strict=True))
    return Field(height, width)


def unknown(axis: Axis, given: Operand, _out: Shape, _args: Arguments) -> Axis:
    return whole(axis, given.shape, exact=False)


def same(axis: Axis, _given: Operand, _out: Shape, _args: Arguments) -> Axis:
    return axis


def pointwise(axis: Axis, given: Operand, out: Shape, _args: Arguments) -> Axis:
    """Unit by unit, with broadcasting: dimensions are counted from the last."""
    if axis.dim is None:
        return axis
    dim = axis.dim + len(out) - len(given.shape)
    if given.shape[axis.dim] != out[dim]:
        return whole(axis, given.shape)
    return replace(axis, dim=dim)


def convolution(axis: Axis, given: Operand, _out: Shape, args: Arguments) -> Axis:
    dim = axis.dim
    if dim is None or dim == 0:
        return axis
    if given.argument != "input" or dim == 1:
        return whole(axis, given.shape)
    row = windows("convolution", args)[dim - 2]
    reach = row.dilation * (row.size - 1)
    if args.get("transposed"):  # unit i goes to i·stride − padding + k·dilation for every k
        step, last = Fraction(1, row.stride), Fraction(row.padding, row.stride)
        return strided(axis, step, last - reach * step, last, exact=row.stride == 1)
    return strided(axis, row.stride, -row.padding, reach - row.padding)


def pooling(axis: Axis, given: Operand, _out: Shape, args: Arguments) -> Axis:
    rows = windows("pool", args)
    i = None if axis.dim is None else axis.dim - (len(given.shape) - len(rows))
    if i is None or i < 0:
        return axis
    row = rows[i]
    return strided(axis, row.stride, -row.padding, row.dilation * (row.size - 1) - row.padding)


def adaptive(axis: Axis, given: Operand, out: Shape, _args: Arguments) -> Axis:
    """Windows that share a side out evenly, where it divides; else all of it, as a bound."""
    if axis.dim is None or out[axis.dim] == given.shape[axis.dim]:
        return axis
    before, behind = given.shape[axis.dim], out[axis.dim]
    if before % behind:
        return whole(axis, given.shape, exact=False)
    size = before // behind
    return strided(axis, size, 0, size - 1) if behind > 1 else whole(axis, given.shape)


def padding(axis: Axis, given: Operand, _out: Shape, args: Arguments) -> Axis:
    """pad: (before, behind) of the last dimension, then of the one before it, …"""
    pad = args["pad"] if "pad" in args else args["padding"]
    i = None if axis.dim is None else 2 * (len(given.shape) - 1 - axis.dim)
    return axis if i is None or i >= len(pad) else strided(axis, 1, -pad[i], -pad[i])


def sliced(axis: Axis, given: Operand, _out: Shape, args: Arguments) -> Axis:
    if axis.dim is None or axis.dim != _dim(args["dim"], given):
        return axis
    side = given.shape[axis.dim]
    start = args["start"] or 0
    start = min(max(start + side if start < 0 else start, 0), side)
    return strided(axis, args["step"], start, start)


def selected(axis: Axis, given: Operand, _out: Shape, args: Arguments) -> Axis:
    if axis.dim is None:
        return axis
    dim = _dim(args["dim"], given)
    if axis.dim == dim:
        i = args["index"] % given.shape[dim]
        return Axis(None, 0, axis.low + i * axis.jump, axis.high + i * axis.jump, axis.exact)
    return replace(axis, dim=axis.dim - (dim < axis.dim))


def flipped(axis: Axis, given: Operand, _out: Shape, args: Arguments) -> Axis:
    if axis.dim is None or axis.dim not in {_dim(dim, given) for dim in args["dims"]}:
        return axis
    last = given.shape[axis.dim] - 1
    return strided(axis, -1, last, last)


def across(axis: Axis, given: Operand, out: Shape, args: Arguments) -> Axis:
    """Over some dimensions whole (sums, means, maxima, softmax, …), unit by unit else."""
    if axis.dim is None:
        return axis
    dims = _dims(args.get("dim"), given)
    if axis.dim in dims:
        return whole(axis, given.shape)
    gone = len(given.shape) - len(out)
    return replace(axis, dim=axis.dim - (sum(dim < axis.dim for dim in dims) if gone else 0))


def apart(axis: Axis, given: Operand, out: Shape, args: Arguments) -> Axis:
    """Joined or parted along one dimension (cat, split, …): a bound there, unit by unit else."""
    behind = across(axis, given, out, args)
    return replace(behind, exact=False) if axis.dim != behind.dim is None else behind


def stacked(axis: Axis, given: Operand, _out: Shape, args: Arguments) -> Axis:
    """A new dimension comes in: stack, unsqueeze."""
    if axis.dim is None:
        return axis
    new = args["dim"] % (len(given.shape) + 1)
    return replace(axis, dim=axis.dim + (new <= axis.dim))


def squeezed(axis: Axis, given: Operand, _out: Shape, args: Arguments) -> Axis:
    if axis.dim is None:
        return axis
    gone = [dim for dim in _dims(args.get("dim"), given) if given.shape[dim] == 1]
    if axis.dim in gone:
        return whole(axis, given.shape)
    return replace(axis, dim=axis.dim - sum(dim < axis.dim for dim in gone))


def permuted(axis: Axis, given: Operand, _out: Shape, args: Arguments) -> Axis:
    if axis.dim is None:
        return axis
    order = list(range(len(given.shape)))
    if "dims" in args:
        order = [_dim(dim, given) for dim in args["dims"]]
    elif len(order) > 1:
        a, b = _dim(args.get("dim0", 0), given), _dim(args.get("dim1", 1), given)
        order[a], order[b] = b, a
    return replace(axis, dim=order.index(axis.dim))


def viewed(axis: Axis, given: Operand, out: Shape, _args: Arguments) -> Axis:
    """A dimension survives if as many numbers stand before it, and it is as long; else whole."""
    if axis.dim is None:
        return axis
    before, side = math.prod(given.shape[: axis.dim]), given.shape[axis.dim]
    for dim, length in enumerate(out):
        if length == side and math.prod(out[:dim]) == before:
            return replace(axis, dim=dim)
    return whole(axis, given.shape)


def product(axis: Axis, given: Operand, out: Shape, args: Arguments) -> Axis:
    """A matrix product: whole over the dimension that it sums over."""
    if given.argument == "self" and ("mat1" in args or "batch1" in args):
        return pointwise(axis, given, out, args)  # the summand of addmm
    last = len(given.shape) - 1
    summed = last - 1 if given.argument in ("mat2", "batch2") else last
    return whole(axis, given.shape) if axis.dim == summed else axis


def linear(axis: Axis, given: Shape) -> Axis:
    """A linear layer: over the last dimension whole, every place by itself else."""
    return whole(axis, given) if axis.dim == len(given) - 1 else axis


def normalised(axis: Axis, given: Operand, _out: Shape, args: Arguments) -> Axis:
    """Statistics of the batch see all of it; those that were kept, nothing new."""
    by_batch = args.get("training", False) or args.get("running_mean", 0) is None
    if given.argument not in ("input", "self"):
        return whole(axis, given.shape)
    return whole(axis, given.shape) if by_batch else axis


def layer_normalised(axis: Axis, given: Operand, _out: Shape, args: Arguments) -> Axis:
    over = len(given.shape) - len(args["normalized_shape"])
    return whole(axis, given.shape) if axis.dim is not None and axis.dim >= over else axis


def indexed(axis: Axis, given: Operand, _out: Shape, args: Arguments) -> Axis:
    """One list of indices along one other dimension (x[:, channels]); else a bound."""
    indices = args["indices"]
    places = [dim for dim, index in enumerate(indices) if index is not None]
    simple = len(places) == 1 and indices[places[0]].ndim == 1
    if given.argument == "self" and simple and axis.dim != places[0]:
        return axis
    return whole(axis, given.shape, exact=False)


def rearranged(axis: Axis, given: Operand, _out: Shape, args: Arguments) -> Axis:
    """pixel_shuffle and back: one unit becomes a square of them, or a square one unit."""
    if axis.dim is None or axis.dim < len(given.shape) - 2:
        return axis
    if "upscale_factor" in args:
        n = args["upscale_factor"]
        return strided(axis, Fraction(1, n), Fraction(1 - n, n), 0, exact=False)
    n = args["downscale_factor"]
    return strided(axis, n, 0, n - 1)


def enlarged(reach: int) -> Rule:
    """Interpolation from units up to `reach` away; a bound."""

    def rule(axis: Axis, given: Operand, out: Shape, args: Arguments) -> Axis:
        if axis.dim is None or axis.dim < 2:
            return axis
        before, behind = given.shape[axis.dim], out[axis.dim]
        if args.get("align_corners") or before < 2 or behind < 2:
            return whole(axis, given.shape, exact=False)
        step = Fraction(before, behind)
        middle = step / 2 - Fraction(1, 2)
        return strided(axis, step, middle - reach, middle + reach, exact=False)

    return rule


def _dim(dim: int, given: Operand) -> int:
    return dim % len(given.shape)


def _dims(dims: Sequence[int] | int | None, given: Operand) -> list[int]:
    if dims is None or dims == []:
        return list(range(len(given.shape)))
    return [_dim(dim, given) for dim in ([dims] if isinstance(dims, int) else dims)]


def _rows(rule: Rule, names: str) -> dict[str, Rule]:
    return dict.fromkeys(names.split(), rule)


# by the names of torch's aten, without overloads; what it tags as pointwise comes as "pointwise"
RULES: dict[str, Rule] = {
    **_rows(same, "clone alias detach _to_copy contiguous lift_fresh native_dropout"),
    **_rows(pointwise, "pointwise hardswish _prelu_kernel rrelu_with_noise expand copy"),
    **_rows(convolution, "convolution _convolution cudnn_convolution mkldnn_convolution"),
    **_rows(pooling, "max_pool2d max_pool2d_with_indices avg_pool2d avg_pool3d"),
    **_rows(adaptive, "_adaptive_avg_pool2d adaptive_avg_pool2d adaptive_max_pool2d"),
    **_rows(padding, "constant_pad_nd reflection_pad2d replication_pad2d"),
    **_rows(across, "mean sum prod amax amin max min var std var_mean any all argmax argmin"),
    **_rows(across, "linalg_vector_norm norm logsumexp _softmax _log_softmax _safe_softmax"),
    **_rows(apart, "cat split split_with_sizes unbind index_select cumsum sort"),
    **_rows(viewed, "view _unsafe_view reshape _reshape_alias"),
    **_rows(permuted, "permute transpose t"),
    **_rows(product, "mm addmm bmm baddbmm"),
    **_rows(normalised, "native_batch_norm _native_batch_norm_legit_no_training cudnn_batch_norm"),
    **_rows(rearranged, "pixel_shuffle pixel_unshuffle"),
    **_rows(enlarged(1), "upsample_nearest2d _upsample_nearest_exact2d"),
    **_rows(enlarged(2), "upsample_bilinear2d"),
    **_rows(enlarged(3), "upsample_bicubic2d"),
    "slice": sliced,
    "select": selected,
    "flip": flipped,
    "stack": stacked,
    "unsqueeze": stacked,
    "squeeze": squeezed,
    "index": indexed,
    "native_layer_norm": layer_normalised,
}
