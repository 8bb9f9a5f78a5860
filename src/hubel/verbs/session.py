"""One training put together from a recipe: its parts, and its checkpoints in the run folder."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from hubel.data.augment.colour import principal
from hubel.data.augment.compose import EFFECTS, augmentation
from hubel.data.augment.mixing import mixing
from hubel.data.batches import Batches
from hubel.inference.answers import Answers
from hubel.mistakes import Failure
from hubel.model import Classifier
from hubel.results import Evaluation
from hubel.run import Run
from hubel.training import checkpoint, evaluate, losses, optimisers, schedule
from hubel.training.loop import Epoch, Step, TrainingState, finished, fit, training_mode
from hubel.training.optimisers import Optimiser
from hubel.training.recipe import Recipe
from hubel.transfer import finetune
from hubel.transfer.features import head, pooled
from hubel.transfer.probe import probe
from hubel.verbs import machine
from hubel.verbs.prepare import Prepared
from hubel.verbs.watch import Watch

BEST = ("best", "best-previous")
VALIDATION_BATCH = 256  # pictures
EPOCH = "epoch.json"  # beside the best weights: which epoch they are of


@dataclass
class Session:
    """All that one training needs, put together by `begin`."""

    run: Run
    recipe: Recipe
    prepared: Prepared
    classifier: Classifier
    batches: Batches
    optimiser: Optimiser
    device: torch.device
    watch: Watch
    state: TrainingState = field(default_factory=TrainingState)


def begin(
    run: Run,
    recipe: Recipe,
    prepared: Prepared,
    classifier: Classifier,
    where: torch.device,
    watch: Watch,
) -> Session:
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
        rates=finetune.rates(classifier.network, recipe.first_rate) if recipe.start else None,
    )
    batches = _batches(recipe, prepared, where)
    session = Session(run, recipe, prepared, classifier, batches, optimiser, where, watch)
    last = run.load("last", "previous")
    if last is not None:
        for sentence in last.damaged:
            watch.notice(f"{sentence} Going on from the checkpoint before it.")
        session.state = checkpoint.restore(last.files, classifier, optimiser)
        _restore_best(session)
        run.log(f"resumed at epoch {session.state.epoch}, step {session.state.step}")
    return session


def _restore_best(session: Session) -> None:
    """Read the best weights back; without them the next epoch is the best again, and it is said.

    A kill between saving the best weights and saving `last` leaves best weights on disk of which
    `last` does not know yet; those that it knows are then the ones before.
    """
    state = session.state
    if state.best_epoch == 0:
        return
    damaged = []
    for name in BEST:
        try:
            found = session.run.load(name)
            if found and json.loads(found.files[EPOCH]) == state.best_epoch:
                state.best = checkpoint.unpack(found.files[checkpoint.MODEL])
                return
        except Failure as wrong:
            damaged.append(str(wrong))
    why = " ".join(damaged) or "The checkpoint of the best weights is missing."
    session.watch.notice(f"{why} The best weights will be chosen anew from here on.")
    state.best_epoch = 0


def _batches(recipe: Recipe, prepared: Prepared, where: torch.device) -> Batches:
    images = torch.from_numpy(prepared.train.images)
    return Batches(
        images,
        torch.from_numpy(prepared.train.labels),
        batch_size=len(images) if recipe.batch_size == "all" else recipe.batch_size,
        seed=recipe.drawn_from,
        augment=augmentation(
            {name: float(getattr(recipe, name) or 0) for name in EFFECTS} | {"flip": prepared.flip},
            axes=principal(prepared.train.images) if recipe.lighting else None,
            margin=recipe.margin,
        ),
        mix=mixing(
            mixup=recipe.mixup, cutmix=recipe.cutmix, classes=len(prepared.splits.train.classes)
        ),
        device=where,
        channels_last=recipe.channels_last,
    )


def events(session: Session) -> Iterator[Step | Epoch]:
    """`fit`, with everything the recipe says; of a start, the head's epoch first."""
    recipe, classifier = session.recipe, session.classifier
    if recipe.start and session.state.epoch == 0:
        yield head_epoch(session)
    labels = torch.from_numpy(session.prepared.train.labels)
    counts = torch.bincount(labels, minlength=len(classifier.classes))
    weights = len(labels) / (len(counts) * counts) if session.prepared.balanced else None
    loss = losses.loss(
        recipe.loss,
        smoothing=recipe.smoothing,
        weights=None if weights is None else weights.to(session.device),
    )
    planned = schedule.schedule(
        recipe.schedule,
        warmup=recipe.warmup,
        milestones=recipe.milestones,
        patience=recipe.plateau_patience,
    )
    yield from fit(
        classifier,
        session.batches,
        loss=loss,
        optimiser=session.optimiser,
        schedule=schedule.after(1, planned) if recipe.start else planned,
        epochs=recipe.epochs,
        state=session.state,
        device=session.device,
        seed=recipe.drawn_from,
        validate=lambda: _validate(session),
        penalty=_penalty(recipe),
        patience=recipe.patience,
        autocast=machine.autocast(recipe.precision, session.device),
        mode=_Thawing(recipe) if recipe.start else training_mode,
        slack=finetune.slack(len(session.prepared.validation.labels)) if recipe.start else 0.0,
    )


