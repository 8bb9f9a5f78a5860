"""Random restarts: the same training several times from other draws, and the best one kept."""

import os
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from hubel import atomic, reading
from hubel.lock import LOCK
from hubel.mistakes import Failure, Mistake
from hubel.run import RESTARTS, TRIAL, Run, is_run
from hubel.training.recipe import Recipe
from hubel.verbs import machine, rate
from hubel.verbs.early import check_training
from hubel.verbs.interrupt import interruptible
from hubel.verbs.report import report_again
from hubel.verbs.start import begin_with
from hubel.verbs.train import Stopped, Trained, asked, check_minutes, named, train
from hubel.verbs.watch import Watch

Keep = Literal["validation", "training"]
TRIALS, TABLE = "trials", "trials.csv"  # in the run folder: their folders, and their figures
MOST = 1000


@dataclass(frozen=True)
class Trial:
    """One of the restarts: its figures at the epoch whose weights it kept, in [0, 1] and nats."""

    number: int
    validation_accuracy: float
    training_accuracy: float
    training_loss: float
    seconds: float
    kept: bool = False


@dataclass(frozen=True)
class Restarted:
    """The kept training and every trial.

    run: the folder of them all; with the last trial it becomes that of the kept one. stopped: as
    `Trained` has it; of restarts that were stopped early, best is the best so far, in its own
    folder, no trial is marked as kept, and `restart(resume=run)` goes on. planned: how many trials
    there are to be.
    """

    run: Path
    best: Trained
    trials: Sequence[Trial]
    planned: int
    stopped: Stopped = "finished"

    @property
    def mean(self) -> float:
        """Of the trials' validation accuracies."""
        return statistics.fmean(trial.validation_accuracy for trial in self.trials)

    @property
    def deviation(self) -> float:
        """Their sample standard deviation; 0 of a single one."""
        rows = [trial.validation_accuracy for trial in self.trials]
        return statistics.stdev(rows) if len(rows) > 1 else 0.0


@dataclass(frozen=True)
class _Kept:
    """The file PLAN."""

    restarts: int
    keep: Keep
    threads: int | None

    def __post_init__(self) -> None:
        if not (2 <= self.restarts <= MOST and (self.threads or 1) in range(1, 1025)):
            raise ValueError(f"there are 2 to {MOST} restarts, and 1 to 1024 threads")


@dataclass(frozen=True)
class _Plan:
    """What restarts were begun with, and what holds for this sitting alone (how)."""

    run: Run
    restarts: int
    keep: Keep
    minutes: float | None
    how: dict[str, Any]


@machine.undisturbed
def restart(
    data: str | os.PathLike[str] | None = None,
    *,
    restarts: int | None = None,
    keep: Keep | None = None,
    recipe: str | None = None,
    resume: str | os.PathLike[str] | None = None,
    minutes: float | None = None,
    out: str | os.PathLike[str] | None = None,
    device: str = "auto",
    threads: int | None = None,
    workers: int = 0,
    inexact: bool = False,
    watch: Watch | None = None,
    **settings: Any,
) -> Restarted:
    """`hubel.train` as often as `restarts` says (5), on one split, from other draws each time.

    keep: the trial with the best "validation" accuracy (the default), or with the lowest "training"
    error; of equals the first. The run folder (out, as `train` has it) becomes that of the kept
    trial; the others stay in trials/, and the report shows them all. resume: a run folder of
    restarts that were stopped. minutes: for all trials together. The rest is as `train` takes it. A
    trial that is stopped ends the sitting, and nothing is lost. Raises as `train` does.

    >>> import hubel, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     two = hubel.restart(
    ...         "digits", restarts=2, network="linear", epochs=1, out=f"{folder}/run"
    ...     )
    >>> [trial.number for trial in two.trials], two.deviation < 0.2
    ([1, 2], True)
    """
    watch = watch or Watch()
    check_minutes(minutes)
    how = {"device": device, "workers": workers, "inexact": inexact, "watch": watch}
    if resume is not None:
        said = (data, recipe, out, restarts, keep, *settings.values())
        if any(value is not None for value in said):
            raise Mistake(
                "Resumed restarts keep their data, recipe and folder: give only --resume."
            )
        run = Run(Path(resume).resolve())
        kept = run.read_json(RESTARTS, _Kept)
        how |= {"threads": threads or kept.threads}
        return _sitting(_Plan(run, kept.restarts, kept.keep, minutes, how))
    restarts, keep = 5 if restarts is None else restarts, keep or "validation"
    _check(restarts, keep)
    if settings.get("trial") is not None:
        raise Mistake("The trials of restarts are counted by themselves: leave out trial.")
    # all that can be wrong with it is found before there is a folder
    check_training(data, out)
    each, start = begin_with(asked(data, recipe, settings), None)
    if rate.is_wanted(recipe, settings):
        # once for all of them: they differ in their draws alone
        each = rate.found(each, start, device=device, threads=threads, workers=workers, watch=watch)
    if each.start and os.path.isdir(each.start):
        each = each.model_copy(update={"start": str(Path(each.start).resolve())})
    name = named(each.data, {"network": each.network})
    run = Run.create(name, out=Path(out) if out is not None else None)
    facts = {"restarts": restarts, "keep": keep, "threads": threads}
    return _sitting(_Plan(run, restarts, keep, minutes, how | {"threads": threads}), (each, facts))


