import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from PIL import Image

from hubel.mistakes import Mistake
from hubel.report.filters import ZERO, filter_pictures, filters


@given(
    npst.arrays(
        np.float32,
        st.tuples(st.integers(1, 4), st.sampled_from([1, 3]), st.integers(1, 4), st.integers(1, 4)),
        elements=st.floats(-1e6, 1e6, width=32),
    )
)
def test_symmetric_about_zero_each_on_its_own_scale(weights: np.ndarray) -> None:
    pictures = filter_pictures(weights)
    assert len(pictures) == len(weights)
    for picture, opposite, weight in zip(pictures, filter_pictures(-weights), weights, strict=True):
        assert picture.dtype == np.uint8
        assert picture.shape == (*weight.shape[1:], weight.shape[0])
        planes = picture.transpose(2, 0, 1).astype(int)
        assert (planes[weight == 0] == ZERO).all()
        assert (planes[weight > 0] >= ZERO).all()
        assert (planes + opposite.transpose(2, 0, 1) == 2 * ZERO).all()
        if weight.any():
            assert {abs(int(planes.flat[np.abs(weight).argmax()]) - ZERO)} == {127}


def test_colours_share_a_scale() -> None:
    weights = np.zeros((1, 3, 1, 1))
    weights[0, :, 0, 0] = 2, 1, -2
    assert filter_pictures(weights)[0].tolist() == [[[255, 192, 1]]]


def test_a_zero_filter_is_mid_grey_on_the_sheet() -> None:
    with Image.open(io.BytesIO(filters(np.zeros((1, 1, 5, 5))))) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    inner = pixels[24:-24, 24:-24]  # the margin is 10 points, two pixels each
    assert (inner == ZERO).all()
    assert (pixels[:16] == 255).all()


def test_labelled_templates_stand_larger_and_have_room_for_names() -> None:
    weights = np.ones((2, 3, 8, 8))
    with (
        Image.open(io.BytesIO(filters(weights))) as plain,
        Image.open(io.BytesIO(filters(weights, ["cat", "dog"]))) as named,
    ):
        assert named.width > plain.width
        assert named.height - plain.height == 2 * (96 - 48 + 11)


@pytest.mark.parametrize("shape", [(2, 2, 3, 3), (2, 3, 3), (0, 3, 3, 3), (4, 12)])
def test_what_does_not_meet_pixels_is_a_mistake(shape: tuple[int, ...]) -> None:
    with pytest.raises(Mistake, match=str(shape[0])):
        filter_pictures(np.zeros(shape))


def test_weights_that_are_not_finite_are_a_mistake() -> None:
    with pytest.raises(Mistake, match="NaN"):
        filter_pictures(np.full((1, 1, 2, 2), np.nan))
