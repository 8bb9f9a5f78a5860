"""Rows of small pictures: where each tile lies, and in what colours."""

import io

import numpy as np
from PIL import Image

from hubel.report.rows import GAP, LINE, picture_rows

SIDE, MARGIN = 30, 50


def test_tiles_lie_in_rows_and_columns() -> None:
    grey, red = np.full((4, 4, 1), 0.2), np.full((4, 4, 3), (1.0, 0, 0))
    half = np.zeros((4, 4))
    half[:, 2:] = 7.0  # a map: its brightest is shown brightest, whatever it is
    drawn = picture_rows({"one": [grey, red], "two\nlines": [half]}, ["left", "right\nside"],
                         side=SIDE, margin=MARGIN)  # fmt: skip
    image = np.asarray(Image.open(io.BytesIO(drawn)).convert("RGB")).astype(int)
    above = GAP + 2 * LINE
    assert image.shape == (2 * (above + 2 * (SIDE + GAP)), 2 * (MARGIN + 2 * (SIDE + GAP)), 3)

    def at(row: int, column: int, across: float) -> list[int]:
        y = above + row * (SIDE + GAP) + SIDE / 2
        x = MARGIN + column * (SIDE + GAP) + across * SIDE
        return image[int(2 * y), int(2 * x)].tolist()

    assert at(0, 0, 0.5) == [51] * 3
    assert at(0, 1, 0.5) == [255, 0, 0]
    assert max(at(1, 0, 0.2)) < 10
    assert min(at(1, 0, 0.8)) > 150
    assert at(1, 1, 0.5) == [255] * 3  # no tile: paper
    for place in (0, 1):  # the tile ends where it should, to the pixel
        start = int(2 * (MARGIN + place * (SIDE + GAP)))
        assert image[int(2 * (above + SIDE / 2)), start - 2].tolist() == [255] * 3
