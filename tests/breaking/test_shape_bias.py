"""The shape bias: against counting, its bootstrap against a loop, and what does not count."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubel.breaking.shape_bias import OTHER, SHAPE, TEXTURE, Bias, Trial, resampled, shape_bias
from hubel.mistakes import Mistake
from hubel.training.evaluate import wilson

CLASSES = ("cat", "dog", "owl")


def drawn(n: int, seed: int, pictures: int = 4) -> list[Trial]:
    """n trials of random pictures and decisions."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(n):
        a, b = rng.permutation(3)[:2]
        shape, texture = (f"{CLASSES[k]}/{rng.integers(pictures)}" for k in (a, b))
        excluded = "not known" if rng.random() < 0.2 else ""
        made.append(
            Trial(shape, texture, CLASSES[a], CLASSES[b], CLASSES[rng.integers(3)], excluded)
        )
    return made


def slow_value(trials: list[Trial]) -> float | None:
    """Shape bias by counting, image by image."""
    shape = texture = 0
    for trial in trials:
        if trial.decision == trial.shape_class:
            shape += 1
        elif trial.decision == trial.texture_class:
            texture += 1
    return shape / (shape + texture) if shape + texture else None


def slow_interval(trials: list[Trial], of: str | None, seed: int) -> tuple[float, float]:
    """Every resample written out: each image as often as its pictures come up together."""
    counted = [trial for trial in trials if not trial.excluded]
    names: dict[str, str] = {}
    for trial in counted:
        names[trial.shape] = trial.shape_class
    for trial in counted:
        names[trial.texture] = trial.texture_class
    values = []
    for times in resampled(list(names.values()), 50, seed=seed):
        often = dict(zip(names, times.tolist(), strict=True))
        again = [
            trial
            for trial in counted
            if of in (None, trial.shape_class)
            for _ in range(often[trial.shape] * often[trial.texture])
        ]
        value = slow_value(again)
        if value is not None:
            values.append(value)
    return tuple(np.quantile(values, [0.025, 0.975]).tolist())


@given(st.integers(0, 60), st.integers(0, 10**6))
@settings(max_examples=40)
def test_figures_are_those_of_counting(n: int, seed: int) -> None:
    trials = drawn(n, seed)
    overall, by_class = shape_bias(trials, resamples=20)
    counted = [trial for trial in trials if not trial.excluded]
    assert overall.n == len(counted)
    assert overall.value == slow_value(counted)
    assert overall.other == sum(trial.cue == OTHER for trial in counted)
    assert set(by_class) == {trial.shape_class for trial in counted}
    for name, row in by_class.items():
        own = [trial for trial in counted if trial.shape_class == name]
        assert row.value == slow_value(own)
        assert row.n == len(own)
    for row in (overall, *by_class.values()):
        if row.interval is not None:
            assert 0 <= row.interval[0] <= row.interval[1] <= 1
    assert sum(row.shape for row in by_class.values()) == overall.shape
    assert sum(row.texture for row in by_class.values()) == overall.texture


@pytest.mark.parametrize("seed", [1, 2])
def test_the_bootstrap_is_that_of_a_loop(seed: int) -> None:
    trials = drawn(80, seed)
    overall, by_class = shape_bias(trials, resamples=50, seed=seed)
    assert overall.interval == pytest.approx(slow_interval(trials, None, seed), abs=1e-12)
    assert overall.interval[0] < overall.value < overall.interval[1]
    mixed = {name: row for name, row in by_class.items() if 0 < row.value < 1}
    assert len(mixed) == 3
    for name, row in mixed.items():
        assert row.interval == pytest.approx(slow_interval(trials, name, seed), abs=1e-12)
    assert shape_bias(trials, resamples=50, seed=seed)[0] == overall
    assert shape_bias(trials, resamples=50, seed=seed + 9)[0].interval != overall.interval


def test_pictures_are_drawn_within_their_class() -> None:
    times = resampled(["a", "b", "a", "a", "b"], 4000, seed=0)
    assert (times[:, [0, 2, 3]].sum(1) == 3).all()
    assert (times[:, [1, 4]].sum(1) == 2).all()
    np.testing.assert_allclose(times.mean(0), 1, atol=0.06)
    # of three drawn from three, one does not come up in (2/3)³ of the resamples
    assert (times[:, 0] == 0).mean() == pytest.approx((2 / 3) ** 3, abs=0.03)


def test_images_that_share_pictures_say_less_than_as_many_of_their_own() -> None:
    rng = np.random.default_rng(0)
    said = [("cat", "dog")[i] for i in rng.integers(0, 2, 64)]
    few = [Trial(f"c{i % 4}", f"d{i % 5}", "cat", "dog", said[i % 4]) for i in range(64)]
    many = [Trial(f"c{i}", f"d{i}", "cat", "dog", said[i % 4]) for i in range(64)]
    shared, own = (shape_bias(rows)[0] for rows in (few, many))
    assert shared.value == own.value
    width = [row.interval[1] - row.interval[0] for row in (shared, own)]
    assert width[0] > 1.5 * width[1]


def test_the_interval_covers_what_is_true() -> None:
    """Of sets drawn from a network whose pictures have a bias each, the interval holds the mean."""
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(60):
        leaning = rng.beta(2, 2, 12)  # each shape's own
        trials = [
            Trial(f"c{i}", f"d{j}", "cat", "dog", "cat" if rng.random() < leaning[i] else "dog")
            for i in range(12)
            for j in rng.permutation(12)[:3]
        ]
        low, high = shape_bias(trials, resamples=200)[0].interval
        held += low <= 0.5 <= high
    assert held >= 52  # of 60; 57 are meant, and the pigeonhole bootstrap errs on the wide side


def test_where_there_is_nothing_to_resample() -> None:
    one = Trial("a", "b", "cat", "dog", "cat")
    assert shape_bias([one])[0] == Bias(1, 0, 0, 1.0, None)
    assert shape_bias([])[0] == Bias(0, 0, 0, None, None)
    assert shape_bias([])[0].either is None
    other = Trial("a", "b", "cat", "dog", "owl")
    assert shape_bias([other])[0] == Bias(0, 0, 1, None, None)
    assert shape_bias([other])[0].either == 0
    out = Trial("a", "b", "cat", "dog", "cat", excluded="nobody vouches")
    assert shape_bias([out]) == (Bias(0, 0, 0, None, None), {})
    assert [one.cue, other.cue, Trial("a", "b", "cat", "dog", "dog").cue] == [SHAPE, OTHER, TEXTURE]
    alike = [Trial(f"a{i}", f"b{i % 3}", "cat", "dog", "dog") for i in range(9)]
    found = shape_bias(alike)[0]
    assert found.value == 0
    assert found.interval == wilson(0, 3)  # not the point that all resamples are


def test_refuses() -> None:
    with pytest.raises(Mistake, match="both of 'cat' has no conflict"):
        shape_bias([Trial("a", "b", "cat", "cat", "cat")])
    with pytest.raises(Mistake, match="1 or more, not 0"):
        shape_bias([], resamples=0)
