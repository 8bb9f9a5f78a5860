"""What an evaluation says: plain records that verbs return and reports show. No torch in here."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ClassFigures:
    """One class: precision, recall and F1 in [0, 1] (0 where there is nothing to count).

    n: how many pictures truly are of it.
    """

    name: str
    precision: float
    recall: float
    f1: float
    n: int


@dataclass(frozen=True)
class Evaluation:
    """How good a classifier is on n labelled pictures.

    accuracy and top5 in [0, 1]; interval is the 95 % Wilson interval of the accuracy; top5 is None
    where it says nothing (five classes or fewer). loss: mean cross-entropy in nats. confusion:
    (K, K) counts, rows true, columns predicted, in the order of `classes`.
    """

    accuracy: float
    interval: tuple[float, float]
    n: int
    top5: float | None
    loss: float
    classes: Sequence[ClassFigures]
    confusion: NDArray[np.int64]

    def as_json(self) -> dict[str, Any]:
        """As `hubel evaluate --json` prints it: JSON values only."""
        lists = {
            "interval": list(self.interval),
            "classes": [asdict(row) for row in self.classes],
            "confusion": self.confusion.tolist(),
        }
        return {**vars(self), **lists}


@dataclass(frozen=True)
class Copies:
    """Two pictures of the data that are one: equal, or mirrored, cropped, resized or compressed.

    likeness: the correlation of their fine detail, 1 where they are equal pixel by pixel.
    """

    names: tuple[str, str]
    splits: tuple[str, str]
    classes: tuple[str, str]
    equal: bool
    mirrored: bool
    likeness: float


@dataclass(frozen=True)
class Alike:
    """Two classes: the share of their pictures whose nearest other picture is of the other one.

    names: two such neighbours, as an example.
    """

    classes: tuple[str, str]
    share: float
    names: tuple[str, str]


@dataclass(frozen=True)
class Inspection:
    """What is in a data set or a folder.

    counts: split → class → pictures. looked_at: how many were opened. sizes, balance: phrases;
    formats: name → files; megabytes of all files, None where there are none. unreadable: name →
    reason. copies, alike: see there, the likest first; None where they were not looked for. blank:
    pictures of one colour all over. notices: sentences that a reader must not miss.
    """

    name: str
    classes: tuple[str, ...]
    counts: Mapping[str, Mapping[str, int]]
    looked_at: int
    sizes: str
    formats: Mapping[str, int]
    megabytes: float | None
    balance: str
    unreadable: Mapping[str, str]
    copies: Sequence[Copies] | None
    alike: Sequence[Alike] | None
    blank: Sequence[str]
    notices: Sequence[str]

    def as_json(self) -> dict[str, Any]:
        """As `hubel data show --json` prints it: JSON values only."""
        return asdict(self)
