"""look.html: what a network saw in some pictures, on one page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hubel.findings import Drawing
from hubel.report.html import HERE, Onward, render
from hubel.report.lecture import Picture, picture_of


@dataclass(frozen=True)
class Trial:
    """How one map did in both trials of it; the areas are those of one picture.

    rank: the mean rank correlation with random networks' maps; None: too slow to be tried.
    """

    name: str
    rank: float | None
    deletion: float
    deletion_moved: float
    insertion: float
    insertion_moved: float
    stays: bool | None

    @property
    def verdict(self) -> str:
        """In words: whether the map is about what was learned, and about what matters."""
        passed = (self.deletion < self.deletion_moved) + (self.insertion > self.insertion_moved)
        matters = ("does not mark what matters", "marks some of what matters", "marks what matters")
        if self.stays:
            return f"stays with random weights; {matters[passed]}"
        return matters[passed]


@dataclass(frozen=True)
class Part:
    """Drawings that belong together. small: side by side as they fit, or else each on its own."""

    title: str
    drawings: Sequence[Drawing]
    note: str = ""
    small: bool = False

    @property
    def pictures(self) -> list[Picture]:
        return [picture_of(drawing) for drawing in self.drawings]


@dataclass(frozen=True)
class Look:
    """One picture on the page.

    predictions: (class, probability), best first. target: the class that is explained; why: more
    about its choice. rests: on what the answer rests, in a sentence. picture: as the network sees
    it, uint8 (H, W, C). lines: what else is to be known.
    """

    name: str
    predictions: Sequence[tuple[str, float]]
    target: str
    why: str
    rests: str
    picture: NDArray[np.uint8]
    parts: Sequence[Part]
    trust: Sequence[Trial] = ()
    lines: Sequence[str] = ()

    @property
    def drawings(self) -> list[Drawing]:
        return [drawing for part in self.parts for drawing in part.drawings]

    def as_json(self) -> dict[str, Any]:
        return {
            "image": self.name,
            "classes": [{"name": name, "probability": p} for name, p in self.predictions],
            "target": self.target,
            "rests": self.rests,
            "drawings": [drawing.name for drawing in self.drawings],
            "trust": [vars(row) | {"verdict": row.verdict} for row in self.trust],
            "lines": list(self.lines),
        }


def look_page(
    looks: Sequence[Look],
    model: Sequence[Drawing],
    *,
    facts: Mapping[str, Any],
    onward: Onward = HERE,
) -> str:
    """The whole page as HTML. model: drawings of the network itself. facts: date, hubel, torch,
    model, layer (of Grad-CAM), units (the layer of these), chose."""
    return render(
        "look.html",
        onward=onward,
        looks=looks,
        model=[picture_of(each) for each in model],
        facts=facts,
    )
