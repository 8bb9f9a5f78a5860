import io
import re

import numpy as np
import pytest
from PIL import Image

from hubel.mistakes import Mistake
from hubel.report.sheet import contact_sheet


def _pixels(content: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(content)) as picture:
        return np.asarray(picture.convert("RGB"))


def test_pictures_stand_in_reading_order() -> None:
    shades = [np.full((4, 4, 1), 40 * i, np.uint8) for i in range(5)]
    sheet = _pixels(contact_sheet(shades, columns=3, cell=50))
    assert sheet.shape == (2 * (2 * 60 + 10), 2 * (3 * 60 + 10), 3)
    middles = [(2 * (10 + 25 + 60 * (i // 3)), 2 * (10 + 25 + 60 * (i % 3))) for i in range(5)]
    assert [int(sheet[y, x, 0]) for y, x in middles] == [0, 40, 80, 120, 160]
    assert (sheet[190, 310] == 255).all()  # the sixth place is empty


def test_a_small_picture_keeps_its_colours_pixel_by_pixel() -> None:
    image = np.random.default_rng(0).integers(0, 256, (5, 5, 3), dtype=np.uint8)
    sheet = _pixels(contact_sheet([image], cell=50))
    centres = [2 * (10 + 10 * i + 5) for i in range(5)]
    np.testing.assert_array_equal(sheet[np.ix_(centres, centres)], image)


def test_shape_is_kept() -> None:
    sheet = _pixels(contact_sheet([np.zeros((10, 40, 3), np.uint8)], cell=80))
    dark = np.argwhere(sheet[..., 0] < 128)
    height, width = np.ptp(dark, axis=0) + 1
    assert (width, height) == pytest.approx((160, 40), abs=2)


@pytest.mark.filterwarnings("ignore:Glyph", "ignore:Matplotlib currently does not")
def test_captions_take_their_lines_and_may_hold_anything() -> None:
    image = np.zeros((3, 3, 1), np.uint8)
    bare = _pixels(contact_sheet([image]))
    named = _pixels(contact_sheet([image], ["$\\frac$ 猫 <b>\n" + "long/" * 90]))
    assert named.shape[0] - bare.shape[0] == 2 * 2 * 11
    assert (named[-44:] < 128).any()  # something is written there
    assert (named[:, :8] == 255).all()  # and stays on the sheet


@pytest.mark.parametrize(
    ("images", "captions", "said"),
    [
        ([], [], "at least one"),
        ([np.zeros((2, 2, 1), np.uint8)], ["a", "b"], "1 pictures have 2 captions"),
        ([np.zeros((2, 2), np.uint8)], [], "(2, 2)"),
        ([np.zeros((2, 2, 4), np.uint8)], [], "(2, 2, 4)"),
        ([np.zeros((0, 2, 3), np.uint8)], [], "(0, 2, 3)"),
        ([np.zeros((2, 2, 3), np.float32)], [], "float32"),
    ],
)
def test_what_cannot_be_shown_is_a_mistake(
    images: list[np.ndarray], captions: list[str], said: str
) -> None:
    with pytest.raises(Mistake, match=re.escape(said)):
        contact_sheet(images, captions)
    with pytest.raises(Mistake, match="not 0"):
        contact_sheet([np.zeros((2, 2, 1), np.uint8)], columns=0)
