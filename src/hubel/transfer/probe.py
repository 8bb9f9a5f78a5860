"""The last layer alone, on features that were computed once: a logistic regression."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hubel import draws
from hubel.training.linear import softmax_regression

STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0)  # C, chosen on the validation pictures
USUAL = 1e-1  # where there are none
MOST = 20_000  # pictures that the regression is given; fine-tuning sees them all
STEPS = 500


def probe(
    features: Tensor,
    labels: Tensor,
    *,
    classes: int,
    balanced: bool = False,
    validation: tuple[Tensor, Tensor] | None = None,
    seed: int = 0,
) -> tuple[Tensor, Tensor]:
    """features (N, D), labels int64 (N,) → weights (classes, D) and biases (classes,).

    Softmax regression with an L2 penalty on standardised features, to convergence or STEPS;
    balanced: each class weighs the same. validation: features and labels that choose the penalty,
    of equals the strongest. A class without pictures is never named.
    """
    inside, known = _some(features.numpy(), labels.numpy(), seed)
    mean, deviation = inside.mean(0), inside.std(0)
    deviation[deviation < 1e-6 * max(float(deviation.max()), 1e-12)] = 1.0
    scaled = (inside - mean) / deviation
    best: tuple[float, Tensor, Tensor] | None = None
    strengths = (USUAL,) if validation is None or not len(validation[1]) else STRENGTHS
    for strength in strengths:
        slope, offset = _fitted(scaled, known, classes, strength, balanced)
        weights = torch.from_numpy(slope / deviation).float()
        biases = torch.from_numpy(offset - (slope / deviation) @ mean).float()
        merit = 0.0
        if validation is not None and len(validation[1]):
            answers = (validation[0] @ weights.T + biases).argmax(1)
            merit = float((answers == validation[1]).double().mean())
        if best is None or merit > best[0]:
            best = (merit, weights, biases)
    assert best is not None  # noqa: S101 - there is at least one strength
    return best[1], best[2]


def _fitted(
    features: NDArray[np.float64],
    labels: NDArray[np.int64],
    classes: int,
    strength: float,
    balanced: bool,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Slopes (classes, D) and offsets (classes,)."""
    there, numbers = np.unique(labels, return_inverse=True)
    # near enough where it is cut short: more training follows
    found = softmax_regression(
        features, numbers, len(there), strength=strength, balanced=balanced, steps=STEPS
    )
    slope = np.zeros((classes, features.shape[1]))
    offset = np.full(classes, -1e3)
    slope[there], offset[there] = found.slopes, found.offsets
    return slope, offset


def _some(
    features: NDArray[np.float32], labels: NDArray[np.int64], seed: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    order = np.sort(draws.order(seed, 0, len(labels), "probe")[:MOST])
    return features[order].astype(np.float64), labels[order]
