"""What a lab found: claims of the lecture, measured, with the pictures and numbers behind them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

HOLDS, HOLDS_NOT, NOT_SHOWN = (
    "holds",
    "does not hold here",
    "cannot be shown without data that must be fetched",
)


@dataclass(frozen=True)
class Claim:
    """One claim or figure of the lecture.

    id: L1 to L52, in the lecture's order; X1 and on, beyond it. text: what it says. lab: the lab
    that shows it, None where that is later work. erratum: what the slide gets wrong, said wherever
    it is shown. later: the command that will show it.
    """

    id: str
    text: str
    lab: str | None
    erratum: str = ""
    later: str = ""


@dataclass(frozen=True)
class Finding:
    """One claim, measured.

    id: the claim's. measured: what was found, a sentence with its figures. holds: None where it
    cannot be shown without data or a machine that is not here; `measured` then says what shows it.
    n: on how much (pictures, seeds, cases). spread: between which values, or "exact".
    """

    id: str
    measured: str
    holds: bool | None
    n: str
    spread: str = "exact"

    @property
    def verdict(self) -> str:
        return NOT_SHOWN if self.holds is None else HOLDS if self.holds else HOLDS_NOT


class Drawing(NamedTuple):
    """A picture (PNG), the name of its file without the ending, and what there is to see."""

    name: str
    png: bytes
    caption: str


@dataclass(frozen=True)
class Shown:
    """All that a lab gives: findings, pictures, the numbers as JSON values, and lines to print."""

    findings: tuple[Finding, ...]
    drawings: tuple[Drawing, ...] = ()
    numbers: Mapping[str, Any] = field(default_factory=dict)
    lines: tuple[str, ...] = ()
