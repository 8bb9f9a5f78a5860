"""Train a network on a data set or a folder, into a run folder that can be stopped and resumed."""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch

from hubel.data.samples import Row, manifest
from hubel.data.sources import check
from hubel.figures import percent
from hubel.mistakes import Failure, Mistake
from hubel.model import Classifier
from hubel.results import Evaluation, why_kept
from hubel.run import Run, is_run
from hubel.training import recipe as recipes
from hubel.training.loop import Epoch, out_of_patience
from hubel.training.recipe import Recipe
from hubel.verbs import machine, rate
from hubel.verbs.early import check_training
from hubel.verbs.interrupt import Request, interruptible
from hubel.verbs.prepare import Prepared, Rows, make_classifier, prepare
from hubel.verbs.report import write_report
from hubel.verbs.resume import check_unchanged, threads_of
from hubel.verbs.session import Session, answers, begin, events, familiar, measured, save
from hubel.verbs.start import begin_with, keep_copy, usual_recipe
from hubel.verbs.watch import Watch

Stopped = Literal["finished", "early stopping", "time limit", "interrupted"]


@dataclass(frozen=True)
class Trained:
    """What came out: the run folder, the classifier with its best weights, and how it went.

    validation: the best weights' figures on the validation split. history: the figures of each
    epoch. stopped says why the training ended; one that was interrupted or met its time limit can
    go on: `train(resume=run)`.
    """

    run: Path
    classifier: Classifier
    validation: Evaluation
    history: tuple[Mapping[str, float], ...]
    best_epoch: int
    stopped: Stopped
    seconds: float


@machine.undisturbed
def train(
    data: str | os.PathLike[str] | None = None,
    *,
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
) -> Trained:
    """Train on `data`: the name of a data set (`hubel data list`) or a folder of pictures.

    recipe: a name of `hubel.training.presets.RECIPES` or a TOML file; None: `finetune` for
    photographs in colour and wherever a start is named, else `fast`. settings: any of its keys
    (network="lenet5", start="efficientnet-lite0", epochs=5, lr=0.1, seed=1, …); lr="auto" takes the
    rate that a range test proposes (`hubel.training.range_test`). out: the run folder, which must
    be new; the default is runs/<date>-<data>-<network>. minutes: stop after so long; it never
    shapes the schedule, and the run can be resumed. resume: a run folder to go on with, exactly as
    it would have gone on: on the same device, threads and versions, unless inexact. workers:
    processes that decode pictures, 0 for threads of this process. watch: hears of progress and
    notices.

    Ctrl-C stops after the step, saves, and gives back what there is; a second one stops at once,
    and so does one before the first step: both raise KeyboardInterrupt, which says how to go on.
    Raises Mistake (a wrong name or value), Failure (data, disk) and FloatingPointError (the loss
    is not finite; the last finite checkpoint is kept).

    >>> import hubel, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     trained = hubel.train("digits", network="linear", epochs=2, out=f"{folder}/run")
    >>> trained.validation.n
    216
    """
    watch = watch or Watch()
    run: Run | None = None
    before: Rows | None = None
    where = machine.device(device)
    check_minutes(minutes)
    machine.demand_float32()
    to_find = resume is None and rate.is_wanted(recipe, settings)
    if resume is not None:
        if data is not None or settings or out is not None:
            raise Mistake("A resumed run keeps its data, recipe and folder: give only --resume.")
        run = Run.find(Path(resume))
        resolved = recipes.from_run(run.path)
        before = run.read_table("splits.csv", Row)
        threads = threads or threads_of(run)
    else:
        check_training(data, out)
        resolved = asked(data, recipe, settings)
    resolved, start = begin_with(resolved, run)
    with machine.threads(threads), machine.deterministic(resolved.deterministic):
        prepared = prepare(resolved, workers=workers, watch=watch, before=before, start=start)
        classifier = make_classifier(resolved, prepared, start)
        if to_find:
            resolved, told = rate.settled(resolved, prepared, classifier, where, watch)
            prepared = replace(prepared, notices=(*prepared.notices, told))
        if run is None:
            run = _new_run(resolved, classifier, out)
        with run.locked():
            if resume is not None:
                check_unchanged(run, prepared, where, inexact, watch)
            with _ending_well(run) as request:
                if resume is None:
                    run.clear()
                    if start is not None:
                        keep_copy(run, resolved, start)
                    _write_facts(run, resolved, prepared, classifier, where)
                session = begin(run, resolved, prepared, classifier, where, watch)
                return _run(session, minutes, request)


