"""Many small pictures on one sheet, each with its caption."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hubel.mistakes import Mistake
from hubel.report.drawing import canvas, png, shortened, style

_GAP, _LINE, _LETTER = 10.0, 11.0, 5.0  # points


def contact_sheet(
    images: Sequence[NDArray[np.uint8]],
    captions: Sequence[str] = (),
    *,
    columns: int | None = None,
    cell: float = 96.0,
    headings: Sequence[str] = (),
) -> bytes:
    """The pictures in reading order as PNG, two pixels to the point.

    images: uint8 (H, W, C), C 1 or 3, of any sizes: each is fitted into a square of `cell` points,
    small ones enlarged pixel by pixel. captions: one for each, or none; "\\n" starts a new line,
    and a line that is too long loses its middle. columns: by default about as wide as high.
    headings: a line above each row, or none.
    Raises Mistake for no pictures, another number of captions, or another shape or type.
    """
    _check(images, captions, columns)
    head = _LINE * 1.6 if headings else 0.0
    lines = max((caption.count("\n") + 1 for caption in captions), default=0)
    across = columns or min(len(images), max(4, math.ceil(math.sqrt(1.4 * len(images)))))
    down = math.ceil(len(images) / across)
    pitch_x, pitch_y = cell + _GAP, head + cell + _GAP + lines * _LINE
    width, height = across * pitch_x + _GAP, down * pitch_y + _GAP
    with style():
        figure, axes = canvas(width, height, left=0, right=0, top=0, bottom=0)
        axes.set_axis_off()
        for row, text in enumerate(headings):
            axes.text(_GAP, _GAP + pitch_y * row + _LINE, text, size=9, va="baseline")
        for i, image in enumerate(images):
            x = _GAP + pitch_x * (i % across)
            y = _GAP + head + pitch_y * (i // across)
            h, w = image.shape[:2]
            wide, high = cell * w / max(h, w), cell * h / max(h, w)
            left, top = x + (cell - wide) / 2, y + (cell - high) / 2
            axes.imshow(
                np.broadcast_to(image, (h, w, 3)),
                extent=(left, left + wide, top + high, top),
                interpolation="nearest" if max(h, w) < cell else "hanning",
                aspect="auto",
            )
            for n, line in enumerate(captions[i].split("\n") if captions else ()):
                text = shortened(line, int(cell / _LETTER))
                baseline = y + cell + _LINE * (n + 0.9)
                axes.text(x + cell / 2, baseline, text, size=8, ha="center", va="baseline")
        axes.set_xlim(0, width)
        axes.set_ylim(height, 0)
        return png(figure)


def _check(
    images: Sequence[NDArray[np.uint8]], captions: Sequence[str], columns: int | None
) -> None:
    if not len(images):
        raise Mistake("A contact sheet needs at least one picture, and there is none.")
    if len(captions) not in (0, len(images)):
        raise Mistake(
            f"{len(images)} pictures have {len(captions)} captions: give one for each, or none."
        )
    if columns is not None and columns < 1:
        raise Mistake(f"A contact sheet has at least 1 column, not {columns}.")
    for i, image in enumerate(images):
        if (
            image.dtype != np.uint8
            or image.ndim != 3
            or image.shape[2] not in (1, 3)
            or not image.size
        ):
            raise Mistake(
                f"Picture {i} is {image.dtype} {image.shape}: a contact sheet takes "
                "uint8 (H, W, C) with C 1 or 3 and H, W at least 1."
            )
