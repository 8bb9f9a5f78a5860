"""From decisions on cue-conflict images to the shape bias, with intervals.

Geirhos et al. 2019 ("ImageNet-trained CNNs are biased towards texture", section 2.3 and figure 4):
of the images that are named by one of their two cues, the share that is named by the shape.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hubel import draws
from hubel.mistakes import Mistake
from hubel.training.evaluate import wilson

SHAPE, TEXTURE, OTHER = "shape", "texture", "other"
RESAMPLES = 2000
COVERED = 0.95  # by the interval
# Geirhos et al. 2019, of ResNet-50 by what it learned from, and of people; on 1,200 images of 16
# categories. Two ways of adding up, told apart by name: "by category" as in the paper (figure 4),
# shares averaged over the categories; "mean" as its authors recommend since (the README of
# github.com/rgeirhos/texture-vs-shape), a category by the mean of its classes' probabilities and
# all images together, which is hubel's way, too.
PUBLISHED: Mapping[str, float] = {
    "ResNet-50, ImageNet (by category)": 0.221,
    "ResNet-50, ImageNet (mean)": 0.214,
    "ResNet-50, stylised and ImageNet (mean)": 0.347,
    "ResNet-50, stylised ImageNet (mean)": 0.814,
    "people (by category)": 0.959,
}


@dataclass(frozen=True)
class Trial:
    """One image and what was said of it.

    shape, texture: the names of its two pictures; shape_class, texture_class: their classes;
    decision: the class that was named. excluded: why it does not count; "" where it does.
    """

    shape: str
    texture: str
    shape_class: str
    texture_class: str
    decision: str
    excluded: str = ""

    @property
    def cue(self) -> str:
        """Which of the two cues was named: SHAPE, TEXTURE or OTHER."""
        if self.decision == self.shape_class:
            return SHAPE
        return TEXTURE if self.decision == self.texture_class else OTHER


@dataclass(frozen=True)
class Bias:
    """Decisions that count, and the share of shape among those by either cue.

    value: None where no image was named by either cue. interval: 95 %; None where there are not two
    pictures of shapes and two of textures to resample.
    """

    shape: int
    texture: int
    other: int
    value: float | None
    interval: tuple[float, float] | None

    @property
    def n(self) -> int:
        return self.shape + self.texture + self.other

    @property
    def either(self) -> float | None:
        """The share that was named by one of the two cues; None of no images."""
        return (self.shape + self.texture) / self.n if self.n else None


def shape_bias(
    trials: Sequence[Trial], *, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[Bias, dict[str, Bias]]:
    """(overall, by the class of the shape) of the trials that count; excluded ones are left out.

    The overall figure is that of all such trials together. The intervals are percentiles of
    `resamples` resamples of the source pictures, with replacement and within each class, not of the
    images: two images with a picture in common are not two independent ones. An image counts in a
    resample as often as its two pictures come up together (Owen 2007, "The pigeonhole bootstrap",
    which errs on the wide side). Where all decisions by a cue are the same, resamples are, too:
    there, the interval is Wilson's, of as many trials as there are pictures in the role that has
    fewer. Classes with no trial that counts are not in the mapping.
    Raises Mistake for trials with both cues of one class, and for less than one resample.
    """
    if resamples < 1:
        raise Mistake(f"Resamples are 1 or more, not {resamples}.")
    same = [trial for trial in trials if trial.shape_class == trial.texture_class]
    if same:
        raise Mistake(
            f"An image whose shape and texture are both of {same[0].shape_class!r} has no conflict "
            "of cues: leave it out."
        )
    counted = [trial for trial in trials if not trial.excluded]
    pictures = {trial.shape: trial.shape_class for trial in counted}
    pictures |= {trial.texture: trial.texture_class for trial in counted}
    times = resampled(list(pictures.values()), resamples, seed=seed)
    place = {name: i for i, name in enumerate(pictures)}
    weights = (
        times[:, [place[trial.shape] for trial in counted]]
        * times[:, [place[trial.texture] for trial in counted]]
    )
    by_class = {}
    for name in sorted({trial.shape_class for trial in counted}):
        own = [i for i, trial in enumerate(counted) if trial.shape_class == name]
        by_class[name] = _bias([counted[i] for i in own], weights[:, own])
    return _bias(counted, weights), by_class


def resampled(classes: Sequence[str], resamples: int, *, seed: int = 0) -> NDArray[np.int64]:
    """How often each picture comes up in each resample, (resamples, N).

    classes (N,): of the pictures. Of a class with n pictures n are drawn, with replacement.
    """
    generator = np.random.default_rng(draws.integer(seed, "shape bias"))
    times = np.zeros((resamples, len(classes)), np.int64)
    for name in sorted(set(classes)):
        own = [i for i, each in enumerate(classes) if each == name]
        times[:, own] = generator.multinomial(len(own), [1 / len(own)] * len(own), size=resamples)
    return times


def _bias(trials: Sequence[Trial], weights: NDArray[np.int64]) -> Bias:
    """trials that count, and how often each counts in each resample (resamples, trials)."""
    cues = np.array([trial.cue for trial in trials], object)
    shape, texture = cues == SHAPE, cues == TEXTURE
    decided = [trial for trial in trials if trial.cue != OTHER]
    counts = int(shape.sum()), int(texture.sum()), len(trials) - len(decided)
    if not decided:
        return Bias(*counts, None, None)
    value = counts[0] / len(decided)
    fewer = min(len({trial.shape for trial in decided}), len({trial.texture for trial in decided}))
    if fewer < 2:
        return Bias(*counts, value, None)
    if value in (0.0, 1.0):
        return Bias(*counts, value, wilson(round(value * fewer), fewer))
    among = weights[:, shape | texture].sum(1)
    found = weights[:, shape].sum(1)[among > 0] / among[among > 0]
    if not len(found):
        return Bias(*counts, value, None)
    low, high = np.quantile(found, [(1 - COVERED) / 2, (1 + COVERED) / 2])
    return Bias(*counts, value, (float(low), float(high)))