class _Thawing:
    """`fit`'s mode for a start: from epoch to epoch more layers learn, batch norms never do."""

    def __init__(self, recipe: Recipe) -> None:
        self._recipe, self._epoch = recipe, -1

    def __call__(self, model: nn.Module, epoch: int) -> None:
        finetune.train_mode(model)
        if epoch != self._epoch:
            recipe, self._epoch = self._recipe, epoch
            share = finetune.thawed(epoch, first=1, last=recipe.epochs - 1, share=recipe.thaw)
            finetune.thaw(model, share)


def head_epoch(session: Session) -> Epoch:
    """The first epoch from a start: its last layer alone, on features that are computed once.

    The layer that is there stays where it names more of the validation pictures than the new one:
    that of a start which knows these classes.
    """
    began = time.perf_counter()
    prepared, classifier, state = session.prepared, session.classifier, session.state
    features, labels = {}, {}
    for name in ("train", "validation"):
        loaded = getattr(prepared, name)
        labels[name] = torch.from_numpy(loaded.labels)
        features[name] = pooled(
            classifier,
            loaded.images,
            device=session.device,
            progress=lambda done, total: session.watch.progress("features", done, total),
        )
    weights, biases = probe(
        features["train"],
        labels["train"],
        classes=len(classifier.classes),
        balanced=prepared.balanced,
        validation=(features["validation"], labels["validation"]),
        seed=session.recipe.drawn_from,
    )
    layer = classifier.network.get_submodule(head(classifier.network, len(classifier.classes)))
    before = [parameter.detach().clone() for parameter in layer.parameters()]

    def on(name: str) -> Evaluation:
        with torch.no_grad():
            logits = layer(features[name].to(session.device)).cpu()
        return evaluate.evaluation(logits, labels[name], classifier.classes)

    old = on("validation")
    _fill(layer, (weights, biases))
    if on("validation").accuracy < old.accuracy:
        _fill(layer, before)
    figures = {"epoch": 1.0, "rate": 0.0}
    for name, prefix in (("train", ""), ("validation", "validation_")):
        found = on(name)
        figures |= {f"{prefix}loss": found.loss, f"{prefix}accuracy": found.accuracy}
    state.seconds += time.perf_counter() - began
    return finished(state, classifier, figures)


def _fill(layer: nn.Module, values: Sequence[Tensor]) -> None:
    with torch.no_grad():
        for parameter, value in zip(layer.parameters(), values, strict=False):
            parameter.copy_(value)


def _penalty(recipe: Recipe) -> Callable[[nn.Module], Tensor] | None:
    """λ₁ Σ|W| + λ₂ ΣW², or None where the recipe has neither."""
    if not (recipe.l1 or recipe.l2):
        return None

    def penalty(model: nn.Module) -> Tensor:
        parameters = list(model.parameters())
        return recipe.l1 * losses.l1(parameters) + recipe.l2 * losses.l2(parameters)

    return penalty


def answers(session: Session) -> Tensor:
    """The classifier's logits on the validation pictures."""
    images = session.prepared.validation.images
    # the network as it trains, in batches of one size: a resumed run must see the same figures
    answering = Answers(
        session.classifier, expected=0, batch_size=VALIDATION_BATCH, device=session.device
    )
    answering.add(images)
    return answering.logits()


def measured(session: Session, logits: Tensor) -> Evaluation:
    labels = torch.from_numpy(session.prepared.validation.labels)
    return evaluate.evaluation(logits, labels, session.classifier.classes)


def _validate(session: Session) -> dict[str, float]:
    found = measured(session, answers(session))
    return {"accuracy": found.accuracy, "loss": found.loss}


def save(session: Session, *, best: bool = False) -> None:
    """The best weights first: `last` must never know of a best epoch that is not on disk."""
    run, state = session.run, session.state
    files = checkpoint.save(session.classifier, session.optimiser, state)
    if best:
        weights = {checkpoint.MODEL: files[checkpoint.MODEL]}
        weights[EPOCH] = json.dumps(state.best_epoch).encode()
        run.save(BEST[0], weights, keep=BEST[1])
    run.write_table("metrics.csv", state.history)
    run.save("last", files, keep="previous")
