"""The learning-rate range test: a training in miniature, whose rate grows until the loss does.

Smith 2017, "Cyclical learning rates for training neural networks", section 3.3. Departures: the
rate grows exponentially, so that every power of ten gets as many steps, where the paper's grows
linearly; and it is the loss of the batches that is looked at, smoothed, where the paper looks at
the accuracy on validation pictures.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from hubel.mistakes import Mistake
from hubel.training.loop import Batches, LossFunction, Mode, Step, TrainingState, fit, training_mode
from hubel.training.optimisers import Optimiser

LOW, HIGH, STEPS = 1e-6, 10.0, 150
FALLEN = 0.95  # of the way down, at the rate that is proposed
DIVERGED = 4.0  # times the lowest loss: from there on it is of no use to go on


@dataclass(frozen=True)
class RangeTest:
    """The rate of each step, its loss, that loss smoothed, and the proposed rate.

    All of one length, the steps that were done; a last loss that was not finite is left out.
    diverged: whether the loss ended it, before the highest rate. proposed: by `proposal`; None
    where no rate made the loss any lower.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]
    proposed: float | None
    diverged: bool


def range_test(
    model: nn.Module,
    batches: Batches,
    *,
    loss: LossFunction,
    optimiser: Callable[[float], Optimiser],
    low: float = LOW,
    high: float = HIGH,
    steps: int = STEPS,
    device: torch.device | str = "cpu",
    seed: int = 0,
    penalty: Callable[[nn.Module], Tensor] | None = None,
    autocast: torch.dtype | None = None,
    mode: Mode = training_mode,
    progress: Callable[[int, int], None] | None = None,
) -> RangeTest:
    """Train for so many steps with rates from low to high, each so many times the one before it.

    optimiser: makes a new one with the rate it is given. progress: (steps done, steps in all). All
    else as `fit` takes it, which does the steps. It ends early where the loss is not finite or,
    smoothed over the steps so far, more than DIVERGED times as large as it was at its lowest.
    Weights, buffers, gradients, what is frozen and each module's mode are left as found, and
    nothing is drawn from torch's global generators; with the same seed it does the same again.
    Raises Mistake for rates that do not rise from above 0, or fewer than 10 steps.
    """
    if not 0 < low < high < math.inf:
        raise Mistake(f"The rates rise from above 0 to a finite one, not from {low} to {high}.")
    if steps < 10:
        raise Mistake(f"A range test takes 10 steps or more, not {steps}.")
    growth = (high / low) ** (1 / (steps - 1))
    losses: list[float] = []
    diverged = False
    with as_found(model):
        events = fit(
            model,
            batches,
            loss=loss,
            optimiser=optimiser(low),
            schedule=lambda progress: growth**progress.step,
            epochs=-(-steps // len(batches)),
            state=TrainingState(),
            device=device,
            seed=seed,
            penalty=penalty,
            autocast=autocast,
            mode=mode,
        )
        try:
            for event in events:
                if isinstance(event, Step):
                    losses.append(float(event.loss))
                    if progress is not None:
                        progress(len(losses), steps)
                    diverged = _diverged(losses, width(steps))
                    if diverged or len(losses) == steps:
                        break
        except FloatingPointError:
            diverged = True
    losses = losses[: next((i for i, x in enumerate(losses) if not math.isfinite(x)), len(losses))]
    rates = [low * growth**i for i in range(len(losses))]
    smooth = smoothed(losses, width(steps))
    return RangeTest(tuple(rates), tuple(losses), tuple(smooth), proposal(rates, smooth), diverged)


def width(steps: int) -> int:
    """How many steps on either side a loss is smoothed over."""
    return max(1, steps // 20)


def smoothed(losses: list[float], width: int) -> list[float]:
    """The mean of each loss and its neighbours, up to width on either side, fewer at the ends.

    As many on one side as on the other: otherwise the lowest loss would be at too high a rate.

    >>> smoothed([4.0, 1.0, 1.0, 7.0], 1)
    [4.0, 2.0, 3.0, 7.0]
    """
    found = []
    for i in range(len(losses)):
        reach = min(width, i, len(losses) - 1 - i)
        part = losses[i - reach : i + reach + 1]
        found.append(sum(part) / len(part))
    return found


def proposal(rates: Sequence[float], smoothed: Sequence[float]) -> float | None:
    """The lowest rate at which the smoothed loss had done FALLEN of its fall, to two digits.

    Its fall is that from the first step to the lowest. A higher rate gains next to nothing and is
    nearer to the one from which training diverges; the lowest loss itself may be far up, where a
    few pictures are known by heart before the rate is high. None if the loss did not fall.

    >>> proposal([0.01, 0.03, 0.1, 0.3, 1.0], [2.3, 1.5, 0.42, 0.4, 3.0])
    0.1
    """
    lowest = min(smoothed, default=0.0)
    if not smoothed or lowest == smoothed[0]:
        return None
    low_enough = smoothed[0] - FALLEN * (smoothed[0] - lowest)
    return float(f"{next(r for r, x in zip(rates, smoothed, strict=True) if x <= low_enough):.1e}")


def _diverged(losses: list[float], width: int) -> bool:
    means = [
        sum(part) / len(part)
        for part in (losses[max(0, i - width) : i + 1] for i in range(len(losses)))
    ]
    return not math.isfinite(means[-1]) or means[-1] > DIVERGED * min(means)


@contextmanager
def as_found(model: nn.Module) -> Iterator[None]:
    """Whatever is done to the model inside, it is afterwards what it was."""
    with torch.no_grad():
        tensors = [(t, t.clone()) for t in (*model.parameters(), *model.buffers())]
    learning = [(p, p.requires_grad, p.grad) for p in model.parameters()]
    modes = [(module, module.training) for module in model.modules()]
    try:
        yield
    finally:
        with torch.no_grad():
            for tensor, before in tensors:
                tensor.copy_(before)
        for parameter, learns, gradient in learning:
            parameter.requires_grad_(learns)
            parameter.grad = gradient
        for module, training in modes:
            module.training = training
