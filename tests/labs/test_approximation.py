"""Approximation: the fit is one, more units fit better, and a seed is a seed."""

import pytest
import torch

from hubel.labs.approximation import approximation, fitted
from hubel.labs.lab import Setting


@pytest.mark.slow
def test_units_fit_and_a_line_does_not_part_spirals() -> None:
    shown = approximation(Setting("quick"))
    errors = shown.numbers["errors"]
    assert errors["4"][0] < errors["1"][0]
    assert shown.numbers["line"] < 0.7 < shown.numbers["units"]
    assert [finding.id for finding in shown.findings] == ["L7"]
    assert shown.drawings[0].png.startswith(b"\x89PNG")


def test_one_unit_fits_its_own_function_and_a_seed_is_a_seed() -> None:
    x = torch.linspace(-1, 1, 50)[:, None]
    error, made = fitted(x, 2 * torch.tanh(3 * x) + 1, 1, seed=3)
    assert error < 1e-3
    assert torch.equal(made, fitted(x, 2 * torch.tanh(3 * x) + 1, 1, seed=3)[1])
