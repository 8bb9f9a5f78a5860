"""The lecture's losses: its numbers, and the erratum's."""

import pytest

from hubel.labs.lab import Setting
from hubel.labs.losses import losses


def test_the_lectures_numbers() -> None:
    shown = losses(Setting("quick"))
    found = shown.numbers
    assert [round(x, 1) for x in found["hinge"]] == [2.9, 0.0, 12.9]
    assert found["mean"] == pytest.approx(5.27, abs=0.005)
    assert found["cross_entropy"] == pytest.approx(2.04, abs=0.005)
    assert [finding.holds for finding in shown.findings] == [True, True]
    assert any("0.89" in line for line in shown.lines)
    assert any("max(0, 5.1 − 3.2 + 1) + max(0, −1.7 − 3.2 + 1) = 2.9" in x for x in shown.lines)
