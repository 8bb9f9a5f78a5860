"""What a report is made of: plain records, filled by the verbs and read by figures and pages.

No tensor, model or path in here: a page is what one sends to a colleague, and it must not need
the machine that made it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hubel.results import Evaluation


@dataclass(frozen=True)
class Miss:
    """A held-out picture that the model got wrong: image uint8 (H, W, C), C 1 or 3.

    probability in [0, 1] is the one that the model gave to the class it predicted.
    """

    image: NDArray[np.uint8]
    name: str
    true: str
    predicted: str
    probability: float


@dataclass(frozen=True)
class MissPair:
    """A pair of classes that was mistaken, and its most confident mistakes, at most a handful."""

    true: str
    predicted: str
    pictures: int
    misses: Sequence[Miss]


@dataclass(frozen=True)
class TrialFigures:
    """One of several restarts: accuracies in [0, 1] at its kept epoch, loss in nats."""

    number: int
    validation_accuracy: float
    training_accuracy: float
    training_loss: float
    seconds: float
    kept: bool


@dataclass(frozen=True)
class FirstLayer:
    """The weights that meet the pixels: float (F, C, h, w), C 1 or 3.

    kind "filters": a convolution's; "templates": the rows of a fully connected layer in the shape
    of a picture, for a linear classifier one for each class. labels: one for each, or none.
    """

    weights: NDArray[np.floating]
    kind: Literal["filters", "templates"]
    labels: Sequence[str] = ()


@dataclass(frozen=True)
class Familiar:
    """What pictures are held against to say how strange they are: so many training pictures, and
    the distances of so many validation pictures from these.

    interval: 95 %, of the share of the test pictures that are strange; None where nobody counted.
    """

    training: int
    validation: int
    interval: tuple[float, float] | None = None


@dataclass(frozen=True, kw_only=True)
class TrainingReport:
    """Everything that the page and the model card of one training say.

    title: the heading. data, network: their names. classes: the K names in the order of the
    logits. recipe, environment: name → value, nested mappings allowed, shown as they are.
    history: one mapping for each finished epoch, with any of the keys epoch, loss, accuracy,
    validation_loss, validation_accuracy, rate and seconds (losses in nats, accuracies in [0, 1],
    seconds since the start). best_epoch: the epoch, from 1, whose weights were kept; 0 if none.
    validation: their figures on the validation pictures. test: on the test pictures, None until
    they were measured. mistakes: the pairs of classes to show wrong answers of, the most frequent
    first, of the test pictures if those were measured and else of the validation pictures. trials:
    of random restarts, all of them. start: what the training began with, None for nothing.
    temperature: what the logits are divided by, 1 as long as nobody calibrated. first_layer: None
    where it cannot be drawn. parameters: the network's numbers; trained: how many of them were
    trained up to the kept epoch, None for all; dropout: whether it has some. seconds: training
    time. splits: name of the split → pictures. stopped: "finished", or why not: "early stopping at
    epoch 12", "time limit", "interrupted". familiar: how strangeness was calibrated, None where it
    is not known. notices: whole sentences that a reader must not miss.
    """

    title: str
    data: str
    network: str
    classes: Sequence[str]
    recipe: Mapping[str, object]
    environment: Mapping[str, object]
    history: Sequence[Mapping[str, float]]
    best_epoch: int
    validation: Evaluation | None
    splits: Mapping[str, int]
    parameters: int
    seconds: float
    test: Evaluation | None = None
    first_layer: FirstLayer | None = None
    stopped: str = "finished"
    notices: Sequence[str] = ()
    trials: Sequence[TrialFigures] = ()
    start: str | None = None
    temperature: float = 1.0
    mistakes: Sequence[MissPair] = ()
    trained: int | None = None
    dropout: bool = False
    familiar: Familiar | None = None

    @property
    def learned(self) -> int:
        """The numbers that were trained."""
        return self.parameters if self.trained is None else self.trained

    @property
    def measured(self) -> Evaluation | None:
        """The figures to show in full: on the test pictures, else on the validation pictures."""
        return self.test or self.validation

    @property
    def measured_on(self) -> str:
        return "validation" if self.test is None else "test"
