"""Drawings of style transfers."""

import io

import numpy as np
import pytest
from PIL import Image

from hubel.mistakes import Mistake
from hubel.report.drawing import ACCENT
from hubel.report.style import loss_curves, side_by_side


def _pixels(content: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(content)) as picture:
        return np.asarray(picture.convert("RGB"))


def _holds(sheet: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """The columns in which a colour stands."""
    return np.flatnonzero((sheet == colour).all(2).any(0))


@pytest.mark.parametrize("channels", [1, 3])
def test_content_style_and_results_stand_in_order(channels: int) -> None:
    shades = [np.full((40, 60, channels), 50 * i, np.uint8) for i in range(1, 5)]
    sheet = _pixels(side_by_side(shades[0], shades[1][:, :20], {1.0: shades[2], 10.0: shades[3]}))
    middles = [float(_holds(sheet, (50 * i,) * 3).mean()) for i in range(1, 5)]
    assert middles == sorted(middles)
    assert np.diff(middles) == pytest.approx(np.diff(middles).mean(), abs=2)
    wide = [len(_holds(sheet, (50 * i,) * 3)) for i in (1, 2)]
    assert wide[1] == pytest.approx(wide[0] / 2, abs=3)  # 40 × 20: as high as wide is 60 × 40


def test_a_grid_needs_pictures() -> None:
    empty = np.zeros((0, 4, 3), np.uint8)
    with pytest.raises(Mistake, match="at least 1"):
        side_by_side(np.zeros((4, 4, 3), np.uint8), empty, {})


def test_a_line_for_each_weight_up_to_the_accent() -> None:
    falling = [(0.1 + 0.01 * i, 1 / (1 + i) ** 2, 0.01) for i in range(30)]
    accent = tuple(int(ACCENT[i : i + 2], 16) for i in (1, 3, 5))
    one = _pixels(loss_curves({10.0: falling}))
    assert len(_holds(one, accent)) > 300  # on three panels
    three = _pixels(loss_curves({1.0: falling, 10.0: falling[:1], 100.0: falling[:10]}))
    assert one.shape == three.shape
    assert 0 < len(_holds(three, accent)) < len(_holds(one, accent))


def test_losses_that_are_nothing_are_drawn() -> None:
    assert _pixels(loss_curves({0.0: [(0.0, 0.0, 0.0)] * 3})).shape[2] == 3
