"""Objects cut out by their difference from the corners: Otsu against a loop, and doubts."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubel.breaking.masks import LEVELS, border, corners, found, otsu
from hubel.mistakes import Mistake

CROSS = np.zeros((20, 20), bool)
CROSS[3:-3], CROSS[:, 3:-3] = True, True


def disc(side: int = 40, radius: float = 12) -> np.ndarray:
    rows, columns = np.mgrid[:side, :side] - (side - 1) / 2
    return rows**2 + columns**2 < radius**2


def explained(values: np.ndarray, threshold: float) -> float:
    """The share of the variance that is between what lies below and above, by its definition."""
    middles = (np.minimum((values * LEVELS).astype(int), LEVELS - 1) + 0.5) / LEVELS
    low, high = middles[middles < threshold], middles[middles > threshold]
    if not len(low) or not len(high):
        return 0.0
    share = len(low) / len(middles)
    return float(share * (1 - share) * (low.mean() - high.mean()) ** 2 / middles.var())


@given(st.lists(st.floats(0, 1), min_size=2, max_size=30))
@settings(max_examples=50)
def test_otsu_is_the_best_of_all_thresholds(values: list[float]) -> None:
    row = np.array(values)
    [threshold], [eta] = otsu(row[None])
    best = max(explained(row, (k + 1) / LEVELS) for k in range(LEVELS))
    assert eta == pytest.approx(best, abs=1e-9)
    assert explained(row, threshold) == pytest.approx(best, abs=1e-9)


@pytest.mark.parametrize("ground", [0.0, 1.0])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_disc_on_a_plain_ground_is_found_exactly(ground: float, channels: int) -> None:
    images = np.full((2, channels, 40, 40), ground)
    images[0, 0][disc()] = 0.5  # one channel alone differs
    images[1, :, disc()] = 1 - ground
    images[1, :, 20, 20] = ground  # a hole
    images[1, :, 2, 20] = 1 - ground  # a speck
    masks, certain, why, separability, solid = found(images)
    assert (masks == disc()).all()
    assert (solid[0] == disc()).all()
    assert solid[1].sum() == disc().sum() - 1  # its hole is none of it
    assert certain.all()
    assert why == ("", "")
    assert separability.min() > 0.9
    alone = found(images[1:])
    assert (alone.masks[0] == masks[1]).all()


def test_a_restless_ground_is_further_away() -> None:
    rng = np.random.default_rng(0)
    image = np.clip(0.3 + 0.05 * rng.standard_normal((1, 3, 40, 40)), 0, 1)
    image[0, :, disc()] = 1.0
    masks = found(image).masks[0]
    assert (masks & disc()).sum() / (masks | disc()).sum() > 0.95


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (np.full((3, 20, 20), 0.4), "nothing differs"),
        (np.random.default_rng(1).random((3, 20, 20)), "do not fall apart"),
        (np.where(disc(20, 1.2), 0.0, 1.0)[None].repeat(3, 0), "covers 1 %"),
        (np.where(CROSS, 0.0, 1.0)[None], "of the border"),
    ],
)
def test_says_why_it_is_uncertain(image: np.ndarray, said: str) -> None:
    one = found(image[None])
    assert not one.certain[0]
    assert said in one.why[0]


def test_shapes() -> None:
    assert found(np.zeros((0, 3, 8, 8))).masks.shape == (0, 8, 8)
    assert border((10, 8)).sum() == 80 - 48
    assert corners((10, 8)).sum() == 4
    with pytest.raises(Mistake, match=r"found \(3, 8, 8\)"):
        found(np.zeros((3, 8, 8)))
