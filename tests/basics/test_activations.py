"""Activations: values, derivatives against autograd, modules, maxout."""

import math

import pytest
import torch

from hubel.basics.activations import ACTIVATIONS, Maxout, ScaledTanh, curves, maxout_pair
from hubel.mistakes import Mistake

GOLDEN = {
    "sigmoid": (1 / (1 + math.e), 0.5, 1 / (1 + math.exp(-1))),
    "tanh": (-math.tanh(1), 0.0, math.tanh(1)),
    "scaled-tanh": (-1.7159 * math.tanh(2 / 3), 0.0, 1.7159 * math.tanh(2 / 3)),
    "relu": (0.0, 0.0, 1.0),
    "leaky-relu": (-0.01, 0.0, 1.0),
    "elu": (math.exp(-1) - 1, 0.0, 1.0),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_values_at_minus_one_zero_and_one(name: str) -> None:
    x = torch.tensor([-1.0, 0.0, 1.0], dtype=torch.float64)
    assert ACTIVATIONS[name].value(x).tolist() == pytest.approx(GOLDEN[name], abs=1e-15)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_value_is_the_modules_and_derivative_is_autograds(name: str) -> None:
    row = ACTIVATIONS[name]
    x = torch.linspace(-6, 6, 1201, dtype=torch.float64).requires_grad_()
    y = row.module()(x)
    assert torch.allclose(row.value(x), y, rtol=1e-12, atol=1e-15)
    (slope,) = torch.autograd.grad(y.sum(), x)
    assert torch.allclose(row.derivative(x.detach()), slope, rtol=1e-10, atol=1e-15)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_gradients_are_numerically_right(name: str) -> None:
    x = torch.linspace(-5, 5, 100, dtype=torch.float64).requires_grad_()  # 0, the kink, is not in
    assert torch.autograd.gradcheck(ACTIVATIONS[name].module(), x, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_far_out_nothing_overflows(name: str) -> None:
    x = torch.tensor([-1e4, 1e4])
    assert torch.isfinite(ACTIVATIONS[name].value(x)).all()
    assert torch.isfinite(ACTIVATIONS[name].derivative(x)).all()


def test_scaled_tanh_is_one_at_one() -> None:
    assert float(ScaledTanh()(torch.tensor(1.0))) == pytest.approx(1.0, abs=1e-4)


def test_maxout_takes_the_larger_of_each_pair() -> None:
    x = torch.tensor([[1.0, 2.0, -3.0, -4.0]])
    assert Maxout(2)(x).tolist() == [[2.0, -3.0]]
    maps = torch.rand(2, 6, 3, 3)
    expected = torch.stack([maps[:, 3 * i : 3 * i + 3].amax(1) for i in range(2)], 1)
    assert torch.equal(Maxout(3)(maps), expected)
    with pytest.raises(Mistake, match="5 features"):
        Maxout(2)(torch.rand(1, 5))


def test_maxout_of_an_empty_batch_and_of_no_pieces() -> None:
    assert Maxout(2)(torch.rand(0, 6, 3, 3)).shape == (0, 3, 3, 3)
    with pytest.raises(Mistake, match="0"):
        Maxout(0)


def test_maxout_of_two_lines_can_be_the_absolute_value() -> None:
    x = torch.linspace(-2, 2, 9)
    assert torch.equal(maxout_pair((-1.0, 1.0), x), x.abs())


def test_curves_are_what_a_plot_needs() -> None:
    for x, value, slope in curves(n=11).values():
        assert x.shape == value.shape == slope.shape == (11,)
