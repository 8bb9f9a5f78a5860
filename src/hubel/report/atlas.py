"""atlas.html: what every unit of a layer answers to, by its nine top patches."""

import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hubel.report.html import HERE, Onward, jpeg_uri, render
from hubel.report.seen import around_grey

Pixels = NDArray[np.floating]  # (H, W, C) in [0, 1], C 1 or 3
SIDE, ACROSS, GAP, BETWEEN = 72, 3, 2, 16  # pixels of a patch; patches in a row; borders
BACKGROUND = 255
QUALITY = 90  # of the JPEG: one of PNG would be five times as large


@dataclass(frozen=True)
class Unit:
    """One unit of the atlas.

    sheet: its drawing, JPEG. activations: of its patches, the strongest first; pictures: their
    names; classes: of those, where the pictures have some. image: the activation of the image that
    was made for it; 0 or less where that failed, and none is shown. shown: height and width of what
    is shown of its patches, in pixels.
    """

    number: int
    sheet: bytes
    activations: Sequence[float]
    pictures: Sequence[str]
    classes: Sequence[str]
    image: float
    shown: tuple[int, int]

    @property
    def uri(self) -> str:
        return jpeg_uri(self.sheet)

    @property
    def file(self) -> str:
        return f"unit-{self.number:04d}.jpg"

    @property
    def shows(self) -> str:
        """The classes of the nine, the most frequent three: "bird (6), flower (3)"."""
        return ", ".join(f"{name} ({n})" for name, n in Counter(self.classes).most_common(3))

    def as_json(self) -> dict[str, Any]:
        return {
            "unit": self.number,
            "file": self.file,
            "activations": list(self.activations),
            "pictures": list(self.pictures),
            "classes": list(self.classes),
            "image": self.image,
            "shown": list(self.shown),
        }


def atlas_page(units: Sequence[Unit], facts: Mapping[str, Any], onward: Onward = HERE) -> str:
    """The whole page as HTML. facts: date, hubel, torch, model, layer, of (its units), pictures,
    data, rule, field (height, width), seconds."""
    return render("atlas.html", onward=onward, units=units, facts=facts)


def unit_sheet(
    patches: Sequence[Pixels], projections: Sequence[Pixels], image: Pixels | None
) -> bytes:
    """Nine patches, nine projections (signed, about mid-grey), and the unit's image, as JPEG.

    Each projection is on its own scale. Fewer than nine leave places empty, and so does no image.
    """
    square = ACROSS * SIDE + (ACROSS - 1) * GAP
    sheet = np.full((square, 3 * square + 2 * BETWEEN, 3), BACKGROUND, np.uint8)
    _put_all(sheet[:, :square], patches)
    middle = square + BETWEEN
    _put_all(sheet[:, middle : middle + square], [around_grey(each) for each in projections])
    if image is not None:
        _put(sheet[:, -square:], image)
    file = io.BytesIO()
    Image.fromarray(sheet).save(file, "jpeg", quality=QUALITY)
    return file.getvalue()


def _put_all(place: NDArray[np.uint8], pictures: Sequence[Pixels]) -> None:
    for i, picture in enumerate(pictures):
        top, left = (n * (SIDE + GAP) for n in divmod(i, ACROSS))
        _put(place[top : top + SIDE, left : left + SIDE], picture)


def _put(place: NDArray[np.uint8], picture: Pixels) -> None:
    """Fit a picture into the place: small ones enlarged pixel by pixel."""
    height, width = picture.shape[:2]
    scale = min(place.shape[0] / height, place.shape[1] / width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    whole = np.broadcast_to(np.round(picture * 255).astype(np.uint8), (height, width, 3))
    way = Image.Resampling.NEAREST if scale > 1 else Image.Resampling.LANCZOS
    fitted = np.asarray(Image.fromarray(np.ascontiguousarray(whole)).resize(size, way))
    top, left = (place.shape[0] - size[1]) // 2, (place.shape[1] - size[0]) // 2
    place[top : top + size[1], left : left + size[0]] = fitted
