"""One training put together from a recipe: its parts, and its checkpoints in the run folder."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from hubel import reading
from hubel.data.augment.colour import principal
from hubel.data.augment.compose import EFFECTS, augmentation
from hubel.data.augment.mixing import mixing
from hubel.data.batches import Batches
from hubel.inference.answers import Answers
from hubel.mistakes import Failure
from hubel.model import Classifier
from hubel.results import Evaluation
from hubel.run import Checkpoint, Run
from hubel.strangeness import Reference
from hubel.tensors import unpack
from hubel.training import checkpoint, evaluate, losses, optimisers, schedule
from hubel.training.loop import Epoch, Step, TrainingState, finished, fit, training_mode
from hubel.training.optimisers import Optimiser
from hubel.training.recipe import Recipe
from hubel.transfer import finetune
from hubel.transfer.familiar import remembered
from hubel.verbs import machine
from hubel.verbs.adversary import objective_of, robust
from hubel.verbs.head import fit_head
from hubel.verbs.prepare import Prepared
from hubel.verbs.stylised import stylised
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
    place(classifier, recipe, where)
    optimiser = optimiser_of(recipe, classifier, recipe.lr)
    batches = batches_of(recipe, prepared, where)
    session = Session(run, recipe, prepared, classifier, batches, optimiser, where, watch)
    last = run.load("last", "previous")
    if last is not None:
        for sentence in last.damaged:
            watch.notice(f"{sentence} Going on from the checkpoint before it.")
        try:
            session.state = checkpoint.restore(last.files, classifier, optimiser)
        except Failure as wrong:
            raise Failure(f"{run.path / 'checkpoints' / last.name}: {wrong}") from None
        _restore_best(session)
        run.log(f"resumed at epoch {session.state.epoch}, step {session.state.step}")
    return session


def place(classifier: Classifier, recipe: Recipe, where: torch.device) -> None:
    """Move the classifier to the device, in the layout that the recipe asks for."""
    layout = torch.channels_last if recipe.channels_last else torch.contiguous_format
    classifier.to(where, memory_format=layout)  # type: ignore[call-overload]


def optimiser_of(recipe: Recipe, classifier: Classifier, lr: float) -> Optimiser:
    """The recipe's optimiser at this rate; of a start, slower for earlier layers."""
    return optimisers.build(
        classifier.network.named_parameters(),
        kind=recipe.optimiser,
        lr=lr,
        momentum=recipe.momentum,
        nesterov=recipe.nesterov,
        weight_decay=recipe.weight_decay,
        rates=finetune.rates(classifier.network, recipe.first_rate) if recipe.start else None,
    )


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
            if found and _epoch_of(found) == state.best_epoch:
                state.best = _weights_of(found, session.classifier)
                return
        except Failure as wrong:
            damaged.append(str(wrong))
    why = " ".join(damaged) or "The checkpoint of the best weights is missing."
    session.watch.notice(f"{why} The best weights will be chosen anew from here on.")
    state.best_epoch = 0


def _epoch_of(found: Checkpoint) -> int:
    return reading.parsed(found.files.get(EPOCH, b""), int, f"checkpoints/{found.name}/{EPOCH}")


def _weights_of(found: Checkpoint, classifier: Classifier) -> dict[str, Tensor]:
    """The best weights. Raises Failure for those of another network."""
    source = f"checkpoints/{found.name}/{checkpoint.MODEL}"
    weights = unpack(found.files.get(checkpoint.MODEL, b""), source)
    own = {name: tensor.shape for name, tensor in classifier.state_dict().items()}
    if {name: tensor.shape for name, tensor in weights.items()} != own:
        raise Failure(f"{source} holds the weights of another network.")
    return weights


