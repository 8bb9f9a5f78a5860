"""The gradient of the lecture, both of softmax regression, and what the check says without λ."""

import pytest
import torch

from hubel.labs.lab import Setting
from hubel.labs.numeric_gradient import LAMBDA, loss, numeric_gradient, slope


def test_golden_numbers_and_both_gradients() -> None:
    shown = numeric_gradient(Setting("quick"))
    first, second = shown.findings
    assert (first.id, second.id) == ("L16", "L17")
    assert first.holds
    assert first.measured == "-2.5, 0.6, 0, from losses 1.25322, 1.25353, 1.25347."
    assert shown.lines[0] == "W = (0.34, −1.11, 0.78, …), loss 1.25347, h = 0.0001"
    assert shown.lines[1] == "dimension 1: (1.25322 − 1.25347) / 0.0001 = -2.5"
    assert shown.lines[3] == "dimension 3: (1.25347 − 1.25347) / 0.0001 = 0"
    assert second.holds
    numbers = shown.numbers
    assert numbers["error"] < 1e-6 < 0.1 < numbers["error_without_lambda"]
    assert list(numbers["seconds"]) == ["10", "40", "160", "640"]
    slow, fast = numbers["seconds"]["640"]
    assert slow > 10 * fast
    assert shown.drawings[0].png.startswith(b"\x89PNG")


def test_errors_fall_with_h_and_rise_with_rounding() -> None:
    errors = numeric_gradient(Setting("quick")).numbers["errors"]
    forward, central = errors["forward, float64"], errors["central, float64"]
    assert forward[0] / forward[1] == pytest.approx(10, rel=0.1)  # with h
    assert central[0] / central[1] == pytest.approx(100, rel=0.1)  # with h²
    assert min(central) < 1e-8 < central[-1]
    assert min(errors["central, float32"]) > 1e-5


def test_the_slope_is_autograds() -> None:
    generator = torch.Generator().manual_seed(0)
    x, y = torch.rand(7, 5, generator=generator).double(), torch.arange(7) % 3
    w = torch.randn(5, 3, generator=generator).double().requires_grad_()
    for strength in (LAMBDA, 0.3):
        value = loss(w, x, y) + (strength - LAMBDA) * w.square().sum()
        (expected,) = torch.autograd.grad(value, w)
        found = slope(w.detach(), x, y, strength=strength)
        assert torch.allclose(found, expected, rtol=0, atol=1e-12)
