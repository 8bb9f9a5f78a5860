"""attack.html: how little in a picture has to change for a network to be wrong."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hubel.figures import percent, tells
from hubel.findings import Drawing
from hubel.report.drawing import (
    ACCENT,
    INK,
    MUTED,
    in_percent,
    legend_below,
    panels,
    png,
    shortened,
    style,
)
from hubel.report.html import HERE, Onward, render
from hubel.report.lecture import picture_of
from hubel.report.rows import Tile, picture_rows

COLOURS = (ACCENT, INK, "#2f5d8a", "#4f8a4b", "#8a3f7a", "#b08900", MUTED)
DASHES = ("-", "--", ":", "-.")  # by model
NORMS = {"linf": "L∞", "l2": "L2"}


class Share(NamedTuple):
    """So many of so many, and the 95 % interval of the share."""

    part: int
    of: int
    interval: tuple[float, float]

    @property
    def share(self) -> float:
        return self.part / self.of


@dataclass(frozen=True)
class Row:
    """One attack within one ε, in the norm, in units of [0, 1].

    model: whom it is made for, where that is another than the page's. before: pictures right
    without any change, of all; accuracy: those still right. success: pictures that fool, of those
    that were right and attacked; reloaded: that also do so out of a PNG file; lasting: that do when
    they were rounded with care first. median: of what fools, the size of the change.
    """

    attack: str
    norm: str
    epsilon: float
    accuracy: Share
    success: Share
    reloaded: Share
    lasting: Share
    median: float | None
    before: Share
    model: str = ""

    @property
    def name(self) -> str:
        """The attack, and on whom."""
        return f"{self.attack}, {self.model}" if self.model else self.attack

    @property
    def within(self) -> str:
        return written(self.epsilon, self.norm)

    def as_json(self) -> dict[str, Any]:
        shares = {
            name: {"part": found.part, "of": found.of, "share": found.share,
                   "interval": list(found.interval)}
            for name in ("before", "accuracy", "success", "reloaded", "lasting")
            for found in [getattr(self, name)]
        }  # fmt: skip
        return vars(self) | shares


@dataclass(frozen=True)
class Tried:
    """One check on an attack within one ε, in its norm; model: which other one it was made on."""

    name: str
    passed: bool
    found: str
    attack: str
    norm: str
    epsilon: float
    model: str = ""

    @property
    def called(self) -> str:
        return f"{self.attack} on {self.model}" if self.model else self.attack

    @property
    def within(self) -> str:
        return f"{NORMS[self.norm]} {written(self.epsilon, self.norm)}"


class Transfer(NamedTuple):
    """What PGD makes for one network, shown to the others: shares (M, M), rows fool columns."""

    networks: Sequence[str]
    shares: Sequence[Sequence[float]]
    pictures: int
    norm: str
    epsilon: float

    @property
    def within(self) -> str:
        return f"{NORMS[self.norm]} {written(self.epsilon, self.norm)}"

    def as_json(self) -> dict[str, Any]:
        shares = [[None if share != share else share for share in row] for row in self.shares]
        return self._asdict() | {"shares": shares}


@dataclass(frozen=True)
class Smallest:
    """Of pictures that were right the smallest change that fools, in a norm, by any attack.

    of: so many pictures. quartiles: of the changes' sizes, with the median. by: how many are whose.
    pictures: (name, size, attack), of all that something fools.
    """

    norm: str
    of: int
    quartiles: tuple[float, float, float] | None
    by: Mapping[str, int]
    pictures: Sequence[tuple[str, float, str]]

    @classmethod
    def among(
        cls, norm: str, names: Sequence[str], sizes: Sequence[float], attacks: Sequence[str]
    ) -> "Smallest":
        """From the size and the attack of each picture; infinite where none fools."""
        pictures = [row for row in zip(names, sizes, attacks, strict=True) if row[1] < np.inf]
        low, median, high = np.quantile([row[1] for row in pictures] or [0.0], (0.25, 0.5, 0.75))
        return cls(
            norm, len(names),
            (float(low), float(median), float(high)) if pictures else None,
            dict(Counter(row[2] for row in pictures).most_common()), pictures,
        )  # fmt: skip

    def as_json(self) -> dict[str, Any]:
        pictures = [
            dict(zip(("name", "size", "attack"), row, strict=True)) for row in self.pictures
        ]
        return vars(self) | {"pictures": pictures}

    @property
    def told(self) -> str:
        """In words."""
        if self.quartiles is None:
            return f"No attack fools any of {self.of} pictures in {NORMS[self.norm]}."
        low, median, high = (written(each, self.norm) for each in self.quartiles)
        by = ", ".join(f"{name} {count}" for name, count in self.by.items())
        return (
            f"The smallest change that any of the attacks found has a median size of {median} in "
            f"{NORMS[self.norm]}, and one from {low} to {high} for half of the pictures. It was "
            f"found for {len(self.pictures)} of {self.of} pictures, by {by}."
        )


@dataclass(frozen=True)
class Example:
    """One picture (H, W, C) in [0, 1] that fools; before and after: (class, probability)."""

    original: NDArray[np.floating[Any]]
    result: NDArray[np.floating[Any]]
    before: tuple[str, float]
    after: tuple[str, float]
    size: float
    norm: str


@dataclass(frozen=True)
class Attacks:
    """All that is on the page.

    clean: pictures right before any attack, of all. target: what pictures were to be taken for.
    stopped: before all was done.
    """

    clean: Share
    rows: Sequence[Row]
    attacks: Mapping[str, str]
    drawings: Sequence[Drawing]
    checks: Sequence[Tried] = ()
    transfer: Transfer | None = None
    lines: Sequence[str] = ()
    target: str | None = None
    stopped: bool = False
    smallest: Sequence[Smallest] = ()

    @property
    def headline(self) -> str:
        """The strongest attack's first ε that takes half of what was right, in words."""
        rows = [row for row in self.rows if not row.model]
        if not rows:
            return "No attack was finished."
        return f"{self._warning}{self._strongest(rows)}"

    def _strongest(self, rows: Sequence[Row]) -> str:
        found = [row for row in rows if 2 * row.success.part >= row.success.of]
        if not found:
            last = min(rows, key=lambda row: row.accuracy.share)
            return (
                f"Of {last.success.of} pictures that were right, {last.attack} fools "
                f"{last.success.part} within {NORMS[last.norm]} {last.within}, and no attack more."
            )
        first = min(found, key=lambda row: (row.norm != "linf", row.epsilon, -row.success.part))
        what = "wrong ones" if self.target is None else f"{self.target!r}"
        return (
            f"{first.attack} turns {first.success.part} of {first.success.of} right answers into "
            f"{what}, by changes of at most {first.within} ({NORMS[first.norm]}; pixels are from 0 "
            "to 1)."
        )

    @property
    def failed(self) -> list[str]:
        """The attacks that do not show what a sound one must."""
        return list(dict.fromkeys(check.called for check in self.checks if not check.passed))

    @property
    def sound(self) -> bool:
        """Whether all checks hold of the strongest attack of each norm, which is tried last."""
        last = {(check.model, check.norm): check.called for check in self.checks}
        return not set(last.values()) & set(self.failed)

    @property
    def _warning(self) -> str:
        """Before the headline: whose figures are not to be relied on."""
        if not self.failed:
            return ""
        names = " and ".join(self.failed)
        many = len(self.failed) > 1
        fails = f"{names} fail{'' if many else 's'} the checks of a sound attack: "
        if self.sound:
            return f"{fails}go by the stronger one that went on. "
        return f"{fails}the network may be weaker than it looks. "

    @property
    def overshot(self) -> list[str]:
        """Of attacks of one step, between which ε they come to fool fewer; in words."""
        found = []
        for line in _lines(self.rows):
            for near, far in pairwise(line):
                if line[0].attack == "fgsm" and far.success.part < near.success.part:
                    found.append(
                        f"{near.name} fools {near.success.part} pictures within {near.within}, but "
                        f"only {far.success.part} within {far.within}"
                    )
                    break
        return found


