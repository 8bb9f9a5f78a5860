"""The baselines on real digits, and what they are given."""

from pathlib import Path

import numpy as np
import pytest

from hubel.baselines import shallow
from hubel.baselines.shallow import Part, baselines
from hubel.data.sources import open_splits


@pytest.fixture(scope="module")
def digits() -> list[Part]:
    splits = open_splits("digits")
    return [
        Part(np.stack([part.image(i) for i in range(len(part))]).transpose(0, 3, 1, 2), part.labels)
        for part in (splits.train, splits.validation, splits.test)
    ]


def test_on_digits(digits: list[Part]) -> None:
    found = {row.name: row for row in baselines(*digits)}
    assert "colour histogram + linear SVM" not in found  # they are grey
    test = digits[2].labels
    accuracy = {name: float((row.answers == test).mean()) for name, row in found.items()}
    assert accuracy["always the most frequent class"] == pytest.approx(0.1, abs=0.03)
    assert 0.85 < accuracy["linear machine on the pixels"] < 0.97
    assert accuracy["HOG + linear SVM"] > 0.6
    assert {row.trained_on for row in found.values()} == {len(digits[0].labels)}


def test_the_same_seed_is_the_same(digits: list[Part]) -> None:
    first, second = (list(baselines(*digits, seed=3)) for _ in range(2))
    for a, b in zip(first, second, strict=True):
        assert np.array_equal(a.answers, b.answers)


def test_of_many_pictures_some(digits: list[Part], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shallow, "MOST", 200)
    chosen = shallow.some(digits[0].labels, seed=0)
    assert len(set(chosen.tolist())) == 200
    counts = np.bincount(digits[0].labels[chosen])
    assert counts.min() >= 18
    assert counts.max() <= 22


def test_without_validation_or_test(digits: list[Part], tmp_path: Path) -> None:
    none = Part(digits[0].images[:0], digits[0].labels[:0])
    small = Part(digits[0].images[:100], digits[0].labels[:100])
    for row in baselines(small, none, none):
        assert row.answers.shape == (0,)
        assert row.strength in (None, shallow.STRENGTHS[1])
