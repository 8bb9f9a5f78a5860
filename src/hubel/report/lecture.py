"""lecture.html: every claim of the lecture, the figure, what was measured, and the verdict."""

import base64
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hubel.findings import HOLDS, HOLDS_NOT, NOT_SHOWN, Claim, Drawing, Finding
from hubel.report.html import render

LATER, FAILED = "later work", "could not be measured"
_MOST_LINES = 40  # of what a lab prints; the rest is in its own output


@dataclass(frozen=True)
class Entry:
    """One claim on the page.

    finding: None where the lab is later work, or failed (`failed` says why). pictured_at: the claim
    that the lab's pictures stand with, where that is another one. lines: what the lab printed.
    """

    claim: Claim
    finding: Finding | None = None
    drawings: tuple[Drawing, ...] = ()
    pictured_at: str = ""
    lines: tuple[str, ...] = ()
    failed: str = ""

    @property
    def verdict(self) -> str:
        """One of five: the finding's three, that it failed, or that it is later work."""
        if self.finding is not None:
            return self.finding.verdict
        return FAILED if self.claim.lab is not None else LATER

    @property
    def pictures(self) -> list[tuple[str, str]]:
        """(data: URI, caption) of each drawing."""
        return [
            (f"data:image/png;base64,{base64.b64encode(png).decode()}", caption)
            for _, png, caption in self.drawings
        ]

    @property
    def printed(self) -> str:
        more = len(self.lines) - _MOST_LINES
        shown = [*self.lines[:_MOST_LINES], *([f"… and {more} more lines"] if more > 0 else [])]
        return "\n".join(shown)


def lecture_page(entries: Sequence[Entry], *, facts: Mapping[str, Any]) -> str:
    """The whole page as HTML. facts: date, hubel, torch, machine, size, seed, seconds, waited."""
    counts = Counter(entry.verdict for entry in entries)
    order = (HOLDS, HOLDS_NOT, NOT_SHOWN, FAILED, LATER)
    return render(
        "lecture.html",
        entries=entries,
        facts=facts,
        counts={verdict: counts[verdict] for verdict in order if counts[verdict]},
        errata=[entry.claim for entry in entries if entry.claim.erratum],
        marks={HOLDS: "yes", HOLDS_NOT: "no", NOT_SHOWN: "open", FAILED: "no", LATER: "open"},
    )
