"""fooling.html: images that a network is sure of and that show nothing, and how sure it is."""

import base64
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hubel.figures import percent
from hubel.report.drawing import ACCENT, INK, MUTED, canvas, in_percent, png, style
from hubel.report.html import HERE, Onward, render
from hubel.report.sheet import contact_sheet

MANY = 60  # classes: with more, a page shows some, and all as one sheet
SOME = 14  # of the best, of those around the median and of the worst
CELL = 44  # pixels of an image on a sheet of many
SURE = 0.99
TALL = 40  # per cent: curves that stay below are drawn larger
TITLES = {
    "cppn": "Evolved, by CPPNs",
    "direct": "Evolved, pixel by pixel",
    "gradient": "By gradient ascent",
}
MADE = {
    "cppn": "Each image is drawn by a small formula of its pixels' places, a compositional "
    "pattern-producing network. Formulas are varied at random; of each class the one is kept that "
    "the network is surest of.",
    "direct": "Pixels are varied at random, each on its own; of each class the image is kept that "
    "the network is surest of.",
    "gradient": "From noise, each step changes all pixels a little towards the class, along the "
    "gradient of the network's score.",
}
SHORT = {"cppn": "CPPNs", "direct": "pixel by pixel", "gradient": "gradient ascent"}
# medians on ImageNet, of networks of the time (Nguyen et al. 2015, sections 3.2 and 3.3)
PUBLISHED = {"cppn": 0.8811, "direct": 0.2159}


@dataclass(frozen=True)
class Gallery:
    """What one way came to: of each class its number, name, confidence and image.

    images uint8 (K, H, W, C). evaluations: images answered. curve (G, 3): evaluations so far,
    median confidence and the least.
    """

    way: str
    numbers: tuple[int, ...]
    names: tuple[str, ...]
    confidences: tuple[float, ...]
    images: NDArray[np.uint8]
    evaluations: int
    curve: NDArray[np.float64]

    @property
    def title(self) -> str:
        return TITLES.get(self.way, self.way)

    @property
    def made(self) -> str:
        """How its images come about, in words."""
        return MADE.get(self.way, "")

    @property
    def median(self) -> float:
        return float(np.median(self.confidences))

    @property
    def least(self) -> float:
        return min(self.confidences)

    @property
    def sure(self) -> int:
        """How many classes are at 99 % or more."""
        return sum(each >= SURE for each in self.confidences)

    @property
    def published(self) -> float | None:
        return PUBLISHED.get(self.way)

    @property
    def file(self) -> str:
        return f"{self.way}.png"

    def file_of(self, place: int) -> str:
        return f"{self.way}-{self.numbers[place]:04d}.png"

    @property
    def groups(self) -> dict[str, list[int]]:
        """The places shown one by one: all, or the surest, the middle and the least sure."""
        if len(self.names) <= MANY:
            return {"": list(range(len(self.names)))}
        order = sorted(range(len(self.names)), key=lambda i: -self.confidences[i])
        middle = (len(order) - SOME) // 2
        return {
            "The surest": order[:SOME],
            "Around the median": order[middle : middle + SOME],
            "The least sure": order[-SOME:],
        }

    @property
    def shown(self) -> list[int]:
        return [place for places in self.groups.values() for place in places]

    def as_json(self) -> dict[str, Any]:
        shown = set(self.shown)
        return {
            "way": self.way,
            "evaluations": self.evaluations,
            "median": self.median,
            "least": self.least,
            "at_99_percent": self.sure,
            "classes": [
                {"class": number, "name": name, "confidence": sure}
                | ({"file": self.file_of(place)} if place in shown else {})
                for place, (number, name, sure) in enumerate(
                    zip(self.numbers, self.names, self.confidences, strict=True)
                )
            ],
        }


def fooling_page(
    galleries: Sequence[Gallery],
    curves: bytes | None,
    facts: Mapping[str, Any],
    onward: Onward = HERE,
) -> str:
    """The whole page as HTML. curves: PNG. facts: date, hubel, torch, model, stopped."""
    sheets = {each.way: _uri(gallery_sheet(each)) for each in galleries if len(each.names) > MANY}
    return render(
        "fooling.html", onward=onward, galleries=galleries, sheets=sheets, facts=facts,
        curves=_uri(curves) if curves else None,
    )  # fmt: skip


def gallery_sheet(gallery: Gallery) -> bytes:
    """All classes' images as PNG: with name and confidence, or where they are many, without."""
    if len(gallery.names) > MANY:
        return _mosaic(gallery.images)
    captions = [
        f"{name}\n{percent(sure)}"
        for name, sure in zip(gallery.names, gallery.confidences, strict=True)
    ]
    longer = max(gallery.images.shape[1:3])
    return contact_sheet(list(gallery.images), captions, cell=min(max(longer / 2, 84), 128))


def _uri(drawing: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(drawing).decode()}"


def _mosaic(images: NDArray[np.uint8]) -> bytes:
    """All images in reading order, CELL pixels each, as PNG."""
    across = math.ceil(math.sqrt(1.3 * len(images)))
    down = math.ceil(len(images) / across)
    pitch = CELL + 2
    sheet = np.full((down * pitch, across * pitch, 3), 255, np.uint8)
    for i, image in enumerate(images):
        top, left = (pitch * n for n in divmod(i, across))
        way = Image.Resampling.NEAREST if max(image.shape[:2]) < CELL else Image.Resampling.BOX
        whole = np.ascontiguousarray(np.broadcast_to(image, (*image.shape[:2], 3)))
        sheet[top : top + CELL, left : left + CELL] = np.asarray(
            Image.fromarray(whole).resize((CELL, CELL), way)
        )
    file = io.BytesIO()
    Image.fromarray(sheet).save(file, "PNG")
    return file.getvalue()


def median_curves(curves: Mapping[str, NDArray[np.float64]]) -> bytes:
    """Confidence by images tried, two lines a way: the median class, and dotted the lowest; PNG."""
    colours = (ACCENT, INK, MUTED)
    with style():
        figure, axes = canvas(420, 270, left=52, right=24, top=14, bottom=74)
        for colour, (way, rows) in zip(colours, curves.items(), strict=False):
            marker = "o" if len(rows) == 1 else None  # a line needs two points
            for column, name, width, line in ((1, "median", 1.8, "-"), (2, "lowest", 1.2, ":")):
                axes.plot(
                    rows[:, 0], 100 * rows[:, column], color=colour, lw=width, ls=line,
                    label=f"{SHORT.get(way, way)}, {name}", marker=marker, ms=4,
                )  # fmt: skip
        most = 100 * max(float(rows[:, 1].max()) for rows in curves.values())
        top = 102 if most > TALL else 1.15 * max(most, 1e-3)
        axes.set(xlabel="images tried", ylabel="confidence", ylim=(0, top))
        axes.set_xlim(left=0)
        axes.locator_params(axis="x", nbins=4)  # so that numbers in millions keep apart
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        in_percent(axes.yaxis, whole=100)
        axes.grid(axis="y", color=MUTED, alpha=0.22, lw=0.8)
        # below, where no line is
        axes.legend(
            frameon=False, fontsize=8.5, ncols=2, loc="upper center", bbox_to_anchor=(0.5, -0.17)
        )
        return png(figure)