def attack_page(found: Attacks, facts: Mapping[str, Any], onward: Onward = HERE) -> str:
    """The whole page as HTML. facts: date, hubel, torch, model, data, pictures, seed."""
    pictures = [picture_of(drawing) for drawing in found.drawings]
    return render(
        "attack.html", onward=onward, found=found, pictures=pictures, facts=facts, norms=NORMS
    )


def written(epsilon: float, norm: str = "linf") -> str:
    """ε in three digits; in L∞ as levels of 8 bits where it is so many of them.

    >>> written(8 / 255), written(0.1), written(8 / 255, "l2")
    ('8/255', '0.1', '0.0314')
    """
    levels = epsilon * 255
    whole = round(levels)
    if norm == "linf" and 1 <= whole <= 128 and abs(levels - whole) < 1e-3:
        return f"{whole}/255"
    return f"{epsilon:.3g}"


def curves(rows: Sequence[Row], clean: Share) -> bytes:
    """Accuracy under attack by ε, with its intervals, one panel a norm."""
    norms = [norm for norm in NORMS if any(row.norm == norm for row in rows)]
    attacks = list(dict.fromkeys(row.attack for row in rows))
    models = list(dict.fromkeys(row.model for row in rows))
    with style():
        figure, axes = panels(1, len(norms), width=330, height=262)
        for axis, norm in zip(axes, norms, strict=True):
            own = [row for row in rows if row.norm == norm]
            marks = sorted({row.epsilon for row in own})
            axis.axhline(100 * clean.share, color=MUTED, lw=0.8, ls="dotted")
            lines = _lines(own)
            # the later, the thinner: lines that lie on each other are all seen
            for k, line in zip(range(len(lines) - 1, -1, -1), lines, strict=True):
                places = [0, *(marks.index(row.epsilon) + 1 for row in line)]
                counts = [line[0].before, *(row.accuracy for row in line)]
                low, high = ([100 * each.interval[side] for each in counts] for side in (0, 1))
                colour = COLOURS[attacks.index(line[0].attack) % len(COLOURS)]
                dashes = DASHES[models.index(line[0].model) % len(DASHES)]
                axis.plot(
                    places, [100 * each.share for each in counts], marker="o", ls=dashes,
                    color=colour, ms=3.5, lw=1.3 + 0.9 * k, label=line[0].name,
                )  # fmt: skip
                told = [tells(each.interval) for each in counts]
                axis.fill_between(places, low, high, where=told, color=colour, alpha=0.13, lw=0)
            axis.set_xticks(
                range(len(marks) + 1), ["0", *(written(mark, norm) for mark in marks)], fontsize=8
            )
            axis.set_ylim(0, 102)
            in_percent(axis.yaxis, whole=100)
            axis.set_xlabel(f"largest change, {NORMS[norm]}")
        axes[0].set_ylabel("accuracy on all pictures")
        legend_below(figure, columns=4 * len(norms))
        return png(figure)


def _lines(rows: Sequence[Row]) -> list[list[Row]]:
    """The rows of each attack and model, by rising ε."""
    names = dict.fromkeys(row.name for row in rows)
    return [
        sorted((row for row in rows if row.name == name), key=lambda row: row.epsilon)
        for name in names
    ]


def examples(found: Sequence[Example]) -> bytes:
    """Original, difference × 10 about mid-grey, and result, one column a picture."""
    rows: dict[str, list[Tile]] = {
        "original": [each.original for each in found],
        "difference × 10": [np.clip(0.5 + 10 * (e.result - e.original), 0, 1) for e in found],
        "result": [each.result for each in found],
    }
    columns = [
        f"{shortened(e.before[0], 12)}: {percent(e.before[1], 0)}\n→ {shortened(e.after[0], 10)}: "
        f"{percent(e.after[1], 0)}\n{NORMS[e.norm]} {written(e.size, e.norm)}"
        for e in found
    ]
    return picture_rows(rows, columns, side=88, margin=92)
