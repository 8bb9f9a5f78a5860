"""Random restarts: the same training several times from other draws, and the best one kept."""

import os
import shutil
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from hubel.mistakes import Failure, Mistake
from hubel.run import Run
from hubel.verbs import rate
from hubel.verbs.early import check_training
from hubel.verbs.report import report_again
from hubel.verbs.start import begin_with
from hubel.verbs.train import Stopped, Trained, asked, check_minutes, named, train
from hubel.verbs.watch import Watch

Keep = Literal["validation", "training"]
# In the run folder: how many and which to keep; the recipe of each; their folders; their figures.
PLAN, RECIPE, TRIALS, TABLE = "restarts.json", "trial.toml", "trials", "trials.csv"
FIGURES = ("validation_accuracy", "training_accuracy", "training_loss", "seconds")
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
class _Plan:
    """What restarts were begun with, and what holds for this sitting alone (how)."""

    run: Run
    restarts: int
    keep: Keep
    minutes: float | None
    how: dict[str, Any]


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
        facts = run.read_json(PLAN)
        try:
            restarts, keep = int(facts["restarts"]), facts["keep"]
            threads = threads or facts["threads"]
        except (KeyError, TypeError, ValueError) as wrong:
            raise Failure(f"{run.path / PLAN} is damaged: {wrong!r}.") from None
        _check(restarts, keep)
        return _sitting(_Plan(run, restarts, keep, minutes, how | {"threads": threads}))
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
    try:
        run.write(RECIPE, each.as_toml())
        run.write_json(PLAN, {"restarts": restarts, "keep": keep, "threads": threads})
        return _sitting(_Plan(run, restarts, keep, minutes, how | {"threads": threads}))
    except (Mistake, Failure):
        if not any((run.path / TRIALS).glob("*/recipe.toml")):
            shutil.rmtree(run.path, ignore_errors=True)  # nothing was trained: nothing is left
        raise


def is_unfinished(path: str | os.PathLike[str]) -> bool:
    """Whether a folder holds restarts that have not come to their end."""
    return (Path(path) / PLAN).is_file() and not (Path(path) / "recipe.toml").is_file()


def _check(restarts: int, keep: str) -> None:
    if not 2 <= restarts <= MOST:
        raise Mistake(f"--restarts is from 2 to {MOST}, not {restarts}.")
    if keep not in ("validation", "training"):
        raise Mistake(f"--keep is validation or training, not {keep!r}.")


def _sitting(plan: _Plan) -> Restarted:
    """The trials that are still to do, and the best of all made the run itself."""
    run = plan.run
    with run.locked():
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


def _trials(plan: _Plan) -> Restarted:
    """All trials, or as many as there is time for."""
    folders = plan.run.path / TRIALS
    began = time.monotonic()
    done: list[Trained] = []
    stopped: Stopped = "finished"
    for number in range(1, plan.restarts + 1):
        folder = folders / str(number)
        left = plan.minutes and max(1e-6, plan.minutes - (time.monotonic() - began) / 60)
        plan.how["watch"].notice(f"Trial {number} of {plan.restarts}.")
        if (folder / "recipe.toml").is_file():
            trained = train(resume=folder, minutes=left, **plan.how)
        else:
            shutil.rmtree(folder, ignore_errors=True)  # of one that was killed as it began
            recipe = str(plan.run.path / RECIPE)
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
    try:
        trials = [
            Trial(
                number=int(row["number"]),
                kept=row["kept"] == "True",
                **{name: float(row[name]) for name in FIGURES},
            )
            for row in run.read_table(TABLE)
        ]
        if sum(trial.kept for trial in trials) != 1:
            raise ValueError("it does not say which was kept")
    except (KeyError, TypeError, ValueError) as wrong:
        raise Failure(f"{run.path / TABLE} is damaged: {wrong}.") from None
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
    try:
        for path in sorted(trial.glob("*"), key=lambda path: path.name == "recipe.toml"):
            if path.name != "lock":
                os.replace(path, run.path / path.name)
        shutil.rmtree(trial, ignore_errors=True)
    except OSError as wrong:
        raise Failure(f"{trial} could not be made the run itself: {wrong.strerror}.") from None
