"""lecture.html, and a page for each lab: claims, the figure, what was measured, the verdict."""

import base64
import struct
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from hubel.findings import HOLDS, HOLDS_NOT, NOT_SHOWN, Claim, Drawing, Finding, Shown
from hubel.report.html import HERE, Onward, render

LATER, FAILED = "later work", "could not be measured"
ORDER = (HOLDS, HOLDS_NOT, NOT_SHOWN, FAILED, LATER)
MARKS = {HOLDS: "yes", HOLDS_NOT: "no", NOT_SHOWN: "open", FAILED: "no", LATER: "open"}
_MOST_LINES = 40  # of what a lab prints; the rest is in its own output


class Picture(NamedTuple):
    """A drawing as the page shows it: data: URI, caption, and its size in points."""

    uri: str
    caption: str
    width: float
    height: float


@dataclass(frozen=True)
class Entry:
    """One claim on the page.

    finding: None where the lab is later work, or failed (`failed` says why). pictured_at: the claim
    that the lab's pictures stand with, where that is another one. lines: what the lab printed.
    parts: the claims that this one sums up; its verdict is then the least of theirs. page: the
    address of the lab's own.
    """

    claim: Claim
    finding: Finding | None = None
    drawings: tuple[Drawing, ...] = ()
    pictured_at: str = ""
    lines: tuple[str, ...] = ()
    failed: str = ""
    parts: tuple["Entry", ...] = ()
    page: str = ""

    @property
    def verdict(self) -> str:
        """One of five: the finding's three, that it failed, or that it is later work."""
        if self.parts:
            return max((part.verdict for part in self.parts), key=ORDER.index)
        if self.finding is not None:
            return self.finding.verdict
        return FAILED if self.claim.lab is not None else LATER

    @property
    def pictures(self) -> list[Picture]:
        return [picture_of(drawing) for drawing in self.drawings]

    @property
    def printed(self) -> list[str]:
        more = len(self.lines) - _MOST_LINES
        return [*self.lines[:_MOST_LINES], *([f"… and {more} more lines"] if more > 0 else [])]


def entries(claims: Sequence[Claim], shown: Shown, page: str = "") -> list[Entry]:
    """A lab's claims with what it found of them; its pictures and lines stand with the first."""
    found = {finding.id: finding for finding in shown.findings}
    first, *others = claims
    at = first.id if shown.drawings else ""
    return [
        Entry(first, found.get(first.id), shown.drawings, lines=shown.lines, page=page),
        *(Entry(each, found.get(each.id), pictured_at=at, page=page) for each in others),
    ]


def lab_page(entries: Sequence[Entry], *, facts: Mapping[str, Any], onward: Onward = HERE) -> str:
    """A lab's whole page as HTML. facts: date, and what its numbers.json says."""
    return render("lab.html", onward=onward, entries=entries, facts=facts, marks=MARKS)


def lecture_page(
    entries: Sequence[Entry], *, facts: Mapping[str, Any], onward: Onward = HERE
) -> str:
    """The whole page as HTML. facts: date, hubel, torch, machine, size, seed, seconds."""
    counts = Counter(entry.verdict for entry in entries)
    return render(
        "lecture.html",
        onward=onward,
        entries=entries,
        facts=facts,
        counts={verdict: counts[verdict] for verdict in ORDER if counts[verdict]},
        marks=MARKS,
    )


def picture_of(drawing: Drawing) -> Picture:
    """Drawings have two pixels to the point; a PNG tells its size after its signature."""
    width, height = struct.unpack(">II", drawing.png[16:24])
    uri = f"data:image/png;base64,{base64.b64encode(drawing.png).decode()}"
    return Picture(uri, drawing.caption, width / 2, height / 2)
