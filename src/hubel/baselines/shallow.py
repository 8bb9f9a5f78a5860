"""The most frequent class, and linear support vector machines on features designed by hand."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from hubel import draws
from hubel.baselines import features
from hubel.training.linear import Fitted, svm

Features = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
Answer = Callable[[NDArray[np.float32]], NDArray[np.int64]]  # features → the classes named

# What is measured beside every network: name → features for a linear machine; None: no features.
BASELINES: Mapping[str, Features | None] = {
    "always the most frequent class": None,
    "linear machine on the pixels": features.pixels,
    "colour histogram + linear SVM": features.colours,
    "HOG + linear SVM": features.hog,
}
STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1)  # C, chosen on the validation pictures
MOST = 3_000  # training pictures that a machine is given: beyond them minutes buy tenths of points
SECONDS = 60.0  # that all machines of a run may take together
CHUNK = 256  # pictures whose features are computed at a time
SIDE = 64  # pixels at most: what HOG was made for (64×128)


@dataclass(frozen=True)
class Part:
    """Pictures uint8 (N, C, H, W) and labels int64 (N,)."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]


@dataclass(frozen=True)
class Baseline:
    """A baseline's answers on the test pictures, and what it was trained on.

    answers: None where no machine came to the end within the time: one cut short is no fair rival.
    """

    name: str
    answers: NDArray[np.int64] | None
    trained_on: int
    strength: float | None = None


def baselines(
    train: Part,
    validation: Part,
    test: Part,
    *,
    rows: Mapping[str, Features | None] = BASELINES,
    seconds: float = SECONDS,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Baseline]:
    """Each baseline in turn, trained on `train`, C chosen on `validation`.

    Without validation pictures C is the second of STRENGTHS. seconds: after so many of the clock's
    no machine takes a further step.
    """
    began = clock()

    def late() -> bool:
        return clock() - began > seconds

    for name, extract in rows.items():
        if extract is None:
            most = int(np.bincount(train.labels).argmax())
            yield Baseline(name, np.full(len(test.labels), most, np.int64), len(train.labels))
            continue
        if extract is features.colours and train.images.shape[1] == 1:
            continue  # of grey pictures it is a histogram of brightness: no colour to speak of
        parts = [_extracted(extract, part.images, late) for part in (train, validation, test)]
        axes = _axes(parts[0])
        inside, outside, beyond = (
            axes(part) if len(part) else np.empty((0, 0), np.float32) for part in parts
        )
        found = None if late() else _best(inside, train.labels, outside, validation.labels, late)
        if found is None:
            yield Baseline(name, None, len(train.labels))
            continue
        machine, strength = found
        answers = machine(beyond) if len(beyond) else np.empty(0, np.int64)
        yield Baseline(name, answers, len(train.labels), strength)


def _extracted(
    extract: Features, images: NDArray[np.uint8], late: Callable[[], bool]
) -> NDArray[np.float32]:
    """Features of all pictures; where it gets late, of those until then."""
    parts = []
    for start in range(0, len(images), CHUNK):
        parts.append(extract(images[start : start + CHUNK]))
        if late():
            break
    return np.concatenate(parts) if parts else np.empty((0, 0), np.float32)


def _axes(inside: NDArray[np.float32]) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """Features standardised by those of N training pictures, on the N axes that these span.

    A linear machine's weights are sums of its training features, so that nothing beyond their span
    matters to it: on axes of that span it is the same machine, of N numbers instead of thousands.
    """
    mean, deviation = inside.mean(0), inside.std(0)
    deviation[deviation < 1e-6] = 1
    if len(inside) >= inside.shape[1]:
        return lambda features: (features - mean) / deviation
    scaled = (inside - mean) / deviation
    squares, left = np.linalg.eigh((scaled @ scaled.T).astype(np.float64))
    spanned = squares > 1e-6 * squares[-1]  # of N pictures around their mean, N − 1 axes at most
    axes = (left[:, spanned] / np.sqrt(squares[spanned])).astype(np.float32).T @ scaled
    return lambda features: (features - mean) / deviation @ axes.T


def _best(
    inside: NDArray[np.float32],
    labels: NDArray[np.int64],
    outside: NDArray[np.float32],
    their_labels: NDArray[np.int64],
    late: Callable[[], bool],
) -> tuple[Answer, float] | None:
    """The machine with the most right answers on pictures outside, and its strength.

    Of equals the smallest; without pictures outside the second of STRENGTHS. The larger the
    strength the longer it takes: those that do not come to the end are passed over. None: none did.
    """
    there, numbers = np.unique(labels, return_inverse=True)
    best: tuple[Answer, float] | None = None
    most = -1.0
    for strength in STRENGTHS if len(their_labels) else STRENGTHS[1:2]:
        found = svm(inside.astype(np.float64), numbers, len(there), strength=strength, stop=late)
        if not found.converged:
            break
        machine = partial(_named, found, there)
        right = float((machine(outside) == their_labels).mean()) if len(their_labels) else 0.0
        if right > most:
            best, most = (machine, strength), right
    return best


def _named(
    machine: Fitted, classes: NDArray[np.int64], features: NDArray[np.float32]
) -> NDArray[np.int64]:
    named: NDArray[np.int64] = classes[machine.scores(features).argmax(1)]
    return named


def some(labels: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """The pictures to train on: at most MOST indices, every class by its share, in order."""
    if len(labels) <= MOST:
        return np.arange(len(labels))
    order = draws.order(seed, 0, len(labels), "baselines")
    by_class = order[np.argsort(labels[order], kind="stable")]
    return np.sort(by_class[np.linspace(0, len(labels) - 1, MOST).astype(np.int64)])
