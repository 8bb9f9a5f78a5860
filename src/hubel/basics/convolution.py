"""Convolution and pooling as a matrix product, and their backward passes, written to be read.

What networks call convolution is cross-correlation: the filter is not mirrored. Every window of
the input is laid out as a column (im2col; Chellapilla et al. 2006), every filter as a row, and the
layer is rows times columns. Backwards, columns are added back to where they came from (col2im).

This is the executable definition, for tests and lessons. Training uses torch's own, which give the
same numbers sooner. In the comments: N pictures of C channels, K filters in G groups, of F = Fh·Fw
weights for each channel they see, at L = H'·W' positions. Sizes are rounded down as torch's are;
`hubel.basics.arithmetic` refuses to.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from hubel.basics.arithmetic import output_size, transposed_size
from hubel.mistakes import Mistake, unknown

Pair = int | tuple[int, int]  # (down, across), or one number for both


class Window(NamedTuple):
    """Where a filter goes: its size, stride, padding and dilation, each (down, across)."""

    filter: tuple[int, int]
    stride: tuple[int, int]
    pad: tuple[int, int]
    dilation: tuple[int, int]


class Gradients(NamedTuple):
    """Of a loss, with respect to a layer's input, weights and biases, each in its shape."""

    input: Tensor
    weight: Tensor
    bias: Tensor


class Pooling(NamedTuple):
    """A way to pool: what stands in the padding, columns → values, and back.

    reduce: columns (N, C, F, L) → (N, C, L). share: gradients (N, C, L) and those columns →
    gradients of the columns.
    """

    fill: float
    reduce: Callable[[Tensor], Tensor]
    share: Callable[[Tensor, Tensor], Tensor]


def convolution(x: Tensor, weight: Tensor, bias: Tensor | None = None, *, stride: Pair = 1,
                pad: Pair = 0, dilation: Pair = 1, groups: int = 1) -> Tensor:  # fmt: skip
    """y[n, k, i, j] = b[k] + Σ w[k, c, p, q] · x[n, c, S·i + D·p − P, S·j + D·q − P].

    x (N, C, H, W), weight (K, C/G, Fh, Fw), bias (K,) → (N, K, H', W'). Outside of x are zeros.
    Raises Mistake where shapes do not belong together, or the filter is larger than the input.
    """
    window = windowed(weight.shape[2:], stride, pad, dilation)
    _check(x, weight, groups)
    columns = im2col(x, window)  # (N, C, Fh, Fw, H', W')
    down, across = columns.shape[-2:]
    # (G, K/G, C/G·F) @ (N, G, C/G·F, L) → (N, G, K/G, L)
    y = _rows(weight, groups) @ _columns(columns, groups)
    y = y.reshape(len(x), len(weight), down, across)  # (N, K, H', W')
    return y if bias is None else y + bias[:, None, None]


def convolution_backward(gradient: Tensor, x: Tensor, weight: Tensor, *, stride: Pair = 1,
                         pad: Pair = 0, dilation: Pair = 1,
                         groups: int = 1) -> Gradients:  # fmt: skip
    """From the loss's gradient at y (N, K, H', W') to those at x, weight and bias.

    y = W·columns, so that dW = dy·columnsᵀ, and dcolumns = Wᵀ·dy, which col2im adds up at x.
    """
    window = windowed(weight.shape[2:], stride, pad, dilation)
    _check(x, weight, groups)
    _, _, height, width = x.shape
    columns = im2col(x, window)  # (N, C, Fh, Fw, H', W')
    _expect(gradient, (len(x), len(weight), *columns.shape[-2:]))
    dy = _columns(gradient, groups)  # (N, G, K/G, L)
    dw = (dy @ _columns(columns, groups).mT).sum(0)  # (G, K/G, C/G·F), over the pictures
    dcolumns = _rows(weight, groups).mT @ dy  # (N, G, C/G·F, L)
    return Gradients(
        col2im(dcolumns.reshape(columns.shape), window, (height, width)),
        dw.reshape(weight.shape),
        gradient.sum((0, 2, 3)),  # a bias is added at every position of every picture
    )


