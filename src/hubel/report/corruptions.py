"""corruptions.html: what noise, blur, weather, files and geometry cost a classifier."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hubel.figures import interval, percent, tells
from hubel.findings import Drawing
from hubel.report.attack import COLOURS, Share
from hubel.report.drawing import ACCENT, INK, MUTED, canvas, in_percent, panels, png, style
from hubel.report.html import HERE, Onward, render
from hubel.report.lecture import picture_of

LINE = 17.0  # points, of a row of the dots
APART = 0.07  # of the way to the next severity, from one corruption to the next
LEAST = 1e-9  # further from 1, a ratio is not 1 by rounding


class Figure(NamedTuple):
    """A figure and its 95 % interval."""

    value: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class Row:
    """One corruption: the error at each severity, and their mean.

    departs: what is not as published, "" where all is. theirs: the reference's mean. relative:
    ours over theirs; None without a reference, or where that errs nowhere. tiles: the picture that
    is shown at each severity, uint8 (H, W, C).
    """

    name: str
    family: str
    what: str
    departs: str
    errors: Sequence[Share]
    mean: Figure
    theirs: Figure | None = None
    their_errors: Sequence[Share] = ()
    relative: Figure | None = None
    tiles: Sequence[NDArray[np.uint8]] = ()

    def as_json(self) -> dict[str, Any]:
        return {
            "corruption": self.name,
            "family": self.family,
            "departs": self.departs,
            "errors": [_share(each) for each in self.errors],
            "mean": _figure(self.mean),
            "reference": _figure(self.theirs),
            "reference_errors": [_share(each) for each in self.their_errors],
            "relative": _figure(self.relative),
        }


@dataclass(frozen=True)
class Corruptions:
    """All that is on the page.

    clean: the error on the pictures as they are. mean: over corruptions, of the means over
    severities; above: mean − clean. reference: what it is compared with, "" for nothing; mce: the
    mean corruption error against it, relative_mce that of what is above the clean errors. picture:
    the one that is shown, uint8 (H, W, C), as it is; pictured: its name.
    """

    clean: Share
    mean: Figure
    above: Figure
    severities: Sequence[int]
    rows: Sequence[Row]
    drawings: Sequence[Drawing]
    picture: NDArray[np.uint8]
    pictured: str
    reference: str = ""
    their_clean: Share | None = None
    their_mean: Figure | None = None
    mce: Figure | None = None
    relative_mce: Figure | None = None
    lines: Sequence[str] = ()

    @property
    def headline(self) -> str:
        """What corruptions cost, in words."""
        worst = max(self.rows, key=lambda row: row.mean.value)
        times = self.mean.value / self.clean.share if self.clean.part else None
        told = f"{times:.1f} times as many" if times else "where none was before"
        several = len(self.rows) > 1
        return (
            f"{percent(self.clean.share)} of the answers are wrong on the pictures as they are, "
            f"and {percent(self.mean.value)} ({interval(self.mean.interval)}) on corrupted ones, "
            f"{told}"
            + (f"; worst under {worst.name}, {percent(worst.mean.value)}." if several else ".")
        )

    @property
    def comparison(self) -> str:
        """The mean corruption error, in words; "" without a reference."""
        if not self.reference or self.their_mean is None:
            return ""
        if self.mce is None:
            return f"{self.reference} errs nowhere: there is no mean corruption error against it."
        if not tells(self.mean.interval):
            return f"Too few pictures for a mean corruption error against {self.reference}."
        low, high = self.mce.interval
        verdict = "not told apart from it"
        if low > 1 + LEAST or high < 1 - LEAST:
            verdict = f"{'worse' if low > 1 else 'better'} than {self.reference}"
        text = (
            f"Mean corruption error against {self.reference}: {100 * self.mce.value:.1f} % "
            f"({100 * low:.1f} to {100 * high:.1f} %; 100 % is as bad as {self.reference}): "
            f"{verdict}."
        )
        if self.relative_mce is not None:
            low, high = self.relative_mce.interval
            text += (
                f" Of what is above each one's error on the pictures as they are: "
                f"{100 * self.relative_mce.value:.1f} % ({100 * low:.1f} to {100 * high:.1f} %)."
            )
        return text

    def as_json(self) -> dict[str, Any]:
        return {
            "clean": _share(self.clean),
            "mean": _figure(self.mean),
            "above": _figure(self.above),
            "severities": list(self.severities),
            "reference": self.reference or None,
            "reference_clean": self.their_clean and _share(self.their_clean),
            "reference_mean": _figure(self.their_mean),
            "mce": _figure(self.mce),
            "relative_mce": _figure(self.relative_mce),
            "corruptions": [row.as_json() for row in self.rows],
            "lines": list(self.lines),
        }


def corruptions_page(found: Corruptions, facts: Mapping[str, Any], onward: Onward = HERE) -> str:
    """The whole page as HTML. facts: date, hubel, torch, model, data, pictures, of, seed."""
    # the sheet is a file beside the page, which shows the same pictures with words between
    pictures = [picture_of(drawing) for drawing in found.drawings if drawing.name != "sheet"]
    return render("corruptions.html", onward=onward, found=found, pictures=pictures, facts=facts)


def by_severity(rows: Sequence[Row], clean: Share, severities: Sequence[int]) -> bytes:
    """The error by severity, a panel for each family; dotted: as the pictures are."""
    families = list(dict.fromkeys(row.family for row in rows))
    across = min(2, len(families))
    down = -(-len(families) // across)
    with style():
        figure, axes = panels(down, across, width=280, height=250)
        most = max(each.interval[1] for row in rows for each in row.errors)
        for axis, family in zip(axes, families, strict=False):
            axis.axhline(100 * clean.share, color=MUTED, lw=0.8, ls="dotted")
            own = [row for row in rows if row.family == family]
            for k, row in enumerate(own):
                colour = COLOURS[k % len(COLOURS)]
                # so that intervals of one severity stand beside each other
                aside = APART * (k - (len(own) - 1) / 2)
                line = [100 * clean.share, *(100 * each.share for each in row.errors)]
                places = [0.0, *(aside + i for i in range(1, len(line)))]
                axis.plot(places, line, "o-", color=colour, ms=3.5, lw=1.3, label=row.name)
                for at, each in zip(places[1:], row.errors, strict=True):
                    if tells(each.interval):
                        ends = [100 * end for end in each.interval]
                        axis.plot([at, at], ends, color=colour, lw=1.1, alpha=0.55)
            axis.set_xticks(range(len(severities) + 1), ["0", *map(str, severities)])
            axis.set_ylim(0, 100 * min(1.02, 1.08 * most + 0.01))
            in_percent(axis.yaxis, whole=100)
            axis.set_title(family, fontsize=10)
            axis.set_xlabel("severity")
            # below, where no line is
            axis.legend(
                frameon=False, fontsize=8, ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.2),
                columnspacing=1, handlelength=1.4,
            )  # fmt: skip
        for axis in axes[len(families) :]:
            axis.set_axis_off()
        for axis in axes[::across]:
            axis.set_ylabel("wrong")
        return png(figure)


def by_corruption(rows: Sequence[Row], clean: Share, reference: str = "") -> bytes:
    """The mean error of each corruption with its interval, the worst first; the reference's too."""
    ordered = sorted(rows, key=lambda row: row.mean.value)
    with style():
        figure, axes = canvas(
            560, LINE * len(rows) + 64, left=104, right=14, top=26 if reference else 10, bottom=38
        )
        axes.axvline(100 * clean.share, color=MUTED, lw=0.8, ls="dotted")
        if reference:
            _dots(axes, [row.theirs for row in ordered], INK, reference, -0.17)
        _dots(axes, [row.mean for row in ordered], ACCENT, "this network", 0.17 * bool(reference))
        axes.set_yticks(range(len(ordered)), [row.name for row in ordered], fontsize=9)
        axes.set_ylim(-0.7, len(ordered) - 0.3)
        axes.set_xlim(left=0)
        in_percent(axes.xaxis, whole=100)
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x", color=MUTED, alpha=0.22, lw=0.8)
        axes.set_xlabel("wrong, the mean over severities (dotted: on the pictures as they are)")
        if reference:
            axes.legend(
                frameon=False, fontsize=9, ncols=2, loc="lower right", bbox_to_anchor=(1, 1)
            )
        return png(figure)


def _dots(axes: Any, figures: Sequence[Figure | None], colour: str, name: str, lift: float) -> None:
    known = [(i + lift, each) for i, each in enumerate(figures) if each is not None]
    for y, each in known:
        if tells(each.interval):
            low, high = each.interval
            axes.plot([100 * low, 100 * high], [y, y], color=colour, lw=1.2, alpha=0.6)
    axes.plot(
        [100 * each.value for _, each in known], [y for y, _ in known], "o", color=colour, ms=4.5,
        label=name,
    )  # fmt: skip


def _share(found: Share) -> dict[str, Any]:
    return {"part": found.part, "of": found.of, "share": found.share,
            "interval": list(found.interval)}  # fmt: skip


def _figure(found: Figure | None) -> dict[str, Any] | None:
    return found and {"value": found.value, "interval": list(found.interval)}
