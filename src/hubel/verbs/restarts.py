"""Random restarts: the same training several times from other draws, and the best one kept."""

import os
import shutil
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from hubel.mistakes import Failure, Mistake
from hubel.run import Run
from hubel.verbs.report import report_again
from hubel.verbs.train import Trained, named, train
from hubel.verbs.watch import Watch

Keep = Literal["validation", "training"]
PLAN, TRIALS, TABLE = "restarts.json", "trials", "trials.csv"
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
    """The kept training, whose run folder holds all of it, and every trial."""

    best: Trained
    trials: Sequence[Trial]

    @property
    def mean(self) -> float:
        """Of the trials' validation accuracies."""
        return statistics.fmean(trial.validation_accuracy for trial in self.trials)

    @property
    def deviation(self) -> float:
        """Their sample standard deviation; 0 of a single one."""
        rows = [trial.validation_accuracy for trial in self.trials]
        return statistics.stdev(rows) if len(rows) > 1 else 0.0


def restart(
    data: str | os.PathLike[str] | None = None,
    *,
    restarts: int = 5,
    keep: Keep = "validation",
    out: str | os.PathLike[str] | None = None,
    resume: str | os.PathLike[str] | None = None,
    watch: Watch | None = None,
    **settings: Any,
) -> Restarted:
    """`hubel.train` as often as `restarts` says, on one split, from other draws each time.

    keep: the trial with the best validation accuracy, or with the lowest training error; of equals
    the first. The run folder (out, as `train` has it) becomes that of the kept trial; the others
    stay in trials/, and the report shows them all. resume: a run folder of restarts that were
    stopped. settings: as `train` takes them. A trial that is stopped (Ctrl-C, minutes) ends it all,
    and nothing is lost. Raises as `train` does.

    >>> import hubel, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     two = hubel.restart(
    ...         "digits", restarts=2, network="linear", epochs=1, out=f"{folder}/run"
    ...     )
    >>> [trial.number for trial in two.trials], two.deviation < 0.2
    ([1, 2], True)
    """
    watch = watch or Watch()
    if resume is not None:
        if data is not None:
            raise Mistake("Resumed restarts keep their data: give only --resume.")
        parent = Run(Path(resume).resolve())
        plan = parent.read_json(PLAN)
        restarts, keep = int(plan["restarts"]), plan["keep"]
        settings = {**plan["settings"], **settings}
        data = settings.pop("data")
    else:
        if not 2 <= restarts <= MOST:
            raise Mistake(f"--restarts is from 2 to {MOST}, not {restarts}.")
        if keep not in ("validation", "training"):
            raise Mistake(f"--keep is validation or training, not {keep!r}.")
        parent = Run.create(named(data, settings), out=Path(out) if out is not None else None)
        kept = {name: value for name, value in settings.items() if value is not None}
        told = {"data": data and os.fspath(data), **kept}
        parent.write_json(PLAN, {"restarts": restarts, "keep": keep, "settings": told})
    with parent.locked():
        return _all(parent, data, restarts, keep, settings, watch)


def is_unfinished(path: str | os.PathLike[str]) -> bool:
    """Whether a folder holds restarts that have not come to their end."""
    return (Path(path) / PLAN).is_file() and not (Path(path) / "recipe.toml").is_file()


def _all(
    parent: Run,
    data: str | os.PathLike[str] | None,
    restarts: int,
    keep: Keep,
    settings: dict[str, Any],
    watch: Watch,
) -> Restarted:
    if (parent.path / TABLE).is_file():
        return _moved(parent, watch)
    done: list[Trained] = []
    for number in range(1, restarts + 1):
        folder = parent.path / TRIALS / str(number)
        watch.notice(f"Trial {number} of {restarts}.")
        if (folder / "recipe.toml").is_file():
            trained = train(resume=folder, watch=watch)
        else:
            trained = train(data, out=folder, trial=number, watch=watch, **settings)
        done.append(trained)
        if trained.stopped in ("interrupted", "time limit"):
            return Restarted(replace(trained, run=parent.path), [_trial(1, trained)])
    trials = [_trial(number, trained) for number, trained in enumerate(done, 1)]
    best = max(range(restarts), key=lambda i: (_merit(trials[i], keep), -i))
    trials[best] = replace(trials[best], kept=True)
    parent.write_table(TABLE, [vars(trial) for trial in trials])
    _move_up(parent.path / TRIALS / str(best + 1), parent.path)
    report_again(parent, watch=watch)
    return Restarted(replace(done[best], run=parent.path), trials)


def _moved(parent: Run, watch: Watch) -> Restarted:
    """The end of restarts that were killed while the kept trial became the run itself."""
    trials = [
        Trial(
            number=int(row["number"]),
            kept=row["kept"] == "True",
            **{name: float(row[name]) for name in FIGURES},
        )
        for row in parent.read_table(TABLE)
    ]
    kept = next(trial for trial in trials if trial.kept)
    _move_up(parent.path / TRIALS / str(kept.number), parent.path)
    best = train(resume=parent.path, watch=watch)
    report_again(parent, watch=watch)
    return Restarted(best, trials)


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


def _move_up(trial: Path, parent: Path) -> None:
    """Make the trial's folder the parent's own; recipe.toml last, which makes that a run."""
    try:
        for path in sorted(trial.glob("*"), key=lambda path: path.name == "recipe.toml"):
            if path.name != "lock":
                os.replace(path, parent / path.name)
        shutil.rmtree(trial, ignore_errors=True)
    except OSError as wrong:
        raise Failure(f"{trial} could not be made the run itself: {wrong.strerror}.") from None