def transposed_convolution(x: Tensor, weight: Tensor, bias: Tensor | None = None, *,
                           stride: Pair = 1, pad: Pair = 0, output_pad: Pair = 0,
                           dilation: Pair = 1, groups: int = 1) -> Tensor:  # fmt: skip
    """What takes a convolution's dy to its dx, as a layer of its own: every pixel paints a filter.

    x (N, C, H, W), weight (C, K/G, Fh, Fw), bias (K,) → (N, K, H', W'), of `transposed_size`.
    "Deconvolution" is a misnomer: it does not undo a convolution.
    """
    window = windowed(weight.shape[2:], stride, pad, dilation)
    if groups < 1 or x.ndim != 4 or x.shape[1] != len(weight) or len(weight) % groups:
        raise _misfit(x, weight, groups)
    made = [
        transposed_size(n, f, stride=s, pad=p, output_pad=o, dilation=d)
        for n, f, s, p, d, o in zip(x.shape[2:], *window, _pair(output_pad), strict=True)
    ]
    columns = _rows(weight, groups).mT @ _columns(x, groups)  # (N, G, K/G·F, H·W)
    k = weight.shape[1] * groups
    columns = columns.reshape(len(x), k, *window.filter, *x.shape[2:])  # (N, K, Fh, Fw, H, W)
    y = col2im(columns, window, (made[0], made[1]))  # (N, K, H', W')
    return y if bias is None else y + bias[:, None, None]


def transposed_backward(gradient: Tensor, x: Tensor, weight: Tensor, *, stride: Pair = 1,
                        pad: Pair = 0, dilation: Pair = 1,
                        groups: int = 1) -> Gradients:  # fmt: skip
    """The same with roles exchanged: dx is the convolution of dy, and dW that convolution's own.

    The output's padding need not be told: it is in the shape of the gradient (N, K, H', W').
    """
    dx = convolution(
        gradient, weight, stride=stride, pad=pad, dilation=dilation, groups=groups
    )  # (N, C, H, W)
    _expect(x, tuple(dx.shape))
    as_if = convolution_backward(
        x, gradient, weight, stride=stride, pad=pad, dilation=dilation, groups=groups
    )
    return Gradients(dx, as_if.weight, gradient.sum((0, 2, 3)))


def pool(x: Tensor, filter: Pair, *, kind: str = "max", stride: Pair | None = None, pad: Pair = 0,
         dilation: Pair = 1) -> Tensor:  # fmt: skip
    """The maximum, average or sum of every window: (N, C, H, W) → (N, C, H', W').

    stride: the filter's size unless told, so that windows do not overlap. Padding counts as zeros
    in sums and averages and never is the maximum. Raises Mistake for an unknown kind, and for a
    padding of more than half a filter, which a window could disappear in.
    """
    rule, window = _pooling(kind, filter, stride, pad, dilation)
    columns = im2col(x, window, fill=rule.fill)  # (N, C, Fh, Fw, H', W')
    y = rule.reduce(columns.flatten(4).flatten(2, 3))  # (N, C, F, L) → (N, C, L)
    return y.reshape(*x.shape[:2], *columns.shape[-2:])


def pool_backward(gradient: Tensor, x: Tensor, filter: Pair, *, kind: str = "max",
                  stride: Pair | None = None, pad: Pair = 0,
                  dilation: Pair = 1) -> Tensor:  # fmt: skip
    """From the loss's gradient at the pooled values (N, C, H', W') to that at x.

    A maximum passes it on to the pixel that was the largest, the first of equals, as torch does.
    """
    rule, window = _pooling(kind, filter, stride, pad, dilation)
    columns = im2col(x, window, fill=rule.fill)
    _expect(gradient, (*x.shape[:2], *columns.shape[-2:]))
    dcolumns = rule.share(gradient.flatten(2), columns.flatten(4).flatten(2, 3))  # (N, C, F, L)
    return col2im(dcolumns.reshape(columns.shape), window, (x.shape[2], x.shape[3]))


def im2col(x: Tensor, window: Window, *, fill: float = 0.0) -> Tensor:
    """Every window of x (N, C, H, W), by its place: (N, C, Fh, Fw, H', W')."""
    (fh, fw), (ph, pw) = window.filter, window.pad
    down, across = positions(window, x.shape[2], x.shape[3])
    padded = F.pad(x, (pw, pw, ph, ph), value=fill)  # (N, C, H + 2Ph, W + 2Pw)
    columns = x.new_empty(*x.shape[:2], fh, fw, down, across)
    for p in range(fh):
        for q in range(fw):
            rows, places = _met(p, q, window, down, across)
            columns[:, :, p, q] = padded[:, :, rows, places]  # (N, C, H', W')
    return columns


def col2im(columns: Tensor, window: Window, size: tuple[int, int]) -> Tensor:
    """im2col's transpose: (N, C, Fh, Fw, H', W') added up at their places in (N, C, *size)."""
    (fh, fw), (ph, pw) = window.filter, window.pad
    (height, width), (down, across) = size, columns.shape[-2:]
    padded = columns.new_zeros(*columns.shape[:2], height + 2 * ph, width + 2 * pw)
    for p in range(fh):
        for q in range(fw):
            rows, places = _met(p, q, window, down, across)
            padded[:, :, rows, places] += columns[:, :, p, q]  # windows may overlap: a sum
    return padded[:, :, ph : ph + height, pw : pw + width]  # what fell on padding is lost


