"""Whether a probability means what it says: of the answers given with 80 %, are 80 % right?

Guo et al. 2017, "On calibration of modern neural networks".
"""

import numpy as np
import torch
from torch import Tensor

from hubel.results import Bin, Calibration

BINS = 15  # as in the paper
WARMEST = 20.0  # the largest temperature that is looked for, and the inverse of the smallest


def calibration(logits: Tensor, labels: Tensor, *, bins: int = BINS) -> Calibration:
    """logits (N, K), labels (N,), N ≥ 1 → the expected calibration error and its bins.

    The bins are of equal width over the probability of the predicted class; empty ones are left
    out.

    >>> sure = torch.tensor([[9.0, 0.0], [9.0, 0.0]])
    >>> round(calibration(sure, torch.tensor([0, 1])).error, 2)
    0.5
    """
    probability, predicted = torch.softmax(logits.double(), 1).max(1)
    right = (predicted == labels).double()
    place = (probability * bins).long().clamp(max=bins - 1)
    found = []
    for k in range(bins):
        own = place == k
        n = int(own.sum())
        if n:
            found.append(Bin(float(probability[own].mean()), float(right[own].mean()), n))
    gaps = [abs(row.confidence - row.accuracy) * row.n for row in found]
    return Calibration(sum(gaps) / len(labels), tuple(found))


def temperature(logits: Tensor, labels: Tensor) -> float:
    """The T by which dividing the logits makes their cross-entropy least: temperature scaling.

    It changes no answer, only how sure the answers are; above 1 the network was too sure. Bounded
    by 1/20 and 20, which answers without a mistake would run out of.

    >>> sure = torch.tensor([[5.0, 0.0]] * 4)
    >>> round(temperature(sure, torch.tensor([0, 0, 0, 1])), 2)  # 5 / ln 3
    4.55
    """
    from scipy.optimize import minimize_scalar  # heavy: only where it is needed

    wide = logits.double()

    def loss(log: float) -> float:
        return float(torch.nn.functional.cross_entropy(wide / np.exp(log), labels))

    bound = float(np.log(WARMEST))
    return float(np.exp(minimize_scalar(loss, bounds=(-bound, bound), method="bounded").x))
