"""The most frequent class, and linear support vector machines on features designed by hand."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hubel import draws
from hubel.baselines import features

if TYPE_CHECKING:
    from sklearn.svm import LinearSVC

Features = Callable[[NDArray[np.uint8]], NDArray[np.float32]]

# What is measured beside every network: name → features for a linear machine; None: no features.
BASELINES: Mapping[str, Features | None] = {
    "always the most frequent class": None,
    "linear machine on the pixels": features.pixels,
    "colour histogram + linear SVM": features.colours,
    "HOG + linear SVM": features.hog,
}
STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1)  # C, chosen on the validation pictures
MOST = 3_000  # training pictures that a machine is given: beyond them minutes buy tenths of points
SIDE = 64  # pixels at most: what HOG was made for (64×128)


@dataclass(frozen=True)
class Part:
    """Pictures uint8 (N, C, H, W) and labels int64 (N,)."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]


@dataclass(frozen=True)
class Baseline:
    """A baseline's answers on the test pictures, and what it was trained on."""

    name: str
    answers: NDArray[np.int64]
    trained_on: int
    strength: float | None = None


def baselines(
    train: Part,
    validation: Part,
    test: Part,
    *,
    rows: Mapping[str, Features | None] = BASELINES,
) -> Iterator[Baseline]:
    """Each baseline in turn, trained on `train`, C chosen on `validation`.

    Without validation pictures C is the second of STRENGTHS.
    """
    for name, extract in rows.items():
        if extract is None:
            most = int(np.bincount(train.labels).argmax())
            yield Baseline(name, np.full(len(test.labels), most, np.int64), len(train.labels))
            continue
        if extract is features.colours and train.images.shape[1] == 1:
            continue  # of grey pictures it is a histogram of brightness: no colour to speak of
        axes = _axes(extract(train.images))
        inside, outside, beyond = (
            axes(extract(part.images)) if len(part.labels) else np.empty((0, 0), np.float32)
            for part in (train, validation, test)
        )
        strength = _best(inside, train.labels, outside, validation.labels)
        machine = _machine(strength).fit(inside, train.labels)
        answers = machine.predict(beyond) if len(beyond) else np.empty(0)
        yield Baseline(name, answers.astype(np.int64), len(train.labels), strength)


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


def _machine(strength: float) -> "LinearSVC":
    """A linear SVM by Newton steps (dual=False), which converge; coordinate descent may not."""
    from sklearn.svm import LinearSVC  # heavy: only where it is needed

    return LinearSVC(C=strength, class_weight="balanced", dual=False)


def _best(
    inside: NDArray[np.float32],
    labels: NDArray[np.int64],
    outside: NDArray[np.float32],
    their_labels: NDArray[np.int64],
) -> float:
    """The strength with the most right answers on pictures outside; of equals the smallest."""
    if not len(their_labels):
        return STRENGTHS[1]
    right = [
        float((_machine(c).fit(inside, labels).predict(outside) == their_labels).mean())
        for c in STRENGTHS
    ]
    return STRENGTHS[int(np.argmax(right))]


def some(labels: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """The pictures to train on: at most MOST indices, every class by its share, in order."""
    if len(labels) <= MOST:
        return np.arange(len(labels))
    order = draws.order(seed, 0, len(labels), "baselines")
    by_class = order[np.argsort(labels[order], kind="stable")]
    return np.sort(by_class[np.linspace(0, len(labels) - 1, MOST).astype(np.int64)])