def windowed(filter: Pair | torch.Size, stride: Pair, pad: Pair, dilation: Pair) -> Window:
    """A Window of these, each one number or (down, across)."""
    return Window(_pair(filter), _pair(stride), _pair(pad), _pair(dilation))


def positions(window: Window, height: int, width: int) -> tuple[int, int]:
    """(H', W') for an input of H × W, rounded down. Raises Mistake if there is no position."""
    down, across = (
        int(output_size(n, f, stride=s, pad=p, dilation=d) // 1)
        for n, f, s, p, d in zip((height, width), *window, strict=True)
    )
    if down < 1 or across < 1:
        (fh, fw), _, (ph, pw), _ = window
        raise Mistake(
            f"A filter of {fh}×{fw} does not fit in {height}×{width} with padding {ph}, {pw}."
        )
    return down, across


def _met(p: int, q: int, window: Window, down: int, across: int) -> tuple[slice, slice]:
    """The rows and columns of the padded input that the weight (p, q) meets, window by window."""
    (sh, sw), (dh, dw) = window.stride, window.dilation
    top, left = dh * p, dw * q
    return (
        slice(top, top + sh * (down - 1) + 1, sh),
        slice(left, left + sw * (across - 1) + 1, sw),
    )


def _share_to_the_largest(gradient: Tensor, columns: Tensor) -> Tensor:
    largest = columns.argmax(2, keepdim=True)  # (N, C, 1, L)
    return torch.zeros_like(columns).scatter(2, largest, gradient[:, :, None])


def _share_to_all(gradient: Tensor, columns: Tensor) -> Tensor:
    return gradient[:, :, None].expand_as(columns)


POOLINGS: dict[str, Pooling] = {
    "max": Pooling(-torch.inf, lambda columns: columns.amax(2), _share_to_the_largest),
    "sum": Pooling(0.0, lambda columns: columns.sum(2), _share_to_all),
    "average": Pooling(
        0.0,
        lambda columns: columns.sum(2) / columns.shape[2],
        lambda gradient, columns: _share_to_all(gradient, columns) / columns.shape[2],
    ),
}


def _pooling(
    kind: str, filter: Pair, stride: Pair | None, pad: Pair, dilation: Pair
) -> tuple[Pooling, Window]:
    if kind not in POOLINGS:
        raise unknown("pooling", kind, POOLINGS)
    window = windowed(filter, filter if stride is None else stride, pad, dilation)
    for f, p in zip(window.filter, window.pad, strict=True):
        if 2 * p > f:
            raise Mistake(f"Padding is at most half the filter of {f} when pooling, not {p}.")
    return POOLINGS[kind], window


def _rows(weight: Tensor, groups: int) -> Tensor:
    """Filters as rows: (K, C/G, Fh, Fw) → (G, K/G, C/G·F)."""
    return weight.reshape(groups, len(weight) // groups, weight[0].numel())


def _columns(x: Tensor, groups: int) -> Tensor:
    """(N, C, …, H', W') → (N, G, C/G·…, L), also of an empty batch, which −1 would leave open."""
    n, c, *between, down, across = x.shape
    rows = c // groups
    for size in between:
        rows *= size
    return x.reshape(n, groups, rows, down * across)


def _pair(value: Pair | torch.Size) -> tuple[int, int]:
    if isinstance(value, int):
        return value, value
    if len(value) != 2:
        raise Mistake(f"One number, or two (down, across), not {tuple(value)}.")
    return value[0], value[1]


def _check(x: Tensor, weight: Tensor, groups: int) -> None:
    wrong = groups < 1 or x.ndim != 4 or x.shape[1] != weight.shape[1] * groups
    if wrong or len(weight) % groups:
        raise _misfit(x, weight, groups)


def _misfit(x: Tensor, weight: Tensor, groups: int) -> Mistake:
    return Mistake(
        "An input (N, C, H, W) needs weights for its C channels that the groups divide; found "
        f"input {tuple(x.shape)}, weights {tuple(weight.shape)}, groups {groups}."
    )


def _expect(tensor: Tensor, shape: tuple[int, ...]) -> None:
    if tensor.shape != shape:
        raise Mistake(f"Expected shape {shape} here, found {tuple(tensor.shape)}.")
