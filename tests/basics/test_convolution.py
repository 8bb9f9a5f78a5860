"""Convolution and pooling as matrix products, against torch's own, and against the formula."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from hubel.basics.convolution import (
    col2im,
    convolution,
    convolution_backward,
    im2col,
    pool,
    pool_backward,
    transposed_backward,
    transposed_convolution,
    windowed,
)
from hubel.mistakes import Mistake

TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-12}
dtypes = st.sampled_from([torch.float32, torch.float64])
pair = st.tuples


def agree(ours: Tensor, theirs: Tensor) -> None:
    assert ours.shape == theirs.shape
    assert ours.dtype == theirs.dtype
    close = TOLERANCE[ours.dtype]
    scale = float(theirs.detach().abs().max()) if theirs.numel() else 1.0
    assert torch.allclose(ours, theirs, rtol=0, atol=close * max(1.0, scale))


@st.composite
def layers(draw: st.DrawFn) -> dict[str, Any]:
    """Any convolution that has at least one position, with an input, of 0 to 3 pictures."""
    down, across = st.integers(1, 3), st.integers(1, 3)
    shape = {
        "filter": draw(pair(st.integers(1, 4), st.integers(1, 4))),
        "stride": draw(pair(down, across)),
        "pad": draw(pair(st.integers(0, 3), st.integers(0, 3))),
        "dilation": draw(pair(down, across)),
    }
    size = [
        max(1, d * (f - 1) + 1 - 2 * p) + draw(st.integers(0, 5))
        for f, p, d in zip(shape["filter"], shape["pad"], shape["dilation"], strict=True)
    ]
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    return shape | {
        "n": draw(st.integers(0, 3)),
        "size": size,
        "groups": groups,
        "channels": groups * draw(st.integers(1, 2)),
        "filters": groups * draw(st.integers(1, 2)),
        "dtype": draw(dtypes),
        "seed": draw(st.integers(0, 2**31)),
    }


def tensors(layer: dict[str, Any], *shapes: tuple[int, ...]) -> list[Tensor]:
    generator = torch.Generator().manual_seed(layer["seed"])
    return [
        torch.randn(shape, generator=generator, dtype=layer["dtype"]).requires_grad_()
        for shape in shapes
    ]


@given(layers())
@settings(max_examples=60)
def test_convolution_and_its_gradients_are_torchs(layer: dict[str, Any]) -> None:
    n, c, k, g = (layer[key] for key in ("n", "channels", "filters", "groups"))
    x, w, b = tensors(layer, (n, c, *layer["size"]), (k, c // g, *layer["filter"]), (k,))
    how = {"stride": layer["stride"], "dilation": layer["dilation"], "groups": g}
    theirs = F.conv2d(x, w, b, padding=layer["pad"], **how)
    agree(convolution(x, w, b, pad=layer["pad"], **how), theirs)
    dy = torch.randn_like(theirs)
    expected = torch.autograd.grad(theirs, (x, w, b), dy)
    found = convolution_backward(dy, x.detach(), w.detach(), pad=layer["pad"], **how)
    for ours, torchs in zip(found, expected, strict=True):
        agree(ours, torchs)


@given(layers(), st.integers(0, 2), st.integers(0, 2))
@settings(max_examples=60)
def test_transposed_convolution_and_its_gradients_are_torchs(
    layer: dict[str, Any], more_down: int, more_across: int
) -> None:
    n, c, k, g = (layer[key] for key in ("n", "channels", "filters", "groups"))
    x, w, b = tensors(layer, (n, c, *layer["size"]), (c, k // g, *layer["filter"]), (k,))
    more = tuple(m % s for m, s in zip((more_down, more_across), layer["stride"], strict=True))
    how = {"stride": layer["stride"], "dilation": layer["dilation"], "groups": g}
    made = [
        s * (m - 1) + d * (f - 1) + 1 - 2 * p + o
        for m, f, s, p, d, o in zip(
            layer["size"], *(layer[key] for key in ("filter", "stride", "pad", "dilation")), more,
            strict=True,
        )
    ]  # fmt: skip
    if min(made) < 1:
        with pytest.raises(Mistake, match="nothing is left"):
            transposed_convolution(x, w, b, pad=layer["pad"], output_pad=more, **how)
        return
    theirs = F.conv_transpose2d(x, w, b, padding=layer["pad"], output_padding=more, **how)
    ours = transposed_convolution(x, w, b, pad=layer["pad"], output_pad=more, **how)
    agree(ours, theirs)
    dy = torch.randn_like(theirs)
    expected = torch.autograd.grad(theirs, (x, w, b), dy)
    found = transposed_backward(dy, x.detach(), w.detach(), pad=layer["pad"], **how)
    for mine, torchs in zip(found, expected, strict=True):
        agree(mine, torchs)


@given(layers(), st.sampled_from(["max", "average", "sum"]))
@settings(max_examples=100)
def test_pooling_and_its_gradient_are_torchs(layer: dict[str, Any], kind: str) -> None:
    pad = tuple(min(p, f // 2) for p, f in zip(layer["pad"], layer["filter"], strict=True))
    dilation = layer["dilation"] if kind == "max" else (1, 1)  # torch dilates only maxima
    size = [
        max(n, d * (f - 1) + 1)
        for n, f, d in zip(layer["size"], layer["filter"], dilation, strict=True)
    ]
    (x,) = tensors(layer, (layer["n"], layer["channels"], *size))
    filter, stride = layer["filter"], layer["stride"]
    if kind == "max":
        theirs = F.max_pool2d(x, filter, stride, pad, dilation)
    else:
        divisor = 1 if kind == "sum" else None
        theirs = F.avg_pool2d(x, filter, stride, pad, divisor_override=divisor)
    how: dict[str, Any] = {"kind": kind, "stride": stride, "pad": pad, "dilation": dilation}
    agree(pool(x, filter, **how), theirs)
    dy = torch.randn_like(theirs)
    (expected,) = torch.autograd.grad(theirs, x, dy)
    agree(pool_backward(dy, x.detach(), filter, **how), expected)


def test_it_is_the_formula_and_not_mirrored() -> None:
    x = torch.arange(20.0, dtype=torch.float64).reshape(1, 1, 4, 5)
    w = torch.tensor([[1.0, 10.0], [100.0, 1000.0]], dtype=torch.float64)[None, None]
    slow = [
        [
            sum(float(w[0, 0, p, q] * x[0, 0, i + p, j + q]) for p in range(2) for q in range(2))
            for j in range(4)
        ]
        for i in range(3)
    ]
    assert convolution(x, w)[0, 0].tolist() == slow
    assert convolution(x, w)[0, 0, 0, 0] == 0 * 1 + 1 * 10 + 5 * 100 + 6 * 1000


def test_shapes_of_the_lecture() -> None:
    x = torch.rand(1, 3, 32, 32)
    assert convolution(x, torch.rand(1, 3, 5, 5)).shape == (1, 1, 28, 28)
    assert convolution(x, torch.rand(6, 3, 5, 5)).shape == (1, 6, 28, 28)
    assert convolution(x, torch.rand(10, 3, 5, 5), pad=2).shape == (1, 10, 32, 32)


def test_pooling_by_hand() -> None:
    x = torch.tensor([[1.0, 2, 5, 3], [4, 0, 1, 1], [0, 0, 2, 2], [7, 0, 2, 2]])[None, None]
    assert pool(x, 2)[0, 0].tolist() == [[4, 5], [7, 2]]
    assert pool(x, 2, kind="sum")[0, 0].tolist() == [[7, 10], [7, 8]]
    assert pool(x, 2, kind="average")[0, 0].tolist() == [[1.75, 2.5], [1.75, 2]]
    assert pool(x, 3, stride=1)[0, 0].tolist() == [[5, 5], [7, 2]]  # overlapping
    ones = torch.ones(1, 1, 2, 2)
    assert pool_backward(ones, x, 2)[0, 0].tolist() == [
        [0, 0, 1, 0],
        [1, 0, 0, 0],
        [0, 0, 1, 0],  # of four equals the first
        [1, 0, 0, 0],
    ]


@given(layers())
@settings(max_examples=30)
def test_col2im_is_im2cols_transpose(layer: dict[str, Any]) -> None:
    window = windowed(*(layer[key] for key in ("filter", "stride", "pad", "dilation")))
    layer = layer | {"dtype": torch.float64}
    (x,) = tensors(layer, (2, 2, *layer["size"]))
    columns = im2col(x, window)
    (y,) = tensors(layer, tuple(columns.shape))
    there = (columns * y).sum()  # ⟨im2col(x), y⟩ = ⟨x, col2im(y)⟩
    back = (x * col2im(y, window, (x.shape[2], x.shape[3]))).sum()
    assert float(there.detach()) == pytest.approx(float(back.detach()), rel=1e-12, abs=1e-12)


def test_a_batch_is_its_pictures_one_by_one() -> None:
    x, w = torch.rand(3, 4, 9, 8).double(), torch.rand(6, 2, 3, 3).double()
    together = convolution(x, w, stride=2, groups=2)
    alone = torch.cat([convolution(part, w, stride=2, groups=2) for part in x.split(1)])
    assert torch.allclose(together, alone, rtol=0, atol=1e-13)


def test_what_does_not_belong_together() -> None:
    x, w = torch.rand(1, 3, 8, 8), torch.rand(4, 3, 3, 3)
    assert convolution(x, w).shape == (1, 4, 6, 6)  # the positive control
    with pytest.raises(Mistake, match=r"\(4, 3, 3, 3\), groups 2"):
        convolution(x, w, groups=2)
    with pytest.raises(Mistake, match="groups 0"):
        convolution(x, w, groups=0)
    with pytest.raises(Mistake, match=r"weights \(4, 3, 3, 3\)"):
        transposed_convolution(x, w)
    with pytest.raises(Mistake, match="3×3 does not fit in 2×8"):
        convolution(x[:, :, :2], w)
    with pytest.raises(Mistake, match="stride is a whole number of 1 or more, not 0"):
        convolution(x, w, stride=0)
    with pytest.raises(Mistake, match=r"Expected shape \(1, 4, 6, 6\)"):
        convolution_backward(torch.rand(1, 4, 5, 6), x, w)
    with pytest.raises(Mistake, match=r"\(1, 2, 3\)"):
        convolution(x, w, stride=(1, 2, 3))  # type: ignore[arg-type]
    with pytest.raises(Mistake, match="'average'"):
        pool(x, 2, kind="averag")
    with pytest.raises(Mistake, match="half the filter of 2 when pooling, not 2"):
        pool(x, 2, pad=2)
