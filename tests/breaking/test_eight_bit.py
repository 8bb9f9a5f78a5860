"""Rounding to the levels of a file: inside the ball, at a level, and through a PNG unchanged."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from hubel.breaking.eight_bit import LEVELS, png, rounded, saved
from hubel.breaking.norms import L2, LINF, Norm
from hubel.pixels import PixelSpec, read


def pictures(seed: int, channels: int = 3) -> tuple[Tensor, Tensor]:
    """Pictures as files have them, and changes of them within [0, 1]."""
    generator = torch.Generator().manual_seed(seed)
    levels = torch.randint(0, LEVELS + 1, (3, channels, 5, 4), generator=generator)
    originals = levels.float() / LEVELS
    return originals, torch.rand(originals.shape, generator=generator)


@settings(max_examples=20)
@given(seed=st.integers(0, 2**31), level=st.integers(1, 40), beside=st.floats(-0.4, 0.9))
def test_in_linf_every_pixel_goes_to_the_nearest_level_that_is_allowed(
    seed: int, level: int, beside: float
) -> None:
    originals, anywhere = pictures(seed, channels=1)
    epsilon = max(level + beside, 0.6) / LEVELS
    images = (originals + LINF.project(anywhere - originals, epsilon)).clamp(0, 1)
    found = rounded(images, originals, epsilon=epsilon)
    for new, image, old in zip(
        found.flatten().tolist(), images.flatten().tolist(), originals.flatten().tolist(),
        strict=True,
    ):  # fmt: skip
        allowed = [k / LEVELS for k in range(LEVELS + 1) if abs(k / LEVELS - old) <= epsilon + 1e-6]
        nearest = min(abs(each - image) for each in allowed)
        assert min(abs(new - each) for each in allowed) < 1e-7
        assert abs(new - image) == pytest.approx(nearest, abs=1e-6)


@pytest.mark.parametrize(("norm", "epsilon"), [(LINF, 0.5 / 255), (L2, 0.01), (L2, 0.3), (L2, 2)])
def test_inside_the_ball_at_levels_and_in_bounds(norm: Norm, epsilon: float) -> None:
    for seed in range(5):
        originals, anywhere = pictures(seed)
        images = (originals + norm.project(anywhere - originals, epsilon)).clamp(0, 1)
        found = rounded(images, originals, epsilon=epsilon, norm=norm)
        assert float(norm.size(found - originals).max()) <= epsilon * (1 + 1e-4)
        torch.testing.assert_close(found * LEVELS, (found * LEVELS).round(), rtol=0, atol=1e-4)
        assert float(found.min()) >= 0
        assert float(found.max()) <= 1


def test_without_epsilon_it_is_what_a_file_would_hold() -> None:
    _, images = pictures(0)
    torch.testing.assert_close(rounded(images, images), saved(images), rtol=0, atol=0)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_png_gives_levels_back_as_a_model_reads_them(channels: int) -> None:
    originals, images = pictures(4, channels)
    assert torch.equal(saved(originals), originals)
    spec = PixelSpec((5, 4), channels=channels)
    for image, again in zip(images, saved(images), strict=True):
        array = read(png(image), spec)
        assert torch.equal(torch.from_numpy(array).permute(2, 0, 1).float() / LEVELS, again)
        assert float((again - image).abs().max()) <= 0.5 / LEVELS + 1e-6


def test_no_pictures_and_every_level() -> None:
    none = torch.empty(0, 3, 4, 4)
    assert saved(none).shape == none.shape
    assert rounded(none, none, epsilon=0.1).shape == none.shape
    every = torch.arange(256).view(1, 1, 16, 16) / 255
    assert torch.equal(saved(every), every)
