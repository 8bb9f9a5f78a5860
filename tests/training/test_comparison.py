"""McNemar's exact test against scipy's binomial sum by hand; thirds that mean something."""

from math import comb

import numpy as np
import pytest

from hubel.training.comparison import beside, thirds


@pytest.mark.parametrize(("ours", "theirs"), [(8, 2), (3, 3), (0, 5), (1, 0), (20, 9)])
def test_p_is_the_sum_of_what_is_as_unlikely(ours: int, theirs: int) -> None:
    a = np.array([True] * ours + [False] * theirs + [True] * 7 + [False] * 4)
    b = np.array([False] * ours + [True] * theirs + [True] * 7 + [False] * 4)
    row = beside("other", b, a)
    n = ours + theirs
    p = sum(comb(n, k) for k in range(n + 1) if comb(n, k) <= comb(n, ours)) / 2**n
    assert row.p == pytest.approx(p)
    assert (row.only_ours, row.only_theirs) == (ours, theirs)
    assert row.accuracy == pytest.approx((theirs + 7) / len(a))
    assert row.beaten == (ours > theirs and p < 0.05)


def test_equal_answers_are_no_evidence() -> None:
    same = np.array([True, False, True])
    assert beside("itself", same, same).p == 1


def test_thirds_hold_every_picture_once() -> None:
    values = np.arange(30.0)
    right = values >= 10
    rows = thirds("size", " pixels", values, right)
    assert [row.n for row in rows] == [10, 10, 10]
    assert [row.accuracy for row in rows] == [0, 1, 1]
    assert rows[0].label == "0 to 9 pixels"


@pytest.mark.parametrize("values", [np.ones(30), np.array([1.0, 2.0]), np.array([0.0] * 29 + [1])])
def test_no_thirds_of_what_is_all_alike(values: np.ndarray) -> None:
    assert len(thirds("size", "", values, np.ones(len(values), bool))) == 0
