"""Classes that look alike, before any training: whose pictures lie nearest to each other's."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class LookAlikes:
    """Classes a < b; share: of their pictures, those whose nearest other one is of the other class.

    first of a and second of b: the two of them that are nearest to each other.
    """

    a: int
    b: int
    share: float
    first: int
    second: int


def look_alikes(
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    groups: NDArray[np.int64],
    *,
    least: float = 0.05,
    most: int = 10,
) -> list[LookAlikes]:
    """features (N, D), labels (N,), groups (N,): copies of one picture share a number.

    A picture's nearest is by the cosine, and never a copy of itself. The likest first, at most
    `most`, none below the share `least`.
    """
    if len(features) < 2:
        return []
    unit = features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)
    likeness = unit @ unit.T
    likeness[groups[:, None] == groups] = -np.inf
    nearest = likeness.argmax(1)
    strange = np.flatnonzero((labels[nearest] != labels) & np.isfinite(likeness.max(1)))
    pairs = np.sort(np.stack((labels[strange], labels[nearest[strange]]), 1), 1)
    found = []
    for a, b in np.unique(pairs, axis=0).tolist():
        own = strange[(pairs == (a, b)).all(1)]
        share = len(own) / int(np.isin(labels, (a, b)).sum())
        if share >= least:
            best = int(own[likeness[own, nearest[own]].argmax()])
            ends = (best, int(nearest[best]))
            first, second = ends if labels[best] == a else ends[::-1]
            found.append(LookAlikes(a, b, share, first, second))
    return sorted(found, key=lambda pair: -pair.share)[:most]
