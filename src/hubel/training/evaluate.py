"""Figures of a classifier on labelled pictures: accuracy, interval, per class, confusion."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hubel.mistakes import Failure
from hubel.results import ClassFigures, Evaluation


def evaluation(logits: Tensor, labels: Tensor, names: tuple[str, ...]) -> Evaluation:
    """logits (N, K), labels int64 (N,) → the figures. Raises Failure for no pictures at all."""
    n, k = logits.shape
    if n == 0:
        raise Failure("There are no pictures to evaluate on: this split is empty.")
    predicted = logits.argmax(1)
    confusion = np.zeros((k, k), np.int64)
    np.add.at(confusion, (labels.numpy(), predicted.numpy()), 1)
    right = int(confusion.trace())
    among = logits.topk(min(5, k), dim=1).indices == labels[:, None]
    return Evaluation(
        accuracy=right / n,
        interval=wilson(right, n),
        n=n,
        top5=float(among.any(1).double().mean()) if k > 5 else None,
        loss=float(torch.nn.functional.cross_entropy(logits, labels)),
        classes=tuple(_class_figures(confusion, names)),
        confusion=confusion,
    )


def surest_mistakes(logits: Tensor, labels: Tensor) -> list[int]:
    """The pictures (N,) that are named wrongly, the most confident first; of equals the first."""
    probability, predicted = torch.softmax(logits, 1).max(1)
    wrong = torch.nonzero(predicted != labels).flatten()
    order: list[int] = wrong[probability[wrong].argsort(descending=True, stable=True)].tolist()
    return order


def wilson(right: int, n: int, z: float = 1.959963984540054) -> tuple[float, float]:
    """The Wilson (1927) score interval of a share right/n; z = 1.96 for 95 %.

    Unlike the textbook p ± z·√(p(1 − p)/n), it stays in [0, 1] and is not empty at 0 or 100 %.

    >>> [round(x, 3) for x in wilson(98, 100)]
    [0.93, 0.994]
    """
    p = right / n
    middle = p + z * z / (2 * n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    low = 0.0 if right == 0 else (middle - half) / scale  # exact at the ends
    high = 1.0 if right == n else (middle + half) / scale
    return low, high


def _class_figures(confusion: NDArray[np.int64], names: tuple[str, ...]) -> list[ClassFigures]:
    hits, truly, called = confusion.diagonal(), confusion.sum(1), confusion.sum(0)
    precision = hits / np.maximum(called, 1)
    recall = hits / np.maximum(truly, 1)
    f1 = 2 * hits / np.maximum(truly + called, 1)
    rows = zip(names, precision.tolist(), recall.tolist(), f1.tolist(), truly.tolist(), strict=True)
    return [ClassFigures(*row) for row in rows]