@contextmanager
def _ending_well(run: Run) -> Iterator[Request]:
    """The request to stop. A run that fails or is stopped at once says so, and how to go on."""
    with interruptible(at_once=True) as request:
        try:
            yield request
        except Exception as wrong:
            if request.made:  # what was interrupted half way may fail in ways of its own
                raise _stopped(run) from wrong
            if is_run(run.path):
                with suppress(Failure):
                    run.status("failed", why=str(wrong) or type(wrong).__name__)
                run.log(f"failed: {wrong}")
            else:
                run.abandon()
            raise
        except KeyboardInterrupt as wrong:
            raise _stopped(run) from wrong


def _stopped(run: Run) -> KeyboardInterrupt:
    """What a stop at once is told as; nothing stays of a training that was not yet a run."""
    if not is_run(run.path):
        run.abandon()
        return KeyboardInterrupt("Stopped before the training began; nothing is left of it.")
    with suppress(Failure):
        run.status("stopped")
    run.log("stopped at once")
    return KeyboardInterrupt(f"Stopped; go on with: hubel train --resume {run.path}")


def check_minutes(minutes: float | None) -> None:
    if minutes is not None and not minutes > 0:
        raise Mistake(f"minutes must be above 0, not {minutes}.")


def asked(
    data: str | os.PathLike[str] | None, recipe: str | None, settings: Mapping[str, Any]
) -> Recipe:
    """The recipe that these arguments of `train` ask for; lr=auto has a number standing in for it.

    Raises Mistake for what is wrong, and Failure for data that cannot be trained on, as far as
    names alone tell.
    """
    given = {key: value for key, value in settings.items() if value is not None}
    if rate.is_wanted(recipe, given):
        given["lr"] = rate.STANDING_IN
    if data is not None:
        given["data"] = _absolute(data)
    found = recipes.resolve(recipe or _usual(given), given)
    if data is None and found.data is not None:
        check(found.data)
    return found


def _usual(given: Mapping[str, Any]) -> str:
    """The recipe where none is named: what begins somewhere, or is photographs, is finetuned."""
    if "start" in given:
        return "finetune"
    return "fast" if "network" in given else usual_recipe(given.get("data"))


def _absolute(data: str | os.PathLike[str]) -> str:
    """A folder's path made absolute, so that the recipe holds from anywhere; a name as it is."""
    text = os.fspath(data)
    return str(Path(text).resolve()) if os.path.isdir(text) else text


def _new_run(recipe: Recipe, classifier: Classifier, out: str | os.PathLike[str] | None) -> Run:
    weights = sum(4 * tensor.numel() for tensor in classifier.state_dict().values())
    folder = Path(out) if out is not None else Path("runs")
    # last, previous and best checkpoint, one being written, each with up to two optimiser tensors
    machine.check_space(folder, 10_000_000 + 4 * 3 * weights)
    name = named(recipe.data, {"network": recipe.network})
    return Run.create(name, out=Path(out) if out is not None else None)


def named(data: str | os.PathLike[str] | None, settings: Mapping[str, Any]) -> str:
    """What to call a run's folder: its data and its network."""
    network = settings.get("network") or Path(settings.get("start") or "").name
    return "-".join(part for part in (Path(data or "data").name, network) if part)


