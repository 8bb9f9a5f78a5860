"""What every lab is: a function from a `Setting` to what it has `Shown`.

A lab measures; it never states what it has not measured. Its claims' texts and errata stand in
`lecture.CLAIMS`; the lab gives findings under their ids. It is seeded, tells of its progress, and
has three sizes: "quick" is a test's few seconds, whose verdicts mean little; "usual" stays under
five minutes on two cores; "full" takes what the claim deserves.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from hubel.findings import Drawing, Finding, Shown
from hubel.verbs.watch import Watch

__all__ = ["Drawing", "Finding", "Lab", "Setting", "Shown", "Size"]

Size = Literal["quick", "usual", "full"]
T = TypeVar("T")


@dataclass(frozen=True)
class Setting:
    """How a lab is to run: its size, the seed of every draw, and who hears of its progress."""

    size: Size = "usual"
    seed: int = 0
    watch: Watch = field(default_factory=Watch)

    def pick(self, quick: T, usual: T, full: T) -> T:
        """The value for this size.

        >>> Setting("quick").pick(1, 10, 100)
        1
        """
        return {"quick": quick, "usual": usual, "full": full}[self.size]


Lab = Callable[..., Shown]  # (setting, **the lab's own options) → what it has shown
