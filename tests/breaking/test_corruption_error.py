"""The mean corruption error against its formula, its interval, and where it is not defined."""

import numpy as np
import pytest
from numpy.typing import NDArray

from hubel.breaking.corruption_error import corruption_error
from hubel.mistakes import Mistake

N = 400


def wrong(share: float, seed: int, severities: int = 5) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = np.random.default_rng(seed).random((severities, N)) < share
    return found


OURS = {"fog": wrong(0.3, 1), "snow": wrong(0.6, 2)}
THEIRS = {"fog": wrong(0.4, 3), "snow": wrong(0.5, 4)}
CLEAN, THEIR_CLEAN = wrong(0.1, 5)[0], wrong(0.15, 6)[0]


def test_an_interval_of_a_few_pictures_is_everything() -> None:
    for n, known in ((1, False), (4, False), (5, True)):
        right = {"fog": np.zeros((5, n), bool)}
        found = corruption_error(np.zeros(n, bool), right)
        assert (found.mean.interval == (0.0, 0.0)) == known
        assert (found.by_corruption["fog"].interval == (0.0, 1.0)) != known


def test_by_the_formula() -> None:
    found = corruption_error(CLEAN, OURS, reference=(THEIR_CLEAN, THEIRS))
    ratios, above, means = [], [], []
    for name in OURS:
        ours = [sum(row) / N for row in OURS[name].tolist()]
        theirs = [sum(row) / N for row in THEIRS[name].tolist()]
        ratios.append(sum(ours) / sum(theirs))
        clean, their_clean = sum(CLEAN.tolist()) / N, sum(THEIR_CLEAN.tolist()) / N
        above.append(sum(e - clean for e in ours) / sum(e - their_clean for e in theirs))
        means.append(sum(ours) / 5)
    assert found.mce is not None
    assert found.relative_mce is not None
    assert found.mce.value == pytest.approx(sum(ratios) / 2, rel=1e-12)
    assert found.relative_mce.value == pytest.approx(sum(above) / 2, rel=1e-12)
    assert found.mean.value == pytest.approx(sum(means) / 2, rel=1e-12)
    assert found.above.value == pytest.approx(sum(means) / 2 - CLEAN.mean(), rel=1e-12)
    assert found.relative is not None
    assert found.relative["snow"] is not None
    assert found.relative["snow"].value == pytest.approx(ratios[1], rel=1e-12)
    for each in (found.mean, found.clean, found.above, found.mce, found.relative_mce):
        assert each.interval[0] < each.value < each.interval[1]


def test_against_itself_it_is_one() -> None:
    found = corruption_error(CLEAN, OURS, reference=(CLEAN, OURS))
    assert found.mce is not None
    assert found.mce.value == pytest.approx(1)
    assert found.mce.interval == pytest.approx((1, 1))
    assert found.relative_mce is not None
    assert found.relative_mce.value == pytest.approx(1)


def test_the_interval_is_as_wide_as_theory_has_it() -> None:
    # one corruption of one severity: the share of N independent answers
    found = corruption_error(CLEAN, {"fog": wrong(0.3, 9, 1)})
    p = found.mean.value
    half = 1.96 * (p * (1 - p) / N) ** 0.5
    assert found.mean.interval == pytest.approx((p - half, p + half), abs=0.012)
    # answers that are alike under every severity tell no more than those of one
    alike = corruption_error(CLEAN, {"fog": np.repeat(wrong(0.3, 9, 1), 5, 0)})
    assert alike.mean.interval == pytest.approx(found.mean.interval, abs=1e-12)


def test_a_reference_that_never_errs_has_no_ratio() -> None:
    never = THEIRS | {"fog": np.zeros((5, N), bool)}
    found = corruption_error(CLEAN, OURS, reference=(THEIR_CLEAN, never))
    assert found.relative is not None
    assert found.relative["fog"] is None
    assert found.mce is not None
    assert found.relative["snow"] is not None
    assert found.mce.value == found.relative["snow"].value
    none = {name: np.zeros((5, N), bool) for name in OURS}
    assert corruption_error(CLEAN, OURS, reference=(THEIR_CLEAN, none)).mce is None


def test_without_a_reference_and_without_pictures() -> None:
    assert corruption_error(CLEAN, OURS).mce is None
    with pytest.raises(Mistake, match="nothing to count"):
        corruption_error(CLEAN[:0], OURS)
    with pytest.raises(Mistake, match="nothing to count"):
        corruption_error(CLEAN, {})
    with pytest.raises(Mistake, match="same corruptions"):
        corruption_error(CLEAN, OURS, reference=(CLEAN, {"fog": OURS["fog"]}))
