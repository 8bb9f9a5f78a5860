"""Whether a run can go on exactly: the same data, classes, versions, device and threads."""

from dataclasses import dataclass

import torch

from hubel.data.samples import Row, Splits, differences
from hubel.mistakes import Failure
from hubel.run import Run
from hubel.verbs import machine
from hubel.verbs.prepare import Prepared
from hubel.verbs.watch import Watch


@dataclass(frozen=True)
class _Classes:
    """`classes.json`."""

    classes: list[str]


@dataclass(frozen=True)
class _Threads:
    """Of `environment.json` how many threads a training began with."""

    threads: int | None = None

    def __post_init__(self) -> None:
        if self.threads is not None and not 1 <= self.threads <= machine.MOST_THREADS:
            raise ValueError(f"threads: expected 1 to {machine.MOST_THREADS}, found {self.threads}")


def threads_of(run: Run) -> int | None:
    """How many threads the run was begun with, which a resumed one takes over."""
    return run.read_json("environment.json", _Threads).threads


def check_unchanged(
    run: Run, prepared: Prepared, where: torch.device, inexact: bool, watch: Watch
) -> None:
    """Refuse to go on where the result would not be the uninterrupted run's."""
    classes = list(prepared.splits.train.classes)
    old = run.read_json("classes.json", _Classes).classes
    if classes != old:
        gone, new = sorted(set(old) - set(classes)), sorted(set(classes) - set(old))
        raise Failure(
            f"The classes are not those of {run.path}: gone: {', '.join(gone) or 'none'}; "
            f"new: {', '.join(new) or 'none'}. Train anew, or put the data back."
        )
    check_data(run, prepared.splits, "Train anew, or put the data back.")
    then, now = run.read_json("environment.json", machine.Environment), machine.environment(where)
    other = machine.differences(then, now)
    if other:
        text = f"{'; '.join(other)}: the result cannot be bit-equal to the uninterrupted run's"
        if not inexact:
            raise Failure(f"{text}. Go on all the same with --inexact.")
        watch.notice(f"{text}; going on as asked.")
        run.log(f"resumed inexactly: {text}")


def check_data(run: Run, splits: Splits, advice: str) -> None:
    """Refuse data that are not those of the run, with the first five differences."""
    changed = differences(run.read_table("splits.csv", Row), splits)
    if changed:
        more = f"; and {len(changed) - 5} more" if len(changed) > 5 else ""
        raise Failure(
            f"The data are not those of {run.path}: {'; '.join(changed[:5])}{more}. {advice}"
        )
