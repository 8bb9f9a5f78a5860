"""How much corruptions cost a classifier: errors, and the mean corruption error with its interval.

Hendrycks & Dietterich 2019, section 4. All intervals are at 95 %; those of means are by a bootstrap
over pictures, each of which goes with all that was done to it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hubel.mistakes import Mistake

RESAMPLES = 1000
LEAST = 5  # pictures: of fewer, resampling cannot say how far chance moves a figure
Wrong = Mapping[str, NDArray[np.bool_]]  # corruption → (severities, N): which answers were wrong


@dataclass(frozen=True)
class Estimate:
    """A figure and its 95 % interval."""

    value: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class CorruptionError:
    """What corruptions cost.

    clean: the error on the pictures as they are. mean: over corruptions, of the mean over
    severities. above: mean − clean. by_corruption: that mean of each. Against a reference, else
    None: relative, by corruption Σ errors / Σ the reference's errors; mce, their mean (Hendrycks &
    Dietterich's mean corruption error); relative_mce, the same of what the errors are above each
    network's own clean error. A corruption under which the reference errs nowhere has no ratio and
    is left out of mce; so is one that costs the reference nothing, of relative_mce.
    """

    clean: Estimate
    mean: Estimate
    above: Estimate
    by_corruption: Mapping[str, Estimate]
    relative: Mapping[str, Estimate | None] | None = None
    mce: Estimate | None = None
    relative_mce: Estimate | None = None


def corruption_error(
    clean: NDArray[np.bool_],
    wrong: Wrong,
    *,
    reference: tuple[NDArray[np.bool_], Wrong] | None = None,
    seed: int = 0,
) -> CorruptionError:
    """The figures from which answers were wrong: clean (N,), and under each corruption.

    reference: another network's clean and wrong, on the same pictures. Raises Mistake for no
    pictures or corruptions, and where the two were not measured alike.
    """
    if not len(clean) or not wrong:
        raise Mistake("There is nothing to count: no pictures, or no corruptions.")
    weights = _weights(len(clean), seed)
    own = _errors(weights, clean, wrong)
    names = list(wrong)
    spoilt = own[1].mean(1)
    figures = CorruptionError(
        clean=_share(own[0], len(clean)),
        mean=_share(spoilt, len(clean)),
        above=_estimate(spoilt - own[0]),
        by_corruption={name: _share(own[1][:, i], len(clean)) for i, name in enumerate(names)},
    )
    if reference is None:
        return figures
    if {k: v.shape for k, v in reference[1].items()} != {k: v.shape for k, v in wrong.items()}:
        raise Mistake("The two networks were not measured under the same corruptions.")
    theirs = _errors(weights, reference[0], {name: reference[1][name] for name in names})
    ratio = _ratio(own[1], theirs[1])
    above = _ratio(own[1] - own[0][:, None], theirs[1] - theirs[0][:, None])
    return CorruptionError(
        figures.clean,
        figures.mean,
        figures.above,
        figures.by_corruption,
        {name: _defined(ratio[:, i]) for i, name in enumerate(names)},
        _over(ratio),
        _over(above),
    )


def _weights(n: int, seed: int) -> NDArray[np.float64]:
    """(1 + RESAMPLES, n): how much each picture counts; in the first row all alike."""
    drawn = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), RESAMPLES)
    return np.concatenate([np.ones((1, n)), drawn]) / n


def _errors(
    weights: NDArray[np.float64], clean: NDArray[np.bool_], wrong: Wrong
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of each resample the clean error (R,), and the mean over severities (R, corruptions)."""
    spoilt = np.stack([each.mean(0) for each in wrong.values()], 1)  # (N, corruptions)
    return weights @ clean, weights @ spoilt


def _ratio(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ours / theirs, NaN where theirs is not above 0."""
    found = np.full_like(ours, np.nan)
    return np.divide(ours, theirs, out=found, where=theirs > 1e-12)


def _over(ratios: NDArray[np.float64]) -> Estimate | None:
    """The mean over the corruptions that have a ratio."""
    known = np.isfinite(ratios[0])
    if not known.any():
        return None
    rows = ratios[:, known]
    return _estimate(rows[np.isfinite(rows).all(1)].mean(1))


def _defined(values: NDArray[np.float64]) -> Estimate | None:
    return _estimate(values[np.isfinite(values)]) if np.isfinite(values[0]) else None


def _estimate(values: NDArray[np.float64]) -> Estimate:
    """The first value, with the middle 95 % of those after it."""
    after = values[1:] if len(values) > 1 else values
    low, high = np.quantile(after, (0.025, 0.975))
    return Estimate(float(values[0]), (float(low), float(high)))


def _share(values: NDArray[np.float64], n: int) -> Estimate:
    """As `_estimate`, of an error on n pictures: of fewer than LEAST, any other is as possible.

    Resampled, one picture is always itself, which would look like certainty.
    """
    found = _estimate(values)
    return found if n >= LEAST else Estimate(found.value, (0.0, 1.0))
