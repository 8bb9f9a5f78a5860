"""Draws are pure, uniform, independent of company, and different between streams."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubel import draws

MASK = (1 << 64) - 1


def slow_bits(seed: int, epoch: int, index: int, stream: str) -> int:
    """SplitMix64's finaliser in Python's own integers, twice over a counter."""

    def mixed(z: int) -> int:
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return z ^ (z >> 31)

    key = draws.integer(seed, epoch, stream)
    return mixed((mixed((index * 0x9E3779B97F4A7C15 + key) & MASK) + key) & MASK)


@given(st.integers(0, 2**40), st.integers(0, 999), st.lists(st.integers(0, 2**40), max_size=9))
def test_vectorised_equals_the_slow_one(seed: int, epoch: int, indices: list[int]) -> None:
    fast = draws.bits(seed, epoch, indices, "flip")
    assert fast.tolist() == [slow_bits(seed, epoch, i, "flip") for i in indices]


def test_the_finaliser_is_the_published_one() -> None:
    # SplitMix64 seeded with 1234567 begins with this number (its authors' reference output)
    state = (1234567 + 0x9E3779B97F4A7C15) & MASK
    assert int(draws._mixed(np.array([state], np.uint64))[0]) == 6457827717110365317


def test_uniform_is_in_the_half_open_interval_and_flat() -> None:
    u = draws.uniform(7, 3, np.arange(100_000), "crop")
    assert u.dtype == np.float64
    assert u.min() >= 0
    assert u.max() < 1
    counts = np.bincount((u * 20).astype(int), minlength=20)
    # 5,000 expected in each of 20 bins, standard deviation 69: five of them
    assert np.abs(counts - 5000).max() < 350


@pytest.mark.parametrize("other", [(8, 3, "crop"), (7, 4, "crop"), (7, 3, "flip")])
def test_streams_epochs_and_seeds_are_uncorrelated(other: tuple[int, int, str]) -> None:
    index = np.arange(20_000)
    a = draws.uniform(7, 3, index, "crop")
    b = draws.uniform(other[0], other[1], index, other[2])
    assert abs(np.corrcoef(a, b)[0, 1]) < 5 / np.sqrt(len(index))


@given(st.integers(0, 1000), st.integers(0, 50), st.integers(0, 200))
def test_order_is_a_permutation(seed: int, epoch: int, n: int) -> None:
    assert sorted(draws.order(seed, epoch, n).tolist()) == list(range(n))


def test_no_indices_no_draws() -> None:
    assert draws.uniform(0, 0, [], "flip").shape == (0,)
