"""Features by hand, against slow counts and what they must and must not see."""

import numpy as np
import pytest

from hubel.baselines import features


def pictures(n: int, channels: int = 3, size: int = 16) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, channels, size, size), dtype=np.uint8)


@pytest.mark.parametrize("channels", [1, 3])
def test_colours_against_counting(channels: int) -> None:
    images = pictures(3, channels, 5)
    found = features.colours(images)
    assert found.shape == (3, 8**channels)
    for image, row in zip(images, found, strict=True):
        expected = np.zeros(8**channels)
        for colour in image.reshape(channels, -1).T:
            expected[sum(int(v) // 32 * 8**k for k, v in enumerate(colour))] += 1 / 25
        assert np.allclose(row**2, expected, atol=1e-6)


def test_hog_sees_orientation_and_not_brightness() -> None:
    stripes = np.zeros((1, 1, 32, 32), np.uint8)
    stripes[:, :, ::4] = 200
    upright = stripes.transpose(0, 1, 3, 2)
    a, b = features.hog(stripes), features.hog(upright)
    assert a.shape == b.shape
    assert float(np.abs(a - b).max()) > 0.2
    assert np.allclose(features.hog(stripes // 2), a, atol=0.02)


@pytest.mark.parametrize("size", [8, 16, 28, 33])
def test_any_size_and_none(size: int) -> None:
    for extract in (features.pixels, features.hog, features.colours):
        for channels in (1, 3):
            found = extract(pictures(2, channels, size))
            assert found.shape[0] == 2
            assert found.dtype == np.float32
            assert np.isfinite(found).all()
            one = extract(pictures(2, channels, size)[1:])
            assert np.array_equal(one[0], found[1])