def is_unfinished(path: str | os.PathLike[str]) -> bool:
    """Whether a folder holds restarts that have not come to their end."""
    return (Path(path) / RESTARTS).is_file() and not (Path(path) / "recipe.toml").is_file()


def _check(restarts: int, keep: str) -> None:
    if not 2 <= restarts <= MOST:
        raise Mistake(f"--restarts is from 2 to {MOST}, not {restarts}.")
    if keep not in ("validation", "training"):
        raise Mistake(f"--keep is validation or training, not {keep!r}.")


def _sitting(plan: _Plan, begun: tuple[Recipe, dict[str, Any]] | None = None) -> Restarted:
    """The trials that are still to do, and the best of all made the run itself.

    begun: of those that begin, what the folder is to say of them.
    """
    run = plan.run
    with run.locked(), _going_on(run, new=begun is not None):
        if begun is not None:
            run.clear()
            run.write(TRIAL, begun[0].as_toml())
            run.write_json(RESTARTS, begun[1])  # last: with it, they can be gone on with
        if (run.path / TABLE).is_file():
            # killed while the kept trial became the run: the trials are done and counted
            trials: Sequence[Trial] = _read(run)
            best = None
        else:
            several = _trials(plan)
            if several.stopped != "finished":
                return several
            trials, best = several.trials, several.best
            run.write_table(TABLE, [vars(trial) for trial in trials])
        _move_up(run, next(trial for trial in trials if trial.kept))
    # from here on the folder is a run like any other, which these lock by themselves
    if best is None:
        best = train(resume=run.path, **plan.how)
    report_again(run, watch=plan.how["watch"])
    return Restarted(run.path, replace(best, run=run.path), trials, plan.restarts)


@contextmanager
def _going_on(run: Run, *, new: bool) -> Iterator[None]:
    """A stop at once says how to go on; of new ones that could train nothing, nothing is left."""
    try:
        yield
    except (Mistake, Failure):
        if new and not any((run.path / TRIALS).glob("*/recipe.toml")):
            atomic.remove(run.path / RESTARTS, within=run.path)
            run.abandon()
        raise
    except KeyboardInterrupt as wrong:
        if not is_run(run.path):
            run.abandon()
            raise
        raise KeyboardInterrupt(f"Stopped; go on with: hubel train --resume {run.path}") from wrong


def _trials(plan: _Plan) -> Restarted:
    """All trials, or as many as there is time for; a stop between two of them ends them, too."""
    folders = plan.run.path / TRIALS
    began = time.monotonic()
    done: list[Trained] = []
    stopped: Stopped = "finished"
    with interruptible() as request:
        for number in range(1, plan.restarts + 1):
            folder = folders / str(number)
            left = plan.minutes and max(1e-6, plan.minutes - (time.monotonic() - began) / 60)
            plan.how["watch"].notice(f"Trial {number} of {plan.restarts}.")
            if request.made and not done:
                raise KeyboardInterrupt
            if request.made:
                stopped = "interrupted"
                break
            if (folder / "recipe.toml").is_file():
                trained = train(resume=folder, minutes=left, **plan.how)
            else:
                recipe = str(plan.run.path / TRIAL)
                trained = train(recipe=recipe, trial=number, out=folder, minutes=left, **plan.how)
            done.append(trained)
            if trained.stopped in ("interrupted", "time limit"):
                stopped = trained.stopped
                break
    trials = [_trial(number, trained) for number, trained in enumerate(done, 1)]
    best = max(range(len(done)), key=lambda i: (_merit(trials[i], plan.keep), -i))
    if stopped == "finished":
        trials[best] = replace(trials[best], kept=True)
    return Restarted(plan.run.path, done[best], trials, plan.restarts, stopped)


def _read(run: Run) -> list[Trial]:
    """The trials of the table. Raises Failure where it is damaged or keeps none."""
    trials = run.read_table(TABLE, Trial)
    if sum(trial.kept for trial in trials) != 1:
        raise reading.damaged(run.path / TABLE, "it does not say which trial was kept")
    return trials


def _trial(number: int, trained: Trained) -> Trial:
    row = trained.history[trained.best_epoch - 1] if trained.best_epoch else {}
    return Trial(
        number=number,
        validation_accuracy=trained.validation.accuracy,
        training_accuracy=float(row.get("accuracy", 0.0)),
        training_loss=float(row.get("loss", float("inf"))),
        seconds=trained.seconds,
    )


def _merit(trial: Trial, keep: Keep) -> tuple[float, float]:
    if keep == "training":
        return trial.training_accuracy, -trial.training_loss
    return trial.validation_accuracy, 0.0


def _move_up(run: Run, kept: Trial) -> None:
    """Make the kept trial's folder the run's own; recipe.toml last, which makes that a run."""
    trial = run.path / TRIALS / str(kept.number)
    for path in sorted(trial.glob("*"), key=lambda path: path.name == "recipe.toml"):
        if path.name != LOCK:
            atomic.move(path, run.path / path.name)
    atomic.remove(trial / LOCK, within=run.path / TRIALS)
