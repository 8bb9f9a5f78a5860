"""The linear classifier: the slide's scores by a slow sum, and templates that are the weights."""

import pytest
import torch

from hubel.labs.lab import Setting, Shown
from hubel.labs.linear_classifier import SCORES, B, W, X, by_hand, linear_classifier


@pytest.fixture(scope="module")
def shown() -> Shown:
    return linear_classifier(Setting("quick"))


def test_the_slides_scores() -> None:
    assert SCORES == (-96.8, 437.9, 60.75)
    assert by_hand() == pytest.approx(SCORES, rel=0, abs=1e-12)
    slow = [
        sum(w * x for w, x in zip(row, X, strict=True)) + b for row, b in zip(W, B, strict=True)
    ]
    assert by_hand() == pytest.approx(slow, rel=0, abs=1e-12)
    # the erratum: what is often printed leaves the last bias out
    assert by_hand()[2] - B[2] == pytest.approx(61.95, rel=0, abs=1e-12)


def test_products_and_findings_are_shown(shown: Shown) -> None:
    found = {finding.id: finding for finding in shown.findings}
    assert list(found) == ["L10", "L11"]
    assert found["L11"].holds
    assert "−96.8, 437.9, 60.75" in found["L11"].measured
    assert "3,072 numbers" in found["L10"].measured
    assert "   = 0 + 57.75 + 4.8 − 0.6 − 1.2 = 60.75" in shown.lines
    assert shown.numbers["scores"] == list(by_hand())


def test_it_learns_what_the_interval_says(shown: Shown) -> None:
    (accuracy,), (low, high) = shown.numbers["accuracy"], shown.numbers["interval"]
    assert low < accuracy < high
    assert accuracy > shown.numbers["commonest_class"] >= 0.1
    assert shown.drawings[0].png.startswith(b"\x89PNG")


def test_a_seed_is_a_seed_and_no_global_one(shown: Shown) -> None:
    torch.manual_seed(7)
    assert linear_classifier(Setting("quick")).drawings == shown.drawings
