"""The baselines on real digits, and what they are given."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from hubel.baselines import shallow
from hubel.baselines.shallow import Part, baselines
from hubel.data.sources import open_splits
from hubel.training.linear import svm


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


def test_on_the_axes_that_the_pictures_span_it_is_the_same_machine() -> None:
    draw = np.random.default_rng(0)
    labels = np.arange(40) % 3
    inside = (draw.normal(size=(40, 300)) + labels[:, None]).astype(np.float32)
    outside = (draw.normal(size=(60, 300)) + 1).astype(np.float32)
    axes = shallow._axes(inside)
    assert axes(inside).shape == (40, 39)
    scaled = StandardScaler().fit(inside)
    for strength in shallow.STRENGTHS:
        ours = svm(axes(inside).astype(np.float64), labels, 3, strength=strength)
        assert ours.converged
        theirs = LinearSVC(
            C=strength, class_weight="balanced", dual=True, max_iter=200_000, tol=1e-9
        ).fit(scaled.transform(inside), labels)
        expected = theirs.decision_function(scaled.transform(outside))
        assert np.allclose(ours.scores(axes(outside)), expected, rtol=0, atol=5e-3)


def test_every_machine_converges(digits: list[Part]) -> None:
    few = [Part(part.images[:40], part.labels[:40]) for part in digits]
    found = list(baselines(*few))
    assert all(row.answers is not None and len(row.answers) == 40 for row in found)


def test_what_is_cut_short_is_no_rival(digits: list[Part]) -> None:
    ticks = itertools.count()
    found = list(baselines(*digits, seconds=40, clock=lambda: float(next(ticks))))
    assert [row.answers is None for row in found] == [False, False, True]
    assert found[1].strength == shallow.STRENGTHS[0]  # the others did not come to the end


def test_classes_that_are_not_there_change_nothing(digits: list[Part]) -> None:
    odd = [Part(part.images[:200], 3 * part.labels[:200]) for part in digits]
    few = [Part(part.images[:200], part.labels[:200]) for part in digits]
    for one, other in zip(baselines(*odd), baselines(*few), strict=True):
        assert np.array_equal(one.answers, 3 * other.answers)


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