def batches_of(recipe: Recipe, prepared: Prepared, where: torch.device) -> Batches:
    """The training pictures in batches, changed and mixed as the recipe says."""
    images = torch.from_numpy(prepared.train.images)
    return Batches(
        images,
        torch.from_numpy(prepared.train.labels),
        batch_size=len(images) if recipe.batch_size == "all" else recipe.batch_size,
        seed=recipe.drawn_from,
        augment=stylised(
            recipe.stylised,
            then=augmentation(
                {name: float(getattr(recipe, name) or 0) for name in EFFECTS}
                | {"flip": prepared.flip},
                axes=principal(prepared.train.images) if recipe.lighting else None,
                margin=recipe.margin,
            ),
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
    planned = schedule.schedule(
        recipe.schedule,
        warmup=recipe.warmup,
        milestones=recipe.milestones,
        patience=recipe.plateau_patience,
    )
    yield from fit(
        classifier,
        session.batches,
        loss=loss_of(recipe, session.prepared, session.device),
        optimiser=session.optimiser,
        schedule=schedule.after(1, planned) if recipe.start else planned,
        epochs=recipe.epochs,
        state=session.state,
        device=session.device,
        seed=recipe.drawn_from,
        validate=lambda: _validate(session),
        penalty=penalty_of(recipe),
        patience=recipe.patience,
        autocast=machine.autocast(recipe.precision, session.device),
        mode=_Thawing(recipe) if recipe.start else training_mode,
        objective=objective_of(recipe),
        slack=finetune.slack(len(session.prepared.validation.labels)) if recipe.start else 0.0,
    )


def loss_of(recipe: Recipe, prepared: Prepared, where: torch.device) -> losses.Loss:
    """The recipe's loss; where classes are to weigh alike, rare ones weigh more."""
    labels = torch.from_numpy(prepared.train.labels)
    counts = torch.bincount(labels, minlength=len(prepared.splits.train.classes))
    weights = len(labels) / (len(counts) * counts) if prepared.balanced else None
    return losses.loss(
        recipe.loss,
        smoothing=recipe.smoothing,
        weights=None if weights is None else weights.to(where),
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

    The layer that is there may be the better one: that of a start which knows these classes.
    """
    began = time.perf_counter()
    state, classifier = session.state, session.classifier
    found = fit_head(session.recipe, session.prepared, classifier, session.device, session.watch)
    figures = {"epoch": 1.0, "rate": 0.0}
    for name, prefix in (("train", ""), ("validation", "validation_")):
        figures |= {f"{prefix}loss": found[name].loss, f"{prefix}accuracy": found[name].accuracy}
    figures |= {f"validation_{name}": figure for name, figure in _robust(session).items()}
    state.seconds += time.perf_counter() - began
    return finished(state, classifier, figures)


def penalty_of(recipe: Recipe) -> Callable[[nn.Module], Tensor] | None:
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
    try:
        answering.add(images)
        return answering.logits()
    except Failure as wrong:
        raise FloatingPointError(f"{wrong} Try a lower learning rate.") from None


def measured(session: Session, logits: Tensor) -> Evaluation:
    labels = torch.from_numpy(session.prepared.validation.labels)
    return evaluate.evaluation(logits, labels, session.classifier.classes)


def familiar(session: Session) -> Reference | None:
    """What the classifier as it is holds other pictures against, to say how strange they are."""
    prepared, size = session.prepared, session.prepared.pixels.size
    # training pictures may be larger than what the network is shown of them: their middle, then
    top, left = ((a - b) // 2 for a, b in zip(prepared.train.images.shape[2:], size, strict=True))
    shown = prepared.train.images[:, :, top : top + size[0], left : left + size[1]]
    return remembered(
        session.classifier,
        shown,
        prepared.validation.images,
        seed=session.recipe.drawn_from,
        device=session.device,
        progress=lambda done, total: session.watch.progress("features", done, total),
    )


def _validate(session: Session) -> dict[str, float]:
    found = measured(session, answers(session))
    return {"accuracy": found.accuracy, "loss": found.loss} | _robust(session)


def _robust(session: Session) -> dict[str, float]:
    return robust(
        session.recipe,
        session.prepared,
        session.classifier,
        session.state.history,
        session.device,
        session.watch,
    )


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
