"""shape.html: what a network goes by, the shape of things or what they are made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hubel.figures import TOO_FEW, percent, tells
from hubel.findings import Drawing
from hubel.report.drawing import ACCENT, INK, MUTED, canvas, png, shortened, style
from hubel.report.html import HERE, Onward, render
from hubel.report.lecture import Picture, picture_of
from hubel.report.sheet import contact_sheet

Pixels = NDArray[np.uint8]  # (H, W, C), C 1 or 3
Named = tuple[str, float]  # a class and its probability
ROW = 21.0  # points of a row of figures


@dataclass(frozen=True)
class Stimulus:
    """Of one kind of picture: how many of how many are named rightly, and the 95 % interval."""

    name: str
    right: int
    n: int
    interval: tuple[float, float] | None

    @property
    def accuracy(self) -> float | None:
        return self.right / self.n if self.n else None


@dataclass(frozen=True)
class BiasRow:
    """Decisions by shape, by texture, and others; the share of shape among the first two.

    value: None where there is none; interval: 95 %, or None.
    """

    name: str
    shape: int
    texture: int
    other: int
    value: float | None
    interval: tuple[float, float] | None

    @property
    def tells(self) -> bool:
        """Whether there were enough decisions to say anything of."""
        return self.interval is not None and tells(self.interval)


@dataclass(frozen=True)
class TrialRow:
    """One image: its file, its two pictures and their classes, what it was named, and by which cue.

    excluded: why it does not count; "" where it does.
    """

    file: str
    shape: str
    texture: str
    shape_class: str
    texture_class: str
    decision: str
    probability: float
    cue: str
    excluded: str = ""


@dataclass(frozen=True)
class Shape:
    """All that stands on the page.

    classes: by the class of the shape. overall: None where no image was made. passed_over: pictures
    that no image was made of, and why. published: figures to stand beside it. notes: sentences to
    be read first. why_none: why there is no shape bias; "" where there is one.
    """

    stimuli: Sequence[Stimulus]
    overall: BiasRow | None
    classes: Sequence[BiasRow]
    trials: Sequence[TrialRow]
    passed_over: Sequence[tuple[str, str]]
    published: Mapping[str, float]
    notes: Sequence[str]
    why_none: str
    drawings: Sequence[Drawing] = ()

    def as_json(self) -> dict[str, Any]:
        return {
            "stimuli": [vars(row) | {"accuracy": row.accuracy} for row in self.stimuli],
            "shape_bias": self.overall and vars(self.overall),
            "classes": [vars(row) for row in self.classes],
            "why_none": self.why_none,
            "trials": [vars(row) for row in self.trials],
            "passed_over": [list(each) for each in self.passed_over],
            "published": dict(self.published),
            "notes": list(self.notes),
        }

    @property
    def excluded(self) -> list[tuple[str, list[TrialRow]]]:
        """Trials that do not count, by the reason."""
        by_reason: dict[str, list[TrialRow]] = {}
        for row in self.trials:
            if row.excluded:
                by_reason.setdefault(row.excluded, []).append(row)
        return list(by_reason.items())

    def pictures(self) -> dict[str, Picture]:
        return {drawing.name: picture_of(drawing) for drawing in self.drawings}


def shape_page(found: Shape, facts: Mapping[str, Any], onward: Onward = HERE) -> str:
    """The whole page as HTML. facts: date, hubel, torch, model, referee, data, method, …"""
    return render("shape.html", onward=onward, found=found, pictures=found.pictures(), facts=facts)


def stimuli_sheet(
    rows: Mapping[str, Sequence[Pixels]], answers: Mapping[str, Sequence[Named]]
) -> bytes:
    """Pictures as each stimulus, a row a kind, with what each was named below it, as PNG."""
    images = [image for tiles in rows.values() for image in tiles]
    captions = [f"{name}: {percent(p, 0)}" for named in answers.values() for name, p in named]
    across = len(next(iter(rows.values())))
    return contact_sheet(images, captions, columns=across, cell=100, headings=list(rows))


def conflict_sheet(images: Sequence[tuple[Pixels, Pixels, Pixels]], said: Sequence[str]) -> bytes:
    """(shape's picture, texture, image) in threes, said: the captions of all three in turn."""
    tiles = [tile for three in images for tile in three]
    return contact_sheet(tiles, said, columns=6 if len(images) > 1 else 3, cell=118)


def three_pictures(pictures: Sequence[Pixels], titles: Sequence[str],
                   named: Sequence[Sequence[Named]]) -> bytes:  # fmt: skip
    """Texture, object and conflict, with the most probable classes of each, as PNG."""
    captions = [
        "\n".join([title, *(f"{name}: {percent(p)}" for name, p in rows)])
        for title, rows in zip(titles, named, strict=True)
    ]
    return contact_sheet(pictures, captions, columns=3, cell=170)


def bias_figure(overall: BiasRow, classes: Sequence[BiasRow],
                published: Mapping[str, float]) -> bytes:  # fmt: skip
    """Shape bias by class, points with their intervals, and over all as a line, as PNG.

    A row of too few pictures has its count, and no point.
    As figure 4 of the paper: texture on the left's end, shape on the right's. Published figures
    stand below, open, because they are of other pictures.
    """
    shown = [row for row in classes if row.value is not None]
    height = 60 + ROW * (len(shown) + len(published) + 2.5)
    with style():
        figure, axes = canvas(620, height, left=230, right=66, top=30, bottom=34)
        for i, row in enumerate(shown):
            _point(axes, float(i), row, ACCENT)
        below = len(shown) + 0.6
        _point(axes, below, overall, INK)
        if overall.value is not None and overall.tells:
            axes.plot([overall.value] * 2, [-0.6, below], color=INK, lw=1, ls=(0, (4, 3)))
        labels = [(float(i), row.name) for i, row in enumerate(shown)] + [(below, "all classes")]
        for i, (name, value) in enumerate(published.items()):
            at = below + 1.5 + i
            axes.plot(value, at, "o", ms=6, mfc="white", mec=MUTED, zorder=3)
            axes.text(1.03, at, percent(value), va="center", fontsize=8.5, color=MUTED)
            labels.append((at, name))
        axes.set_yticks([at for at, _ in labels], [shortened(name, 42) for _, name in labels])
        axes.tick_params(axis="y", length=0, labelsize=8.5)
        axes.set(xlim=(0, 1), ylim=(labels[-1][0] + 0.6, -0.7))
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0 %", "25 %", "50 %", "75 %", "100 %"])
        axes.set_xlabel("shape bias: decisions by shape, of those by shape or texture")
        axes.axhline(below + 0.75, color=MUTED, lw=0.6)
        axes.grid(axis="x", color=MUTED, alpha=0.25)
        axes.set_axisbelow(True)
        axes.spines["left"].set_visible(False)
        for x, word, side in ((0.0, "← texture", "left"), (1.0, "shape →", "right")):
            axes.text(x, -0.95, word, ha=side, va="bottom", fontsize=9, color=MUTED)
        return png(figure)


def _point(axes: Any, at: float, row: BiasRow, colour: str) -> None:
    if row.value is None:
        return
    if row.interval is not None and row.tells:
        axes.plot(row.interval, [at, at], color=colour, lw=1.4, alpha=0.7, solid_capstyle="butt")
        axes.plot(row.value, at, "o", ms=6, color=colour, zorder=3, clip_on=False)
    else:
        axes.text(0.02, at, TOO_FEW, va="center", fontsize=8.5, color=MUTED)
    n = row.shape + row.texture
    axes.text(1.03, at, f"{percent(row.value, 0)} of {n}", va="center", fontsize=8.5, color=INK)


def accuracy_figure(rows: Sequence[Stimulus], chance: float) -> bytes:
    """Accuracy on each stimulus with its interval, and the level of chance, as PNG."""
    with style():
        figure, axes = canvas(474, 52 + ROW * len(rows), left=84, right=66, top=12, bottom=34)
        for i, row in enumerate(rows):
            if row.accuracy is None:
                axes.text(0.02, i, "no picture to show it of", va="center", fontsize=8.5)
                continue
            if row.interval and tells(row.interval):
                axes.barh(i, row.accuracy, height=0.55, color=ACCENT, alpha=0.55)
                axes.plot(row.interval, [i, i], color=INK, lw=1.2)
            else:
                axes.text(0.02, i, TOO_FEW, va="center", fontsize=8.5, color=MUTED)
            axes.text(1.03, i, f"{percent(row.accuracy, 0)} of {row.n}", va="center", fontsize=8.5)
        axes.axvline(chance, color=MUTED, lw=1, ls=(0, (2, 2)))
        axes.set_yticks(range(len(rows)), [row.name for row in rows])
        axes.tick_params(axis="y", length=0, labelsize=9)
        axes.set(xlim=(0, 1), ylim=(len(rows) - 0.4, -0.6), xlabel="named rightly; dotted: chance")
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0 %", "25 %", "50 %", "75 %", "100 %"])
        axes.spines["left"].set_visible(False)
        return png(figure)
