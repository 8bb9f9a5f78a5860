"""What an evaluation says: plain records that verbs return and reports show. No torch in here."""

from collections.abc import Sequence
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
