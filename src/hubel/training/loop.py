"""The training loop, written once: a generator that yields after every step and every epoch.

The caller shows progress, saves, keeps to a time limit, prunes, or stops by breaking. Everything
that the next step depends on is in the model, the optimiser and the `TrainingState`; order,
augmentation and dropout are pure functions of (seed, epoch, step). So a run that is stopped after
any step and goes on from the saved three ends bit-equal to one that never stopped.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from hubel import draws
from hubel.logits import checked
from hubel.model import Heads
from hubel.results import merit
from hubel.training.optimisers import Optimiser
from hubel.training.schedule import Progress

LossFunction = Callable[[Tensor, Tensor], Tensor]  # (logits, labels) → scalar
Mode = Callable[[nn.Module, int], None]  # puts the model in order for a step of that epoch, from 0
_GENERATORS = threading.Lock()  # held while torch's own generators are a step's


class Judged(NamedTuple):
    """What a step found: logits (N, K), their mean loss, and the scalar that is to be minimised."""

    logits: Tensor
    loss: Tensor
    objective: Tensor


# (model, pixels, labels, loss, number of the step in the run, from 0) → what it is judged by
Objective = Callable[[nn.Module, Tensor, Tensor, LossFunction, int], Judged]


class Batches(Protocol):
    """What `fit` needs of the data: so many steps, and the batches of an epoch from any step on."""

    def __len__(self) -> int: ...
    def epoch(self, epoch: int, *, start: int = 0) -> Iterator[tuple[Tensor, Tensor]]: ...


@dataclass(frozen=True)
class Step:
    """After one step: `number` counts from 1 over the run; loss is a detached scalar tensor."""

    epoch: int
    number: int
    loss: Tensor


@dataclass(frozen=True)
class Epoch:
    """After one epoch (`number` from 1): its figures, and whether it is the best one so far."""

    number: int
    figures: Mapping[str, float]
    best: bool


@dataclass
class TrainingState:
    """Where a training stands, beside the weights and the optimiser.

    epoch: finished epochs. step: steps done in the current one. history: the figures of finished
    epochs. best_epoch: the number of the best epoch by validation accuracy (the last of equals),
    0 before any; best: the weights after it. seconds: time spent in `fit`.
    sums: running loss, correct answers and samples of the current epoch.
    """

    epoch: int = 0
    step: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = 0
    best: dict[str, Tensor] = field(default_factory=dict)
    seconds: float = 0.0
    sums: Tensor = field(default_factory=lambda: torch.zeros(3, dtype=torch.float64))


def training_mode(model: nn.Module, _epoch: int) -> None:
    """The usual `Mode`: dropout drops, batch norms learn their statistics."""
    model.train()


def as_given(
    model: nn.Module, pixels: Tensor, labels: Tensor, loss: LossFunction, _step: int = 0
) -> Judged:
    """The usual `Objective`: the loss of the pictures as they are, with that of auxiliary heads."""
    output = model(pixels)
    if not isinstance(output, Heads):
        output = checked(output, len(pixels))
        value = _exact(loss, output, labels)
        return Judged(output, value, value)
    value = _exact(loss, output.logits, labels)
    beside = torch.stack([_exact(loss, logits, labels) for logits in output.auxiliary]).sum()
    return Judged(output.logits, value, value + output.weight * beside)


def fit(
    model: nn.Module,
    batches: Batches,
    *,
    loss: LossFunction,
    optimiser: Optimiser,
    schedule: Callable[[Progress], float],
    epochs: int,
    state: TrainingState,
    device: torch.device | str = "cpu",
    seed: int = 0,
    validate: Callable[[], Mapping[str, float]] | None = None,
    penalty: Callable[[nn.Module], Tensor] | None = None,
    patience: int | None = None,
    autocast: torch.dtype | None = None,
    mode: Mode = training_mode,
    objective: Objective = as_given,
    slack: float = 0.0,
) -> Iterator[Step | Epoch]:
    """Train in place, going on from `state`; see the module's text for who does what.

    batches gives pixels float32 (N, C, H, W) in [0, 1] and labels int64 (N,), or their shares
    (N, K) where pictures are mixed. loss: any callable (logits, labels) → scalar; penalty: added to
    it (L1, L2). schedule: progress → multiplier of the optimiser's rates. validate: called after
    every epoch, its figures ("accuracy", "loss") are recorded as "validation_…" and choose the best
    weights, by "robust" where there is one; without it the last weights are best.
    patience: stop early after so many epochs without a better one. autocast: torch.bfloat16 for
    mixed precision. mode: called before every step; may freeze what is not to be trained.
    objective: what a step minimises, where that is not the loss of its pictures as they are.
    slack: a later epoch is kept even if its validation accuracy is so much below the best.
    Raises FloatingPointError at a loss that is not finite, naming epoch and step; on the CPU the
    model then still has the weights that gave that loss. Elsewhere the losses are looked at every
    32 steps, and weights that are not finite are caught where they are saved (`checkpoint.save`).
    """
    device = torch.device(device)
    # Apple's devices have no float64; float32 counts an epoch's samples exactly up to 16 million
    wide = torch.float32 if device.type == "mps" else torch.float64
    state.sums = state.sums.to(device, wide)
    # reading the loss back at every step would stall a GPU: there it is read every 32 steps
    check_every = 1 if device.type == "cpu" else 32
    while state.epoch < epochs and not out_of_patience(state, patience):
        began, spent = time.perf_counter(), state.seconds
        unchecked: list[Tensor] = []
        for pixels, labels in batches.epoch(state.epoch, start=state.step):
            mode(model, state.epoch)
            number = state.epoch * len(batches) + state.step
            accuracies = tuple(f.get("validation_accuracy", f["accuracy"]) for f in state.history)
            progress = Progress(number, len(batches), epochs, accuracies)
            optimiser.scale(schedule(progress))
            with (
                _reseeded(draws.integer(seed, "dropout", number), device),
                torch.autocast(device.type, autocast, enabled=autocast is not None),
            ):
                logits, value, aim = objective(model, pixels, labels, loss, number)
            aim = aim if penalty is None else aim + penalty(model)
            unchecked.append(aim.detach())
            if len(unchecked) == check_every or state.step + 1 == len(batches):
                _check_finite(unchecked, state.epoch + 1, state.step + 1)
                unchecked.clear()
            optimiser.zero_grad()
            aim.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            state.step += 1
            state.sums += _tally(value, logits, labels).to(state.sums.dtype)
            state.seconds = spent + time.perf_counter() - began
            yield Step(state.epoch + 1, number + 1, aim.detach())
            began, spent = time.perf_counter(), state.seconds
        yield _finish_epoch(model, optimiser, state, validate, began, slack)


def _exact(loss: LossFunction, logits: Tensor, labels: Tensor) -> Tensor:
    """The loss in float32 at least, also of mixed precision's logits."""
    wide = logits.float() if logits.dtype in (torch.bfloat16, torch.float16) else logits
    with torch.autocast(logits.device.type, enabled=False):
        return loss(wide, labels)


