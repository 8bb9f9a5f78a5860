"""Polynomial mutation and colours: against the formulas, one number at a time."""

import colorsys

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hubel.breaking import hsv, polynomial

SHARE = st.floats(0, 1, width=32)


@pytest.mark.parametrize("strength", [1.0, 15.0, 40.0])
def test_steps_are_debs(strength: float) -> None:
    drawn = torch.rand(500, generator=torch.Generator().manual_seed(2)).tolist()
    found = polynomial.steps(500, torch.Generator().manual_seed(2), strength=strength)
    power = 1 / (strength + 1)
    expected = [(2 * u) ** power - 1 if u < 0.5 else 1 - (2 * (1 - u)) ** power for u in drawn]
    torch.testing.assert_close(found, torch.tensor(expected), rtol=0, atol=1e-5)
    assert found.abs().max() < 1


def test_half_the_steps_are_small() -> None:
    found = polynomial.steps(100_000, torch.Generator().manual_seed(0))
    # P(|step| < s) = 1 − (1 − s)^16
    assert float((found.abs() < 0.0424).double().mean()) == pytest.approx(0.5, abs=0.01)
    assert float(found.mean()) == pytest.approx(0, abs=0.001)
    assert len(polynomial.steps(0, torch.Generator())) == 0


def test_chosen_is_a_share() -> None:
    found = polynomial.chosen(torch.empty(100, 1000), 0.1, torch.Generator().manual_seed(0))
    assert float(found.double().mean()) == pytest.approx(0.1, abs=0.004)  # 4 deviations
    assert not polynomial.chosen(torch.empty(1000), 0.0, torch.Generator()).any()


@given(SHARE, SHARE, SHARE)
def test_hue_saturation_value_are_pythons(hue: float, saturation: float, value: float) -> None:
    planes = torch.tensor([hue, saturation, value]).view(3, 1, 1)
    found = hsv.rgb(*planes)[0, :, 0]
    expected = torch.tensor(colorsys.hsv_to_rgb(hue, saturation, value))
    torch.testing.assert_close(found, expected, rtol=0, atol=2e-6)


def test_levels_of_other_numbers_of_channels_are_the_planes() -> None:
    planes = torch.tensor([0.0, 0.1, 0.5, 1.0]).view(1, 2, 1, 2)
    assert hsv.levels(planes).flatten().tolist() == [0, 26, 128, 255]
    assert hsv.levels(torch.empty(0, 3, 2, 2)).shape == (0, 3, 2, 2)
