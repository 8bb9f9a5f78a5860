"""What an evaluation says: plain records that verbs return and reports show. No torch in here."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# A picture is called strange when this share of the validation pictures is nearer to the training
# pictures than it is: so are about 1 % of those that are like them.
STRANGE = 0.99
FEWEST = 20  # validation pictures: of fewer, chance alone too often puts all of them nearer


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
class Bin:
    """n answers of about one confidence: its mean, and the share of them that was right."""

    confidence: float
    accuracy: float
    n: int


@dataclass(frozen=True)
class Calibration:
    """error: the expected calibration error in [0, 1]; bins: the reliability diagram."""

    error: float
    bins: Sequence[Bin]


@dataclass(frozen=True)
class Group:
    """The pictures of one kind (of "size": "32 to 180 pixels"): accuracy, 95 % interval, number."""

    of: str
    label: str
    accuracy: float
    interval: tuple[float, float]
    n: int


@dataclass(frozen=True)
class Beside:
    """Another classifier on the same pictures: a baseline, or the run that it is compared with.

    only_ours, only_theirs: pictures that one of the two alone got right; p: McNemar's exact test,
    two-sided. trained_on: pictures that a baseline learned from.
    """

    name: str
    accuracy: float
    interval: tuple[float, float]
    only_ours: int
    only_theirs: int
    p: float
    trained_on: int | None = None

    @property
    def beaten(self) -> bool:
        """Whether ours is better by more than chance explains, at 5 %."""
        return self.only_ours > self.only_theirs and self.p < 0.05


@dataclass(frozen=True)
class Evaluation:
    """How good a classifier is on n labelled pictures.

    accuracy and top5 in [0, 1]; interval is the 95 % Wilson interval of the accuracy; top5 is None
    where it says nothing (five classes or fewer). loss: mean cross-entropy in nats. confusion:
    (K, K) counts, rows true, columns predicted, in the order of `classes`. calibration: how far
    its probabilities can be believed. groups: accuracy by size and brightness. besides: baselines
    on the same pictures; against: the model that it was to be compared with. mirrored: accuracy
    when the answers to each picture and to its mirror image are averaged. strange: how many of the
    pictures are unlike the training pictures, as `is_strange` has it. None or empty: not measured.
    """

    accuracy: float
    interval: tuple[float, float]
    n: int
    top5: float | None
    loss: float
    classes: Sequence[ClassFigures]
    confusion: NDArray[np.int64]
    calibration: Calibration | None = None
    groups: Sequence[Group] = ()
    besides: Sequence[Beside] = ()
    against: Beside | None = None
    mirrored: float | None = None
    strange: int | None = None

    def __post_init__(self) -> None:
        """Raises ValueError for what cannot be the figures of any classifier."""
        shares = (self.accuracy, *self.interval, self.top5, self.mirrored)
        if not all(share is None or 0 <= share <= 1 for share in shares):
            raise ValueError("accuracy, interval, top5 and mirrored are from 0 to 1")
        if self.confusion.min(initial=0) < 0 or self.n < 1:
            raise ValueError("confusion and n are counts")
        if not 0 <= (self.strange or 0) <= self.n:
            raise ValueError(f"strange: expected 0 to {self.n}, found {self.strange}")
        if self.confusion.shape != (len(self.classes), len(self.classes)):
            raise ValueError(
                f"confusion: expected {len(self.classes)} rows and columns, one for each class, "
                f"found {self.confusion.shape}"
            )

    def as_json(self) -> dict[str, Any]:
        """As `hubel evaluate --json` prints it: JSON values only, which `reading.typed` reads."""
        lists = {
            "interval": list(self.interval),
            "classes": [asdict(row) for row in self.classes],
            "confusion": self.confusion.tolist(),
            "calibration": self.calibration and asdict(self.calibration),
            "groups": [asdict(row) for row in self.groups],
            "besides": [asdict(row) for row in self.besides],
            "against": self.against and asdict(self.against),
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


def merit(figures: Mapping[str, float]) -> float:
    """By what an epoch is chosen: its validation accuracy, under attack where that was measured.

    Without a validation every epoch is as good as the one before it.
    """
    return figures.get("validation_robust", figures.get("validation_accuracy", 0.0))


def why_kept(history: Sequence[Mapping[str, float]], epoch: int) -> str:
    """Why the weights after an epoch (from 1) were kept, in words that go on from its number.

    >>> rows = [{"validation_accuracy": share} for share in (0.8, 0.9, 0.9, 0.7)]
    >>> why_kept(rows, 3)
    'the latest of the 2 with the highest validation accuracy'
    >>> why_kept(rows[:2], 2), why_kept(rows, 4)[:40]
    ('which has the highest validation accuracy', 'the latest that is, but for chance, as g')
    """
    merits = [merit(figures) for figures in history]
    if not any("validation_accuracy" in figures for figures in history):
        return "the last, as nothing was measured to choose by"
    under = " under attack" if any("validation_robust" in figures for figures in history) else ""
    highest, what = max(merits), f"the highest validation accuracy{under}"
    if merits[epoch - 1] < highest:
        first = merits.index(highest) + 1
        return f"the latest that is, but for chance, as good as epoch {first}, which has {what}"
    equal = merits.count(highest)
    return f"which has {what}" if equal == 1 else f"the latest of the {equal} with {what}"


@dataclass(frozen=True)
class Prediction:
    """One picture's most probable classes, best first; or why it could not be read.

    image: what the picture was called. classes: (name, probability) pairs, empty with an error.
    nearer: how many of the model's validation pictures, of which there are `against`, are nearer to
    its training pictures than this one is; None where the model does not know.
    """

    image: str
    classes: tuple[tuple[str, float], ...] = ()
    error: str | None = None
    nearer: int | None = None
    against: int = 0

    @property
    def strangeness(self) -> float | None:
        """The share of the validation pictures that are nearer, from 0 to 1."""
        return None if self.nearer is None else self.nearer / self.against

    @property
    def strange(self) -> bool:
        """Whether the picture is to be called unlike the training pictures."""
        return self.nearer is not None and is_strange(self.nearer, self.against)

    @property
    def unlike(self) -> str:
        """Why a strange picture is one, in words; of others nothing."""
        if not self.strange:
            return ""
        return (
            f"unlike the training pictures: farther from them than {self.nearer:,} of "
            f"{self.against:,} validation pictures"
        )

    def as_json(self) -> dict[str, Any]:
        named = [{"name": name, "probability": p} for name, p in self.classes]
        told: dict[str, Any] = {"image": self.image, "classes": named}
        if self.nearer is not None:
            told |= {"strangeness": self.strangeness, "strange": self.strange}
        return told | ({"error": self.error} if self.error else {})


def is_strange(nearer: int, against: int) -> bool:
    """Whether a picture is unlike the training pictures, as so many of so many are nearer.

    >>> is_strange(72, 72), is_strange(71, 72), is_strange(9, 9)
    (True, False, False)
    """
    return against >= FEWEST and nearer >= STRANGE * against


def totals(predictions: Sequence[Prediction]) -> dict[str, int]:
    """How many pictures each class is the most probable one of, the most frequent class first."""
    return dict(Counter(each.classes[0][0] for each in predictions if each.classes).most_common())


def strange(predictions: Sequence[Prediction]) -> int | None:
    """How many pictures are unlike the training pictures; None where the model does not know."""
    known = [each for each in predictions if each.nearer is not None]
    return sum(each.strange for each in known) if known else None