def out_of_patience(state: TrainingState, patience: int | None) -> bool:
    """Whether `patience` epochs have passed since validation accuracy last rose."""
    if patience is None or not state.history:
        return False
    merits = [merit(figures) for figures in state.history]
    return len(merits) - 1 - merits.index(max(merits)) >= patience


def _finish_epoch(
    model: nn.Module,
    optimiser: Optimiser,
    state: TrainingState,
    validate: Callable[[], Mapping[str, float]] | None,
    began: float,
    slack: float,
) -> Epoch:
    total, correct, samples = state.sums.tolist()
    figures = {"epoch": float(state.epoch + 1), "rate": max(optimiser.rates())}
    figures |= {"loss": total / samples, "accuracy": correct / samples}
    if validate is not None:
        figures |= {f"validation_{name}": figure for name, figure in validate().items()}
    state.seconds += time.perf_counter() - began
    return finished(state, model, figures, slack=slack)


def finished(
    state: TrainingState, model: nn.Module, figures: dict[str, float], *, slack: float = 0.0
) -> Epoch:
    """Close an epoch in the state with its figures; the best weights so far are copied.

    Among equals the later epoch is kept: where a small validation split is answered without a
    mistake, more of the schedule has still been worth having. The validation loss would not tell:
    under label smoothing it rises while the network gets better. Accuracy under attack comes before
    the plain one: an adversarial training may lose all of its robustness within an epoch, and
    answers the pictures as they are all the better for it.
    """
    figures["seconds"] = state.seconds
    state.history.append(figures)
    state.epoch, state.step = state.epoch + 1, 0
    state.sums.zero_()
    if state.best_epoch == 0 or merit(figures) >= max(map(merit, state.history)) - slack:
        state.best_epoch = state.epoch
        state.best = {name: value.clone() for name, value in model.state_dict().items()}
    return Epoch(state.epoch, figures, state.best_epoch == state.epoch)


def _tally(value: Tensor, logits: Tensor, labels: Tensor) -> Tensor:
    """(sum of losses, correct answers, samples), on the device: nothing waits for it."""
    n = len(labels)
    with torch.no_grad():
        # of mixed pictures the larger part counts
        right = labels.argmax(1) if labels.ndim == 2 else labels
        correct = (logits.argmax(1) == right).sum()
        return torch.stack((value.detach().float() * n, correct.float(), correct.new_full((), n)))


def _check_finite(losses: list[Tensor], epoch: int, last_step: int) -> None:
    finite = torch.isfinite(torch.stack(losses)).tolist()
    if not all(finite):
        step = last_step - len(losses) + 1 + finite.index(False)
        raise FloatingPointError(
            f"The loss is {losses[finite.index(False)].item()} in epoch {epoch} at step {step}: "
            "try a lower learning rate."
        )


@contextmanager
def _reseeded(seed: int, device: torch.device) -> Iterator[None]:
    """torch's generators seeded inside (dropout draws from them), and put back after (but Apple's).

    They are the process's: of two trainings in two threads, one waits here for the other's step.
    `torch.manual_seed` would do, but looks for every kind of device first: 170 µs a step.
    """
    with _GENERATORS, torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.default_generator.manual_seed(seed)
        if device.type == "cuda":
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        elif device.type == "mps":
            torch.mps.manual_seed(seed)
        yield