def _write_facts(
    run: Run, recipe: Recipe, prepared: Prepared, classifier: Classifier, where: torch.device
) -> None:
    run.write_json("environment.json", machine.environment(where))
    run.write_json("classes.json", {"classes": list(classifier.classes)})
    run.write_table("splits.csv", manifest(prepared.splits))
    run.status("running")
    run.write("recipe.toml", recipe.as_toml())  # last: with it, the folder is a run


def _run(session: Session, minutes: float | None, request: Request) -> Trained:
    run, state, recipe = session.run, session.state, session.recipe
    run.status("running")
    try:
        stopped = _loop(session, minutes, request)
    except FloatingPointError as wrong:
        saved = run.path / "checkpoints"
        kept = f"What was saved before is kept in {saved}." if saved.exists() else ""
        raise FloatingPointError(f"{wrong} {kept}".rstrip()) from None
    if stopped == "finished" and state.epoch < recipe.epochs:
        stopped = "early stopping"
    return _finish(session, stopped)


def _loop(session: Session, minutes: float | None, request: Request) -> Stopped:
    """Run the training, saving after every epoch and every so many seconds, before it is told."""
    state, recipe, watch = session.state, session.recipe, session.watch
    began = saved = time.monotonic()
    steps = recipe.epochs * len(session.batches)
    for event in events(session):
        request.at_once = False  # from here on there is something to save
        now = time.monotonic()
        if isinstance(event, Epoch):
            save(session, best=event.best)
            saved = now
            session.run.log(f"epoch {event.number}  {_line(event)}")
            watch.progress("epoch", event.number, recipe.epochs, _line(event))
        else:
            if now - saved >= recipe.checkpoint_seconds:
                save(session)
                saved = now
            watch.progress("train", event.number, steps, f"epoch {event.epoch}/{recipe.epochs}")
        going_on = state.epoch < recipe.epochs and not out_of_patience(state, recipe.patience)
        if going_on and (request.made or (minutes and now - began >= 60 * minutes)):
            save(session)
            watch.notice("Stopping: saved, and measuring what there is.")
            return "interrupted" if request.made else "time limit"
    return "finished"


def _line(event: Epoch) -> str:
    figures = event.figures
    text = f"loss {figures['loss']:.4f}  accuracy {percent(figures['accuracy'], 2)}"
    if "validation_accuracy" in figures:
        text += f"  validation {percent(figures['validation_accuracy'], 2)}"
    return text + f"  {figures['seconds']:.0f} s"


def _finish(session: Session, stopped: Stopped) -> Trained:
    """Put the best weights back, save the model, write the report."""
    run, state, classifier = session.run, session.state, session.classifier
    if state.best:
        classifier.load_state_dict(state.best)
    classifier.eval()
    logits = answers(session)
    validation = measured(session, logits)
    classifier.provenance |= {"epoch": state.best_epoch, "validation": validation.accuracy}
    classifier.reference = familiar(session)
    run.write_folder("model", classifier.files())
    run.write_json("validation.json", validation.as_json())
    run.status(
        stopped,
        epoch=state.epoch,
        best_epoch=state.best_epoch,
        seconds=state.seconds,
        notices=session.prepared.notices,
    )
    try:
        pictures, watch = session.prepared.validation, session.watch
        write_report(run, classifier, pictures, logits, on="validation", watch=watch)
    except Failure as wrong:
        session.watch.notice(f"The model is saved, but its report could not be written: {wrong}")
    kept = f"kept epoch {state.best_epoch}, {why_kept(state.history, state.best_epoch)}"
    run.log(f"{stopped}: {kept}; validation accuracy {validation.accuracy:.4f}")
    return Trained(
        run=run.path,
        classifier=classifier,
        validation=validation,
        history=tuple(state.history),
        best_epoch=state.best_epoch,
        stopped=stopped,
        seconds=state.seconds,
    )
