"""The five stimuli: what each keeps, patches against an exhaustive search, and what is refused."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import Tensor

from hubel.breaking import cues
from hubel.mistakes import Mistake


@pytest.fixture
def pixels() -> Tensor:
    return torch.rand(2, 3, 24, 20, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def masks() -> np.ndarray:
    made = np.zeros((2, 24, 20), bool)
    made[0, 4:17, 3:14] = True
    made[1, 0:24, 8:20] = True
    return made


@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
@pytest.mark.parametrize("channels", [1, 3])
def test_all_five_are_pictures_alike(
    pixels: Tensor, masks: np.ndarray, kind: torch.dtype, channels: int
) -> None:
    given_pixels = pixels[:, :channels].to(kind)
    before = given_pixels.clone()
    made = cues.stimuli(given_pixels, masks)
    assert tuple(made) == cues.STIMULI
    for name, found in made.items():
        assert found.shape == given_pixels.shape, name
        assert found.dtype == kind
        assert found.min() >= 0
        assert found.max() <= 1
        assert found.data_ptr() != given_pixels.data_ptr()
        one = cues.stimuli(given_pixels[1:], masks[1:])[name]
        assert torch.equal(one[0], found[1])
        none = cues.stimuli(given_pixels[:0], masks[:0])[name]
        assert none.shape == (0, *given_pixels.shape[1:])
    assert torch.equal(given_pixels, before)
    assert torch.equal(made["original"], before)


def test_greyscale_is_the_luminance(pixels: Tensor) -> None:
    grey = cues.greyscale(pixels)
    slow = 0.299 * pixels[:, 0] + 0.587 * pixels[:, 1] + 0.114 * pixels[:, 2]
    for channel in range(3):
        torch.testing.assert_close(grey[:, channel], slow, rtol=0, atol=1e-6)


def test_silhouettes_are_the_masks(pixels: Tensor, masks: np.ndarray) -> None:
    light = cues.silhouettes(pixels, masks)
    assert torch.equal(light[:, 1] == 0, torch.from_numpy(masks))
    assert torch.equal(cues.silhouettes(pixels, masks, dark=True), 1 - light)
    assert set(light.unique().tolist()) == {0.0, 1.0}


def test_edges_lie_along_a_step() -> None:
    step = torch.zeros(1, 1, 32, 32)
    step[..., 16:] = 1
    lines = cues.edges(step)[0, 0]
    assert set(lines.unique().tolist()) == {0.0, 1.0}
    where = (lines == 0).nonzero()
    assert len(where) >= 28  # a line from top to bottom
    assert set(where[:, 1].tolist()) <= {15, 16}
    assert torch.equal(cues.edges(step, dark=True)[0, 0], 1 - lines)
    assert cues.edges(torch.full((1, 3, 9, 9), 0.3)).min() == 1  # none at all
    with pytest.raises(Mistake, match="not 0"):
        cues.edges(step, sigma=0)


def test_the_ground_is_that_of_most_corners() -> None:
    light, dark = torch.ones(1, 1, 8, 8), torch.zeros(1, 1, 8, 8)
    light[..., 2:6, 2:6] = 0
    dark[..., 2:6, 2:6] = 1
    assert not cues.on_dark(light)
    assert cues.on_dark(dark)
    assert cues.on_dark(torch.cat((dark, dark, light)))
    assert not cues.on_dark(light[:0])


def slow_patch(mask: np.ndarray) -> int:
    """The side of the largest odd square of the mask, by trying all."""
    best = 0
    height, width = mask.shape
    for side in range(1, min(mask.shape) + 1, 2):
        for top in range(height - side + 1):
            for left in range(width - side + 1):
                if mask[top : top + side, left : left + side].all():
                    best = side
    return best


@given(arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.booleans()))
def test_the_patch_lies_inside_and_none_is_larger(mask: np.ndarray) -> None:
    top, left, side = cues.patch(mask)
    whole = slow_patch(mask)
    assert side == (whole if whole <= 1 else whole - 2)  # the rim is left out
    if side:
        assert mask[top : top + side, left : left + side].all()
        assert min(top, left) >= 0


def test_a_texture_is_its_patch_mirrored(pixels: Tensor, masks: np.ndarray) -> None:
    found = cues.textures(pixels, masks)
    assert found.inside.tolist() == [True, True]
    for n in range(2):
        top, left, side = cues.patch(masks[n])
        assert side == found.sides[n]
        square = pixels[n, :, top : top + side, left : left + side]
        up, across = (24 - side) // 2, (20 - side) // 2
        middle = found.pixels[n, :, up : up + side, across : across + side]
        assert torch.equal(middle, square)  # as it is, in the middle
        pad = np.pad(
            square.numpy(), ((0, 0), (up, 24 - side - up), (across, 20 - side - across)),
            mode="symmetric",
        )  # fmt: skip
        assert torch.equal(found.pixels[n], torch.from_numpy(pad))


def test_without_a_patch_it_is_the_middle_and_says_so(pixels: Tensor) -> None:
    thin = np.zeros((2, 24, 20), bool)
    thin[1, 3:5] = True
    found = cues.textures(pixels, thin)
    assert found.inside.tolist() == [False, False]
    assert found.sides.tolist() == [10, 10]
    assert torch.equal(found.pixels[0, :, 7:17, 5:15], pixels[0, :, 7:17, 5:15])


def test_refuses(pixels: Tensor, masks: np.ndarray) -> None:
    with pytest.raises(Mistake, match=r"found \(2, 2, 24, 20\)"):
        cues.greyscale(pixels[:, :2])
    with pytest.raises(Mistake, match=r"found 0\.02\S* to 254\.9"):
        cues.greyscale(pixels * 255)
    with pytest.raises(Mistake, match=r"Masks are bool \(2, 24, 20\).*found int64"):
        cues.silhouettes(pixels, masks.astype(int))
    with pytest.raises(Mistake, match=r"\(2, 20, 24\)"):
        cues.textures(pixels, masks.transpose(0, 2, 1))
    with pytest.raises(Mistake, match="nan"):
        cues.edges(pixels * torch.nan)
