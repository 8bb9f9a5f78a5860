"""Train a network on a data set or a folder, into a run folder that can be stopped and resumed."""

import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from hubel.data.augment import augmentation
from hubel.data.batches import Batches
from hubel.data.samples import differences, manifest
from hubel.mistakes import Failure, Mistake
from hubel.model import Classifier
from hubel.results import Evaluation
from hubel.run import Run
from hubel.training import checkpoint, evaluate, losses, optimisers, schedule
from hubel.training import recipe as recipes
from hubel.training.loop import Epoch, Step, TrainingState, fit, out_of_patience
from hubel.training.optimisers import Optimiser
from hubel.training.recipe import Recipe
from hubel.verbs import machine
from hubel.verbs.interrupt import Request, interruptible
from hubel.verbs.prepare import Prepared, make_classifier, prepare
from hubel.verbs.report import write_report
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


@dataclass
class _Training:
    """All that one training needs, put together by `_begin`."""

    run: Run
    recipe: Recipe
    prepared: Prepared
    classifier: Classifier
    batches: Batches
    optimiser: Optimiser
    device: torch.device
    watch: Watch
    state: TrainingState = field(default_factory=TrainingState)


def train(
    data: str | os.PathLike[str] | None = None,
    *,
    recipe: str = "fast",
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

    recipe: a name of `hubel.training.recipe.RECIPES` or a TOML file; settings: any of its keys
    (network="lenet5", epochs=5, lr=0.1, seed=1, …). out: the run folder, which must be new; the
    default is runs/<date>-<data>-<network>. minutes: stop after so long; it never shapes the
    schedule, and the run can be resumed. resume: a run folder to go on with, exactly as it would
    have gone on: on the same device, threads and versions, unless inexact. workers: processes
    that decode pictures, 0 for threads of this process. watch: hears of progress and notices.

    Ctrl-C stops after the step, saves, and gives back what there is; a second one stops at once.
    Raises Mistake (a wrong name or value), Failure (data, disk) and FloatingPointError (the loss
    is not finite; the last finite checkpoint is kept).

    >>> import hubel, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     trained = hubel.train("digits", network="linear", epochs=2, out=f"{folder}/run")
    >>> trained.validation.n
    216
    """
    watch = watch or Watch()
    where = machine.device(device)
    if minutes is not None and not minutes > 0:
        raise Mistake(f"minutes must be above 0, not {minutes}.")
    if resume is not None:
        if data is not None or settings or out is not None:
            raise Mistake("A resumed run keeps its data, recipe and folder: give only --resume.")
        run = Run.find(Path(resume))
        resolved = recipes.from_run(run.path)
        threads = threads or run.read_json("environment.json").get("threads")
    else:
        if data is not None:
            settings["data"] = _absolute(data)
        resolved = recipes.resolve(recipe, {k: v for k, v in settings.items() if v is not None})
    with machine.threads(threads), machine.deterministic(resolved.deterministic):
        prepared = prepare(resolved, workers=workers, watch=watch)
        classifier = make_classifier(resolved, prepared)
        if resume is None:
            run = _new_run(resolved, classifier, out)
        with run.locked():
            if resume is None:
                _write_facts(run, resolved, prepared, classifier, where)
            else:
                _check_unchanged(run, prepared, where, inexact, watch)
            training = _begin(run, resolved, prepared, classifier, where, watch)
            return _run(training, minutes)


def _absolute(data: str | os.PathLike[str]) -> str:
    """A folder's path made absolute, so that the recipe holds from anywhere; a name as it is."""
    text = os.fspath(data)
    return str(Path(text).resolve()) if Path(text).is_dir() else text


def _new_run(recipe: Recipe, classifier: Classifier, out: str | os.PathLike[str] | None) -> Run:
    weights = sum(4 * tensor.numel() for tensor in classifier.state_dict().values())
    folder = Path(out) if out is not None else Path("runs")
    # last, previous and best checkpoint, one being written, each with up to two optimiser tensors
    machine.check_space(folder, 10_000_000 + 4 * 3 * weights)
    name = Path(recipe.data or "data").name
    return Run.create(f"{name}-{recipe.network}", out=Path(out) if out is not None else None)


def _write_facts(
    run: Run, recipe: Recipe, prepared: Prepared, classifier: Classifier, where: torch.device
) -> None:
    run.write_json("environment.json", machine.environment(where))
    run.write_json("classes.json", list(classifier.classes))
    run.write_table("splits.csv", manifest(prepared.splits))
    run.status("running")
    run.write("recipe.toml", recipe.as_toml())  # last: with it, the folder is a run


def _check_unchanged(
    run: Run, prepared: Prepared, where: torch.device, inexact: bool, watch: Watch
) -> None:
    """Refuse to go on where the result would not be the uninterrupted run's."""
    classes = list(prepared.splits.train.classes)
    if classes != run.read_json("classes.json"):
        old = run.read_json("classes.json")
        gone, new = sorted(set(old) - set(classes)), sorted(set(classes) - set(old))
        raise Failure(
            f"The classes are not those of {run.path}: gone: {', '.join(gone) or 'none'}; "
            f"new: {', '.join(new) or 'none'}. Train anew, or put the data back."
        )
    changed = differences(run.read_table("splits.csv"), prepared.splits)
    if changed:
        more = f"; and {len(changed) - 5} more" if len(changed) > 5 else ""
        raise Failure(
            f"The data are not those of {run.path}: {'; '.join(changed[:5])}{more}. "
            "Train anew, or put the data back."
        )
    then, now = run.read_json("environment.json"), machine.environment(where)
    other = machine.differences(then, now)
    if other:
        text = f"{'; '.join(other)}: the result cannot be bit-equal to the uninterrupted run's"
        if not inexact:
            raise Failure(f"{text}. Go on all the same with --inexact.")
        watch.notice(f"{text}; going on as asked.")
        run.log(f"resumed inexactly: {text}")


def _begin(
    run: Run,
    recipe: Recipe,
    prepared: Prepared,
    classifier: Classifier,
    where: torch.device,
    watch: Watch,
) -> _Training:
    """Put the parts together and go back to the last whole checkpoint, if there is one."""
    layout = torch.channels_last if recipe.channels_last else torch.contiguous_format
    classifier.to(where, memory_format=layout)  # type: ignore[call-overload]
    optimiser = optimisers.build(
        classifier.network.named_parameters(),
        kind=recipe.optimiser,
        lr=recipe.lr,
        momentum=recipe.momentum,
        nesterov=recipe.nesterov,
        weight_decay=recipe.weight_decay,
    )
    batches = _batches(recipe, prepared, where)
    training = _Training(run, recipe, prepared, classifier, batches, optimiser, where, watch)
    last = run.load("last", "previous")
    if last is not None:
        for sentence in last.damaged:
            watch.notice(f"{sentence} Going on from the checkpoint before it.")
        training.state = checkpoint.restore(last.files, classifier, optimiser)
        _restore_best(training)
        run.log(f"resumed at epoch {training.state.epoch}, step {training.state.step}")
    return training


def _restore_best(training: _Training) -> None:
    """Read the best weights back; without them the next epoch is the best again, and it is said."""
    state = training.state
    if state.best_epoch == 0:
        return
    try:
        found = training.run.load("best")
        if found is None:
            raise Failure("The checkpoint of the best weights is missing.")
        state.best = checkpoint.unpack(found.files[checkpoint.MODEL])
    except Failure as wrong:
        training.watch.notice(f"{wrong} The best weights will be chosen anew from here on.")
        state.best_epoch = 0


def _batches(recipe: Recipe, prepared: Prepared, where: torch.device) -> Batches:
    images = torch.from_numpy(prepared.train.images)
    return Batches(
        images,
        torch.from_numpy(prepared.train.labels),
        batch_size=len(images) if recipe.batch_size == "all" else recipe.batch_size,
        seed=recipe.seed,
        augment=augmentation(
            flip=prepared.flip,
            crop=recipe.crop,
            rotate=recipe.rotate,
            scale=recipe.scale,
            shift=recipe.shift,
        ),
        device=where,
        channels_last=recipe.channels_last,
    )


def _events(training: _Training) -> Iterator[Step | Epoch]:
    """`fit`, with everything the recipe says."""
    recipe, classifier = training.recipe, training.classifier
    labels = torch.from_numpy(training.prepared.train.labels)
    balanced = recipe.class_weights == "balanced"
    counts = torch.bincount(labels, minlength=len(classifier.classes))
    weights = len(labels) / (len(counts) * counts) if balanced else None
    loss = losses.loss(
        recipe.loss,
        smoothing=recipe.smoothing,
        weights=None if weights is None else weights.to(training.device),
    )
    return fit(
        classifier,
        training.batches,
        loss=loss,
        optimiser=training.optimiser,
        schedule=schedule.schedule(
            recipe.schedule,
            warmup=recipe.warmup,
            milestones=recipe.milestones,
            patience=recipe.plateau_patience,
        ),
        epochs=recipe.epochs,
        state=training.state,
        device=training.device,
        seed=recipe.seed,
        validate=lambda: _validate(training),
        penalty=_penalty(recipe),
        patience=recipe.patience,
        autocast=machine.autocast(recipe.precision, training.device),
    )


def _penalty(recipe: Recipe) -> Any:
    if not (recipe.l1 or recipe.l2):
        return None

    def penalty(model: nn.Module) -> Tensor:
        parameters = list(model.parameters())
        return recipe.l1 * losses.l1(parameters) + recipe.l2 * losses.l2(parameters)

    return penalty


def _answers(training: _Training) -> Tensor:
    """The classifier's logits on the validation pictures."""
    images = torch.from_numpy(training.prepared.validation.images)
    return evaluate.predict(training.classifier, images, device=training.device)


def _measured(training: _Training, logits: Tensor) -> Evaluation:
    labels = torch.from_numpy(training.prepared.validation.labels)
    return evaluate.evaluation(logits, labels, training.classifier.classes)


def _validate(training: _Training) -> dict[str, float]:
    found = _measured(training, _answers(training))
    return {"accuracy": found.accuracy, "loss": found.loss}


def _run(training: _Training, minutes: float | None) -> Trained:
    run, state, recipe = training.run, training.state, training.recipe
    run.status("running")
    stopped: Stopped = "finished"
    try:
        with interruptible() as request:
            stopped = _loop(training, minutes, request)
    except FloatingPointError as wrong:
        run.status("failed", why=str(wrong))
        run.log(f"failed: {wrong}")
        raise FloatingPointError(
            f"{wrong} What was saved before is kept in {run.path / 'checkpoints'}."
        ) from None
    if stopped == "finished" and state.epoch < recipe.epochs:
        stopped = "early stopping"
    return _finish(training, stopped)


def _loop(training: _Training, minutes: float | None, request: Request) -> Stopped:
    """Run the training, saving after every epoch and every so many seconds."""
    state, recipe, watch = training.state, training.recipe, training.watch
    began = saved = time.monotonic()
    for event in _events(training):
        now = time.monotonic()
        if isinstance(event, Epoch):
            watch.progress("epoch", event.number, recipe.epochs, _line(event))
            training.run.log(f"epoch {event.number}  {_line(event)}")
            _save(training, best=event.best)
            saved = now
        else:
            steps = (len(state.history) and event.number) or event.number
            watch.progress("train", steps, 0, f"epoch {event.epoch}/{recipe.epochs}")
            if now - saved >= recipe.checkpoint_seconds:
                _save(training)
                saved = now
        going_on = state.epoch < recipe.epochs and not out_of_patience(state, recipe.patience)
        if going_on and (request.made or (minutes and now - began >= 60 * minutes)):
            _save(training)
            return "interrupted" if request.made else "time limit"
    return "finished"


def _line(event: Epoch) -> str:
    figures = event.figures
    text = f"loss {figures['loss']:.4f}  accuracy {figures['accuracy']:.2%}"
    if "validation_accuracy" in figures:
        text += f"  validation {figures['validation_accuracy']:.2%}"
    return text + f"  {figures['seconds']:.0f} s" + ("  best" if event.best else "")


def _save(training: _Training, *, best: bool = False) -> None:
    """The best weights first: `last` must never know of a best epoch that is not on disk."""
    run, state = training.run, training.state
    files = checkpoint.save(training.classifier, training.optimiser, state)
    if best:
        run.save("best", {checkpoint.MODEL: files[checkpoint.MODEL]})
    run.write_table("metrics.csv", state.history)
    run.save("last", files, keep="previous")


def _finish(training: _Training, stopped: Stopped) -> Trained:
    """Put the best weights back, save the model, write the report."""
    run, state, classifier = training.run, training.state, training.classifier
    if state.best:
        classifier.load_state_dict(state.best)
    classifier.eval()
    logits = _answers(training)
    validation = _measured(training, logits)
    classifier.provenance |= {"epoch": state.best_epoch, "validation": validation.accuracy}
    classifier.save(run.path / "model")
    run.write_json("validation.json", validation.as_json())
    run.status(
        stopped,
        epoch=state.epoch,
        best_epoch=state.best_epoch,
        seconds=state.seconds,
        notices=training.prepared.notices,
    )
    write_report(run, classifier, training.prepared.validation, logits, on="validation")
    run.log(f"{stopped}: validation accuracy {validation.accuracy:.4f}")
    return Trained(
        run=run.path,
        classifier=classifier,
        validation=validation,
        history=tuple(state.history),
        best_epoch=state.best_epoch,
        stopped=stopped,
        seconds=state.seconds,
    )
