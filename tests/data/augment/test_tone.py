"""Changes of value, against Pillow's own."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageEnhance, ImageOps
from torch import Tensor

from hubel.data.augment import tone


def picture(seed: int, size: tuple[int, int] = (30, 21), low: int = 0, high: int = 256) -> Tensor:
    values = np.random.default_rng(seed).integers(low, high, (*size, 3), dtype=np.uint8)
    return torch.from_numpy(values)


def found(change: Tensor) -> np.ndarray:
    return (change[0].permute(1, 2, 0) * 255).numpy()


def as_pixels(image: Tensor) -> Tensor:
    return image.permute(2, 0, 1)[None].float() / 255


@settings(max_examples=30)
@given(st.integers(0, 1000), st.integers(0, 254), st.integers(1, 256), st.booleans())
def test_equalised_as_pillow_does(seed: int, low: int, span: int, small: bool) -> None:
    image = picture(seed, (6, 5) if small else (60, 41), low, min(256, low + span))
    expected = np.asarray(ImageOps.equalize(Image.fromarray(image.numpy())))
    assert np.array_equal(found(tone.equalised(as_pixels(image))).round(), expected)


@settings(max_examples=20)
@given(st.integers(0, 1000), st.integers(0, 254), st.integers(1, 256))
def test_autocontrast_as_pillow_does(seed: int, low: int, span: int) -> None:
    image = picture(seed, (9, 8), low, min(256, low + span))
    expected = np.asarray(ImageOps.autocontrast(Image.fromarray(image.numpy()))).astype(float)
    difference = found(tone.stretched(as_pixels(image))) - expected
    assert np.abs(difference).max() < 1.01  # Pillow rounds down


@pytest.mark.parametrize("bits", range(1, 9))
def test_posterised_as_pillow_does(bits: int) -> None:
    image = picture(bits)
    expected = np.asarray(ImageOps.posterize(Image.fromarray(image.numpy()), bits))
    change = tone.posterised(as_pixels(image), torch.tensor([float(bits)]))
    assert np.array_equal(found(change).round(), expected)


@pytest.mark.parametrize("threshold", [0, 100, 255, 256])
def test_solarised_as_pillow_does(threshold: int) -> None:
    image = picture(3)
    expected = np.asarray(ImageOps.solarize(Image.fromarray(image.numpy()), threshold))
    change = tone.solarised(as_pixels(image), torch.tensor([(threshold - 0.5) / 255]))
    assert np.array_equal(found(change).round(), expected)


@pytest.mark.parametrize("amount", [0.0, 0.5, 1.0, 1.9])
def test_sharpened_as_pillow_does(amount: float) -> None:
    image = picture(4)
    expected = ImageEnhance.Sharpness(Image.fromarray(image.numpy())).enhance(amount)
    change = found(tone.sharpened(as_pixels(image), torch.tensor([amount])))
    assert np.abs(change - np.asarray(expected).astype(float)).max() < 2.1  # it rounds twice


def test_pictures_too_small_to_smooth_are_left() -> None:
    pixels = torch.rand(2, 3, 2, 5)
    assert torch.allclose(tone.sharpened(pixels, torch.tensor([0.0, 2.0])), pixels, atol=1e-6)
