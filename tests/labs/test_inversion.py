"""What HOG sees: the regression behind it, and the lines that a HOG is drawn by."""

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import Ridge

from hubel.baselines import features
from hubel.labs.inversion import brightness, inversion, likeness, stars


def _pictures(n: int, seed: int = 0) -> NDArray[np.uint8]:
    """Grey pictures of a light bar at one of many places and angles, (n, 1, 16, 16)."""
    draw = np.random.default_rng(seed)
    rows, columns = np.mgrid[-1:1:16j, -1:1:16j]
    angle = draw.uniform(0, np.pi, (n, 1, 1))
    across = rows * np.cos(angle) + columns * np.sin(angle) + draw.uniform(-0.3, 0.3, (n, 1, 1))
    return (60 + 140 * (abs(across) < 0.3)).astype(np.uint8)[:, None]


def test_a_picture_and_its_negative_at_half_the_contrast_are_one() -> None:
    images = _pictures(20)
    other = (200 - images // 2).astype(np.uint8)
    assert np.allclose(brightness(images), brightness(other), atol=1e-9)
    assert np.allclose(brightness(images).mean(1), 0, atol=1e-12)
    assert np.allclose(brightness(images).std(1), 1)


@pytest.mark.slow
def test_the_fit_is_ridge_regression() -> None:
    train, validation, test = _pictures(60), _pictures(20, 1), _pictures(10, 2)
    fit = inversion(train, validation)
    x = features.hog(train).astype(np.float64)
    spectrum = np.linalg.svd(x - x.mean(0), compute_uv=False) ** 2
    theirs = Ridge(alpha=fit.strength * spectrum.sum() / x.shape[1]).fit(x, brightness(train))
    inside = features.hog(test)
    assert np.allclose(fit(inside), theirs.predict(inside), atol=1e-6)


@pytest.mark.slow
def test_bars_are_found_again_behind_their_hog() -> None:
    fit = inversion(_pictures(300), _pictures(50, 1))
    alike, mean = likeness(fit, _pictures(50, 2))
    assert alike > 0.7 > 0.5 > mean


def test_lines_lie_along_edges() -> None:
    image = np.zeros((1, 16, 16), np.uint8)
    image[:, :, 8:] = 255  # an upright edge
    lines, weights = stars(image)
    strongest = lines[weights > 0.9]
    assert len(strongest)
    across, down = abs(strongest[:, 1] - strongest[:, 0]).T
    assert (down > 5 * across).all()
    assert (weights.min() >= 0, weights.max()) == (True, 1)
