"""Linear classifiers fitted by L-BFGS, which says itself whether it came to the end.

Both objectives are convex and smooth, so that the end is the same from wherever one begins. They
are scikit-learn's `LogisticRegression` and `LinearSVC`, but for the warnings with which these say
that they were cut short: here the answer says so.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
# weights and offsets (K, D + 1) → the objective, and its slope by them
Objective = Callable[[Numbers], tuple[float, Numbers]]
STEPS = 2_000
NEAR = 1e-6  # of the slope at the start, its largest part: what is left of it at the end
MEMORY = 20  # of L-BFGS, steps


class Fitted(NamedTuple):
    """slopes (K, D) and offsets (K,) of K classes; converged: whether more steps would change them.

    The score of class k is slopes[k] · x + offsets[k].
    """

    slopes: Numbers
    offsets: Numbers
    converged: bool

    def scores(self, features: NDArray[np.float32] | Numbers) -> Numbers:
        """(N, D) → (N, K)."""
        found: Numbers = features @ self.slopes.T + self.offsets
        return found


def softmax_regression(
    features: Numbers, labels: NDArray[np.int64], classes: int, *, strength: float,
    balanced: bool = False, steps: int = STEPS, stop: Callable[[], bool] = lambda: False,
) -> Fitted:  # fmt: skip
    """Cross-entropy, summed, times `strength`, and half the squares of the slopes.

    features (N, D), labels (N,) of 0 to classes − 1, each of which there is; balanced: all classes
    weigh the same. Of two classes it is the difference between their slopes that is held small, as
    scikit-learn has it. stop: asked after every step.
    """
    n = len(labels)
    weights = _balanced(labels, classes)[labels] if balanced else np.ones(n)
    strength = strength / 2 if classes == 2 else strength
    rows = np.arange(n)

    def objective(at: Numbers) -> tuple[float, Numbers]:
        slopes, offsets = at[:, :-1], at[:, -1]
        scores = features @ slopes.T + offsets
        scores -= scores.max(1, keepdims=True)
        powers = np.exp(scores)
        total = powers.sum(1)
        loss = weights @ (np.log(total) - scores[rows, labels])
        errors = powers / total[:, None]
        errors[rows, labels] -= 1
        errors *= weights[:, None]
        slope = np.column_stack((strength * errors.T @ features + slopes, strength * errors.sum(0)))
        return strength * float(loss) + float((slopes**2).sum()) / 2, slope

    return _fitted(objective, (classes, features.shape[1] + 1), steps, stop)


def svm(
    features: Numbers, labels: NDArray[np.int64], classes: int, *, strength: float,
    steps: int = STEPS, stop: Callable[[], bool] = lambda: False,
) -> Fitted:  # fmt: skip
    """Each class against the rest by a support vector machine with squared hinges.

    Summed hinges times `strength`, and half the squares of slopes and offsets; each class weighs
    for as much as if all had as many pictures (LinearSVC with class_weight="balanced"). features
    (N, D), labels (N,) of 0 to classes − 1, each of which there is. stop: asked after every step.
    """
    balance = _balanced(labels, classes)
    right = labels[:, None] == np.arange(classes)
    signs = np.where(right, 1.0, -1.0)
    # of two classes the rest is a class of its own
    rest = balance[labels][:, None] if classes == 2 else 1.0
    weights = strength * np.where(right, balance, rest)

    def objective(at: Numbers) -> tuple[float, Numbers]:
        short = np.maximum(0, 1 - signs * (features @ at[:, :-1].T + at[:, -1]))
        pull = weights * short
        errors = -2 * signs * pull
        slope = np.column_stack((errors.T @ features, errors.sum(0))) + at
        return float((pull * short).sum()) + float((at**2).sum()) / 2, slope

    return _fitted(objective, (classes, features.shape[1] + 1), steps, stop)


def _balanced(labels: NDArray[np.int64], classes: int) -> Numbers:
    """What a picture of each class weighs, so that all classes weigh the same, and 1 on average."""
    found: Numbers = len(labels) / (classes * np.bincount(labels, minlength=classes))
    return found


def _fitted(
    objective: Objective, shape: tuple[int, int], steps: int, stop: Callable[[], bool]
) -> Fitted:
    from scipy.optimize import minimize  # heavy: only where it is needed

    def flat(at: Numbers) -> tuple[float, Numbers]:
        value, slope = objective(at.reshape(shape))
        return value, slope.ravel()

    def after(_at: Numbers) -> None:
        if stop():
            raise StopIteration

    start = np.zeros(shape).ravel()
    steepest = float(np.abs(flat(start)[1]).max())
    found = minimize(
        flat, start, jac=True, method="L-BFGS-B", callback=after,
        options={"maxiter": steps, "maxfun": 2 * steps, "maxcor": MEMORY, "ftol": 1e-15,
                 "gtol": NEAR * steepest},
    )  # fmt: skip
    at = found.x.reshape(shape)
    return Fitted(at[:, :-1], at[:, -1], bool(found.success))
