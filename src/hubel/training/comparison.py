"""Two classifiers on the same pictures, and one of them on pictures of different kinds."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hubel.results import Beside, Group
from hubel.training.evaluate import wilson

PARTS = 3  # a third of the pictures in each group


def beside(
    name: str, theirs: NDArray[np.bool_], ours: NDArray[np.bool_], *, trained_on: int | None = None
) -> Beside:
    """Another's answers beside ours, (N,) right or wrong, by McNemar's exact test.

    Only the pictures on which one is right and the other is not tell them apart; were both equally
    good, each such picture would fall to either side with probability ½ (McNemar 1947).

    >>> row = beside("HOG", np.array([True, False, False]), np.array([True, True, True]))
    >>> row.only_ours, row.only_theirs, row.p
    (2, 0, 0.5)
    """
    from scipy.stats import binomtest  # heavy: only where it is needed

    only_ours, only_theirs = int((ours & ~theirs).sum()), int((theirs & ~ours).sum())
    differing = only_ours + only_theirs
    p = float(binomtest(only_ours, differing).pvalue) if differing else 1.0
    right, n = int(theirs.sum()), len(theirs)
    return Beside(name, right / n, wilson(right, n), only_ours, only_theirs, p, trained_on)


def thirds(
    what: str, unit: str, values: NDArray[np.float64], right: NDArray[np.bool_]
) -> Sequence[Group]:
    """Accuracy in the lowest, middle and highest third of the pictures by a value, (N,) each.

    Empty where the values hardly differ, so that the thirds would mean nothing.
    """
    if len(values) < 2 * PARTS or len(np.unique(values)) < PARTS:
        return ()
    edges = np.quantile(values, np.arange(1, PARTS) / PARTS)
    part = np.searchsorted(edges, values, side="left")
    if len(np.unique(part)) < PARTS:
        return ()
    rows = []
    for k in range(PARTS):
        own = part == k
        low, high = float(values[own].min()), float(values[own].max())
        n, good = int(own.sum()), int(right[own].sum())
        rows.append(Group(what, f"{low:.0f} to {high:.0f}{unit}", good / n, wilson(good, n), n))
    return tuple(rows)
