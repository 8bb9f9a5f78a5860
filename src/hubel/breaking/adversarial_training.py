"""Adversarial training: a network learns from pictures changed so as to fool it as it is now.

Each row of ADVERSARIES makes an `Objective` for `hubel.training.loop.fit`. What is drawn depends on
the seed and the step alone, so that a resumed training is bit-equal. Pictures are changed in L∞,
and looked for in evaluation mode: batch norms do not learn from the search, nothing is dropped in
it (as TRADES' authors do; Madry's and Wong's code searches in training mode).

One step of gradient may suffice until, within an epoch, it does not: the network learns to look
robust along that step alone, and any attack of more steps finds it open ("catastrophic
overfitting", Wong et al. 2020, section 5.4). What tells is `robust_accuracy` after every epoch, and
what helps is to keep the weights of the epoch where that was best.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hubel import draws
from hubel.breaking.gradient import attacked, fooled, pgd, pulled
from hubel.breaking.norms import LINF
from hubel.logits import answered
from hubel.mistakes import Mistake, unknown
from hubel.model import Heads, evaluating
from hubel.training.loop import Judged, LossFunction, Objective, as_given

FAST_STEP = 1.25  # of ε (Wong et al. 2020, section 4.1: smaller trains less, larger collapses)
BATCH = 256  # pictures, where none is learned from
START = 0.001  # TRADES' standard deviation: at the picture itself its divergence has no gradient


class Threat(NamedTuple):
    """What a training is to withstand: changes of up to epsilon in L∞, pixels being in [0, 1].

    steps: of gradient, to find one. beta: TRADES' weight of agreement against accuracy. seed: of
    where the search begins.
    """

    epsilon: float
    steps: int = 10
    beta: float = 6.0
    seed: int = 0


def adversary(name: str, threat: Threat) -> Objective:
    """What `fit` is to minimise: a row of ADVERSARIES. Raises Mistake for what cannot be asked.

    labels are int64 (N,): pictures that were mixed have no class to be led away from.
    """
    if name not in ADVERSARIES:
        raise unknown("adversary", name, ADVERSARIES)
    if threat.steps < 1 or threat.beta < 0:
        raise Mistake(
            f"An adversary takes 1 step or more and a β of 0 or more, not {threat.steps} and "
            f"{threat.beta}."
        )
    return ADVERSARIES[name](threat)


def fast(threat: Threat) -> Objective:
    """The loss after one step from a random start (Wong, Rice & Kolter 2020, algorithm 3).

    "Fast is better than free". It costs two passes and not steps + 1; see above for its danger.
    """
    return _led(threat, steps=1, step=FAST_STEP * threat.epsilon)


def steepest(threat: Threat) -> Objective:
    """The loss at its largest within ε, found by PGD (Madry et al. 2018, equation 2.1).

    Steps of 2.5 ε / steps from a random start; the paper has ε / 4 at 7 steps for CIFAR-10, and
    ε / 30 at 40 for MNIST.
    """
    return _led(threat, steps=threat.steps, step=2.5 * threat.epsilon / threat.steps)


def trades(threat: Threat) -> Objective:
    """The loss as given + β KL(p(x) ‖ p(x′)), x′ where p is furthest off (Zhang et al. 2019).

    "Theoretically principled trade-off", equation 5 and algorithm 1: the search climbs the
    divergence, no label has a part in it. The divergence's gradient goes through both its sides.
    """

    def objective(
        model: nn.Module, pixels: Tensor, labels: Tensor, loss: LossFunction, step: int
    ) -> Judged:
        other = _furthest(model, pixels, labels, threat, step)
        logits, value, aim = as_given(model, pixels, labels, loss)
        moved = model(other)
        moved = moved.logits if isinstance(moved, Heads) else moved
        return Judged(logits, value, aim + threat.beta * divergence(logits, moved))

    return objective


ADVERSARIES: dict[str, Callable[[Threat], Objective]] = {
    "fast": fast,
    "pgd": steepest,
    "trades": trades,
}


def divergence(logits: Tensor, other: Tensor) -> Tensor:
    """KL(p ‖ q) of the softmaxes of two logits (N, K), in nats, the mean over pictures: scalar."""
    wide = torch.promote_types(logits.dtype, torch.float32)
    here, there = (F.log_softmax(each.to(wide), 1) for each in (logits, other))
    return F.kl_div(there, here, reduction="batchmean", log_target=True)


def robust_accuracy(
    network: nn.Module, pixels: Tensor, labels: Tensor, *, epsilon: float, steps: int = 10
) -> float:
    """The share of pictures (N, C, H, W) that PGD from one random start does not get wrong.

    As good as an attack of so few steps is: for a watch over a training, not for a figure to print.
    """
    moved = attacked(
        network, pixels, labels, batch=BATCH, epsilon=epsilon, steps=steps, drop=True, seed=0
    )
    wrong = 0
    with evaluating(network) as network:
        for start, x in zip(range(0, len(labels), BATCH), moved, strict=True):
            wrong += int(fooled(answered(network, x), labels[start : start + BATCH]).sum())
    return 1 - wrong / len(labels)


def _led(threat: Threat, *, steps: int, step: float) -> Objective:
    """The loss of the pictures as PGD leaves them."""

    def objective(
        model: nn.Module, pixels: Tensor, labels: Tensor, loss: LossFunction, number: int
    ) -> Judged:
        seed = draws.integer(threat.seed, "adversary", number)
        moved = pgd(
            model, pixels, labels, epsilon=threat.epsilon, steps=steps, step=step, seed=seed
        )
        return as_given(model, moved, labels, loss)

    return objective


def _furthest(
    model: nn.Module, pixels: Tensor, labels: Tensor, threat: Threat, number: int
) -> Tensor:
    """The pictures within ε whose probabilities are furthest from those of the ones given."""
    seed = draws.integer(threat.seed, "adversary", number)
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(pixels.shape, generator=generator).to(pixels)
    step = 2.5 * threat.epsilon / threat.steps
    with evaluating(model) as model:
        known = answered(model, pixels).softmax(1)
        x = (pixels + START * noise).clamp_(0, 1)
        with torch.enable_grad():
            for _ in range(threat.steps):
                # of KL(known ‖ p) by the logits of p
                _, slope = pulled(model, x, labels, lambda logits, _: logits.softmax(1) - known)
                change = LINF.project(x - pixels + step * LINF.steepest(slope), threat.epsilon)
                x = (pixels + change).clamp_(0, 1)
    return x
