"""Learning-rate schedules: pure functions from progress to a multiplier of the base rate.

No state is kept, so nothing has to be saved: also the plateau is found again, on every call, by
replaying the history of validation accuracies.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from hubel.mistakes import Mistake, unknown


@dataclass(frozen=True)
class Progress:
    """Where a training stands before a step.

    step: steps done, from 0. history: the validation accuracy after each finished epoch.
    """

    step: int
    steps_per_epoch: int
    epochs: int
    history: tuple[float, ...] = ()

    @property
    def share(self) -> float:
        """The part of the run that is done, in [0, 1)."""
        return self.step / (self.steps_per_epoch * self.epochs)


Schedule = Callable[[Progress], float]


def constant(_progress: Progress) -> float:
    return 1.0


def steps(milestones: tuple[float, ...], factor: float) -> Schedule:
    """× factor at each milestone, a share of the run (He et al. 2015, section 4.2)."""
    return lambda progress: factor ** sum(progress.share >= m for m in milestones)


def plateau(patience: int, factor: float) -> Schedule:
    """× factor when validation accuracy has not risen for `patience` epochs, then wait again.

    Krizhevsky et al. 2012, section 5, where it was done by hand with a factor of 10.
    """

    def multiplier(progress: Progress) -> float:
        best, waited, drops = -math.inf, 0, 0
        for accuracy in progress.history:
            if accuracy > best:
                best, waited = accuracy, 0
            else:
                waited += 1
            if waited == patience:
                drops, waited = drops + 1, 0
        return float(factor**drops)

    return multiplier


def cosine(progress: Progress) -> float:
    """Half a cosine from 1 to 0 (Loshchilov & Hutter 2017, without restarts)."""
    return (1 + math.cos(math.pi * progress.share)) / 2


def one_cycle(peak: float, start: float) -> Schedule:
    """Linear from `start` to 1 at the share `peak` of the run, then linear to 0.

    After Smith & Topin 2018; their third phase, far below the start, is left out.
    """

    def multiplier(progress: Progress) -> float:
        if progress.share < peak:
            return start + (1 - start) * progress.share / peak
        return (1 - progress.share) / (1 - peak)

    return multiplier


def after(epochs: int, inner: Schedule) -> Schedule:
    """The schedule for what follows so many epochs, which have none."""

    def multiplier(progress: Progress) -> float:
        return inner(
            Progress(
                progress.step - epochs * progress.steps_per_epoch,
                progress.steps_per_epoch,
                progress.epochs - epochs,
                progress.history[epochs:],
            )
        )

    return multiplier


NAMES = ("constant", "step", "plateau", "cosine", "one-cycle")


def schedule(
    name: str,
    *,
    warmup: float = 0.0,
    milestones: tuple[float, ...] = (0.5, 0.75),
    patience: int = 3,
    factor: float = 0.1,
    peak: float = 0.25,
    start: float = 0.1,
) -> Schedule:
    """The schedule called `name`, one of NAMES, behind `warmup` epochs of linear growth.

    Raises Mistake for an unknown name or a setting with which a rate would not be in [0, 1].
    """
    if not (0 < factor <= 1 and 0 <= start <= 1 and 0 <= peak < 1):
        raise Mistake(
            "factor is above 0 and at most 1, start from 0 to 1, peak at least 0 and below 1; "
            f"got {factor}, {start} and {peak}."
        )
    if not (warmup >= 0 and patience >= 1):  # so written, NaN is refused too
        raise Mistake(
            f"warmup is at least 0 epochs and patience at least 1; got {warmup} and {patience}."
        )
    rows: dict[str, Schedule] = {
        "constant": constant,
        "step": steps(milestones, factor),
        "plateau": plateau(patience, factor),
        "cosine": cosine,
        "one-cycle": one_cycle(peak, start),
    }
    if name not in rows:
        raise unknown("schedule", name, rows)
    inner = rows[name]

    def warmed(progress: Progress) -> float:
        rising = (progress.step + 1) / max(warmup * progress.steps_per_epoch, 1)
        return min(1.0, rising) * inner(progress)

    return warmed
