"""What units answer to, in figures: to orientations, to whole pictures, to classes."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import binomtest

from hubel.labs.stimuli import Stimulus
from hubel.transfer.probe import probe

MORE = 1.1  # a corner is preferred where its answer is so many times that to an edge or grating

Numbers = NDArray[np.float64]
Labels = NDArray[np.int64]


class Tuned(NamedTuple):
    """straight, corners: which units an edge or a grating is enough for, and which prefer corners,
    (U,); selectivity: for orientation, (U,)."""

    straight: NDArray[np.bool_]
    corners: NDArray[np.bool_]
    selectivity: Numbers


def tuned(shown: Sequence[Stimulus], rise: Numbers, best: Numbers) -> Tuned:
    """Answers ≥ 0 to stimuli, (S, U), and the mean answer to each unit's best pictures, (U,).

    Both above the answer to plain grey. The selectivity is that for gratings of the colours and the
    period that a unit answers most.
    """
    kinds = np.array([each.kind for each in shown])
    most = {kind: rise[kinds == kind].max(0) for kind in ("edge", "corner", "grating")}
    straight = np.maximum(most["edge"], most["grating"])
    gratings = [i for i, each in enumerate(shown) if each.kind == "grating"]
    looks = sorted({(shown[i].pair, shown[i].period) for i in gratings})
    tunings = np.stack(
        [rise[[i for i in gratings if (shown[i].pair, shown[i].period) == look]] for look in looks]
    )  # (looks, orientations, U)
    own = tunings.max(1).argmax(0)
    tuning = tunings[own, :, np.arange(rise.shape[1])].T
    return Tuned(straight >= best, most["corner"] > MORE * straight, selectivity(tuning))


def selectivity(tuning: Numbers) -> Numbers:
    """Answers ≥ 0 to A orientations evenly within 180°, (A, U) → 0 (to all alike) … 1 (to one).

    1 − circular variance, as Mazurek et al. 2014 recommend: |Σ R exp(2iθ)| / Σ R.
    """
    turns = np.exp(2j * np.pi * np.arange(len(tuning)) / len(tuning))
    total = tuning.sum(0)
    found: Numbers = np.abs(turns @ tuning) / np.where(total > 0, total, 1)
    return found


def kept(before: Numbers, after: Numbers, k: int = 9) -> Numbers:
    """Answers to N pictures, (N, U), before and after a change → what is kept of the rise, (U,).

    Of the mean answer to a unit's k strongest pictures above its median answer: 1 all, 0 none.
    NaN for a unit that answers to half of the pictures as to the strongest.
    """
    top = np.argsort(-before, 0, kind="stable")[:k]
    usual = np.median(before, 0)
    rise, left = (np.take_along_axis(each, top, 0).mean(0) - usual for each in (before, after))
    found: Numbers = np.divide(left, rise, where=rise > 1e-9, out=np.full_like(rise, np.nan))
    return found


def alike(labels: Labels) -> Numbers:
    """The labels of each unit's k pictures, (U, k) → the share of their pairs that are the same."""
    k = labels.shape[1]
    counts = np.stack([(labels == each).sum(1) for each in np.unique(labels)])
    found: Numbers = (counts * (counts - 1)).sum(0) / (k * (k - 1))
    return found


def more_alike(
    tops: tuple[Labels, Labels], labels: Labels, *, draws: int, seed: int
) -> tuple[tuple[Numbers, Numbers], float]:
    """Whether the second of two layers gathers pictures of one class more than the first.

    tops: of each layer the pictures of its units, (U, k). Gives the mean `alike` of both under
    `draws` permutations of the pictures' labels, and the p-value of the difference, one-sided:
    which picture stands in which units' nine is left as it is.
    """
    random = np.random.default_rng(seed)
    chance = np.empty((2, draws))
    for i in range(draws):
        permuted = random.permutation(labels)
        chance[:, i] = [alike(permuted[top]).mean() for top in tops]
    first, second = (alike(labels[top]).mean() for top in tops)
    beyond = (chance[1] - chance[0] >= second - first - 1e-12).sum()
    return (chance[0], chance[1]), float((beyond + 1) / (draws + 1))


def named(features: Numbers, labels: Labels, *, folds: int = 5, seed: int) -> NDArray[np.bool_]:
    """Features (N, D) → which pictures a linear classifier names that has not learned from them.

    Cross-validated; each class's pictures lie evenly in the folds.
    """
    random = np.random.default_rng(seed)
    part = np.empty(len(labels), np.int64)
    for label in np.unique(labels):
        own = random.permutation(np.flatnonzero(labels == label))
        part[own] = (np.arange(len(own)) + random.integers(folds)) % folds
    right = np.zeros(len(labels), bool)
    for fold in range(folds):
        inside, outside = part != fold, part == fold
        weights, biases = probe(
            torch.from_numpy(features[inside]),
            torch.from_numpy(labels[inside]),
            classes=int(labels.max()) + 1,
        )
        answers = features[outside] @ weights.double().numpy().T + biases.double().numpy()
        right[outside] = answers.argmax(1) == labels[outside]
    return right


def better(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """McNemar's exact test, one-sided: the p-value of `second` being right more often."""
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    if not only_first + only_second:
        return 1.0
    test = binomtest(only_second, only_first + only_second, alternative="greater")
    return float(test.pvalue)
