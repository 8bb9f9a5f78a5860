"""Attacks that follow the gradient: one step of it (FGSM), or many within a ball (PGD).

Goodfellow et al. 2015 ("Explaining and harnessing adversarial examples", section 4); Madry et al.
2018 ("Towards deep learning models resistant to adversarial attacks", section 2.1). The loop is
written once; the geometry is a `Norm`, the loss a row of `LOSSES`.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hubel import draws
from hubel.breaking.norms import LINF, Norm
from hubel.logits import answered, checked, finite
from hubel.mistakes import Failure, Mistake, unknown
from hubel.model import evaluating

BLIND = (
    "The network hands no gradient back to its pixels (it rounds, or detaches them): an attack by "
    "gradient cannot begin; a search without one can."
)
# By what a picture's logits are pulled, (logits (N, K), labels (N,)) → the loss's gradient by the
# logits: the loss itself is never needed. "cross-entropy" is the papers'; "margin" (Carlini &
# Wagner 2017, section IV-A, f6) does not fade where the network is sure.
Pull = Callable[[Tensor, Tensor], Tensor]


def _cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    return logits.softmax(1) - F.one_hot(labels, logits.shape[1])


def _margin(logits: Tensor, labels: Tensor) -> Tensor:
    own = F.one_hot(labels, logits.shape[1])
    best = logits.masked_fill(own.bool(), -torch.inf).argmax(1)
    return (F.one_hot(best, logits.shape[1]) - own).to(logits)


LOSSES: dict[str, Pull] = {"cross-entropy": _cross_entropy, "margin": _margin}


# Of ε, with dropping. Chosen on training pictures of clothing: 18 looks at a picture instead of 23,
# and of 500 pictures 198 resist instead of 202.
FIRST, LAST = 1 / 2, 1 / 50


def fgsm(
    network: nn.Module,
    pixels: Tensor,
    labels: Tensor,
    *,
    epsilon: float,
    targeted: bool = False,
    seed: int | None = None,
    indices: Sequence[int] | None = None,
) -> Tensor:
    """One step of size ε in the direction of the gradient's sign: `pgd` with one step."""
    return pgd(
        network, pixels, labels, epsilon=epsilon, step=epsilon, steps=1, targeted=targeted,
        seed=seed, indices=indices,
    )  # fmt: skip


def pgd(
    network: nn.Module,
    pixels: Tensor,
    labels: Tensor,
    *,
    epsilon: float,
    norm: Norm = LINF,
    steps: int = 40,
    step: float | None = None,
    targeted: bool = False,
    loss: str = "cross-entropy",
    restarts: int = 1,
    drop: bool = False,
    seed: int | None = None,
    indices: Sequence[int] | None = None,
) -> Tensor:
    """Pictures within ε of the given ones that the network gets wrong, or takes for the targets.

    network: called with pixels (N, C, H, W) in [0, 1], gives logits (N, K); such pixels come back.
    labels int64 (N,): the right classes; targeted: those that the pictures are to be taken for.
    epsilon: in units of [0, 1], in the norm. step: of each step; None: 2.5 ε / steps, with which
    any point of the ball can be reached from any other (Madry et al.), but where pictures are
    dropped from FIRST to LAST of ε, falling by the same share each time: what fools easily does so
    within a few large steps, and small ones find a little more. loss: a row of LOSSES.
    seed: the start is drawn from the ball; None: it is the picture itself. What is drawn for a
    picture depends on the seed and its number alone; indices: these, 0 to N − 1 if not given.
    restarts: so many ascents from other starts; of each picture one that fools is returned, if
    there is one, else that of the highest loss.
    drop: a picture is left as it is once it fools the network. That is right where pictures that
    resist are counted, and faster; but what fools by a hair's breadth fools no other network.

    Mode, gradients and hooks are left as found, so is the global generator. Raises Mistake for what
    cannot be asked, and Failure for logits or gradients that are not finite.
    """
    check(pixels, labels, epsilon, norm)
    if loss not in LOSSES:
        raise unknown("loss of an attack", loss, LOSSES)
    if steps < 1 or restarts < 1:
        raise Mistake(f"An attack takes 1 step and 1 start or more, not {steps} and {restarts}.")
    if restarts > 1 and seed is None:
        raise Mistake("Several starts have to differ: give a seed.")
    if step is not None and not 0 < step < math.inf:
        raise Mistake(f"The size of a step is above 0 and finite, not {step}.")
    sizes = [step] * steps if step is not None else _sizes(epsilon, steps, drop=drop)
    numbers = range(len(pixels)) if indices is None else indices
    with evaluating(network) as network, torch.inference_mode(False), torch.enable_grad():
        pixels = pixels.detach()
        found, merit = pixels.clone(), pixels.new_full((len(pixels),), -torch.inf)
        left = torch.arange(len(pixels), device=pixels.device)  # whom the next ascent is for
        for restart in range(restarts):
            if not len(left):
                break
            ball = _Ball(pixels[left].clone(), labels[left].clone(), norm, epsilon, targeted)
            start = ball.origin
            if seed is not None:
                noise = drawn(norm, start, seed, restart, [numbers[i] for i in left.tolist()])
                start = (start + epsilon * noise).clamp_(0, 1)
            done = _ascend(network, ball, start, LOSSES[loss], sizes, drop=drop)
            if restarts == 1:
                return done
            with torch.no_grad():
                logits = answered(network, done)
            better = merits(logits, labels[left], targeted=targeted)
            known = fooled(logits, labels[left], targeted=targeted)
            gain = better > merit[left]
            found[left[gain]], merit[left[gain]] = done[gain], better[gain]
            if drop:
                left = left[~known]
    return found


class _Ball(NamedTuple):
    """Where pictures may go: within ε of their origins, away from their labels or towards them."""

    origin: Tensor
    labels: Tensor
    norm: Norm
    epsilon: float
    targeted: bool

    @property
    def sign(self) -> float:
        return -1.0 if self.targeted else 1.0

    def step(self, x: Tensor, slope: Tensor, size: float) -> Tensor:
        change = x - self.origin + self.sign * size * self.norm.steepest(slope)
        return (self.origin + self.norm.project(change, self.epsilon)).clamp_(0, 1)

    def of(self, which: Tensor) -> "_Ball":
        return self._replace(origin=self.origin[which], labels=self.labels[which])


def _ascend(
    network: nn.Module, ball: _Ball, x: Tensor, pull: Pull, sizes: Sequence[float], *, drop: bool
) -> Tensor:
    """One ascent from x; with drop, pictures leave the batch as soon as they fool."""
    done, place = x, torch.arange(len(x), device=x.device)  # of x among all
    for size in sizes:
        logits, slope = pulled(network, x, ball.labels, pull)
        if drop:
            stay = ~fooled(logits, ball.labels, targeted=ball.targeted)
            if not bool(stay.all()):
                done = done.index_copy(0, place, x)
                x, slope, place, ball = x[stay], slope[stay], place[stay], ball.of(stay)
                if not len(x):
                    return done
        x = ball.step(x, slope, size)
    return done.index_copy(0, place, x) if drop else x


def _sizes(epsilon: float, steps: int, *, drop: bool) -> list[float]:
    """The usual sizes of steps, see `pgd`."""
    if not drop or steps == 1:
        return [2.5 * epsilon / steps] * steps
    falls = (LAST / FIRST) ** (1 / (steps - 1))
    return [FIRST * epsilon * falls**n for n in range(steps)]


def pulled(network: nn.Module, x: Tensor, labels: Tensor, pull: Pull) -> tuple[Tensor, Tensor]:
    """Logits of pictures, and the gradient of their losses by the pixels. Gradients must be on."""
    leaf = x.detach().requires_grad_()
    logits = answered(network, leaf)
    check_labels(logits, labels)
    slope: Tensor | None = None
    if logits.requires_grad:  # its parameters may be what asks for a gradient
        (slope,) = torch.autograd.grad(
            logits, leaf, pull(logits.detach(), labels), allow_unused=True
        )
    if slope is None:
        raise Failure(BLIND)
    if not bool(slope.sum().isfinite()) and not bool(slope.isfinite().all()):  # no sum ran over
        raise Failure("The network's gradient is not finite: there is nothing to follow.")
    return logits.detach(), slope


def fooled(logits: Tensor, labels: Tensor, *, targeted: bool = False) -> Tensor:
    """Of each picture whether it is taken for another class, or for its target; bool (N,)."""
    named = finite(checked(logits, len(labels))).argmax(1) == labels
    return named if targeted else ~named


def attacked(
    network: nn.Module, pixels: Tensor, labels: Tensor, *, batch: int, **how: object
) -> Iterator[Tensor]:
    """`pgd` of many pictures, so many at a time, each as if it had been alone."""
    for start in range(0, len(pixels), batch):
        part = slice(start, start + batch)
        numbers = range(len(pixels))[part]
        yield pgd(network, pixels[part], labels[part], indices=numbers, **how)  # type: ignore[arg-type]


def check(pixels: Tensor, labels: Tensor, epsilon: float, norm: Norm = LINF) -> None:
    """What every attack within a ball asks of its input. Raises Mistake."""
    check_pixels(pixels, labels)
    most = norm.everything(pixels[0].numel() if len(pixels) else 1)
    if not len(pixels) and epsilon > 0:
        return  # of what size the pictures are, nobody knows
    if norm is LINF and most < epsilon <= 255:
        raise Mistake(
            f"ε is in units of pixels from 0 to 1, not {epsilon:g}: of 255 levels that is "
            f"{epsilon:g}/255."
        )
    if not 0 < epsilon <= most:
        raise Mistake(
            f"ε is above 0 and at most {most:.4g}, in units of pixels from 0 to 1, not {epsilon:g}."
        )


def check_pixels(pixels: Tensor, labels: Tensor) -> None:
    """Raises Mistake for what are no pictures in [0, 1], or no labels of theirs."""
    if pixels.ndim != 4 or not pixels.is_floating_point():
        raise Mistake(
            f"Pictures are float (N, C, H, W), not {tuple(pixels.shape)} of {pixels.dtype}."
        )
    if labels.shape != pixels.shape[:1] or labels.dtype != torch.int64:
        raise Mistake(
            f"There is one int64 label for each of the {len(pixels)} pictures; found "
            f"{tuple(labels.shape)} of {labels.dtype}."
        )
    if not len(pixels):
        return
    low, high = (float(bound) for bound in pixels.aminmax())
    if not (low >= 0 and high <= 1):
        raise Mistake(f"Pixels are from 0 to 1; found {low:g} to {high:g}.")
    if int(labels.min()) < 0:
        raise Mistake(f"Labels are 0 or more; found {int(labels.min())}.")


def check_labels(logits: Tensor, labels: Tensor) -> None:
    """Raises Mistake for a label that is no class of the logits (N, K)."""
    if len(labels) and int(labels.max()) >= logits.shape[1]:
        raise Mistake(f"Labels are 0 to {logits.shape[1] - 1}; found {int(labels.max())}.")


def drawn(norm: Norm, like: Tensor, seed: int, restart: int, numbers: Sequence[int]) -> Tensor:
    """A change of each picture from the ball of size 1, by its number."""
    found = []
    for number, picture in zip(numbers, like, strict=True):
        generator = torch.Generator().manual_seed(draws.integer(seed, "attack", restart, number))
        found.append(norm.start(picture, generator))
    return torch.stack(found)


def merits(logits: Tensor, labels: Tensor, *, targeted: bool = False) -> Tensor:
    """How good each attack is, (N,): what fools is above 0, what does not below.

    By the margin of the wrong classes over the right one; of targets, of theirs over the others.
    """
    own = logits.gather(1, labels[:, None])[:, 0]
    best = logits.scatter(1, labels[:, None], -torch.inf).amax(1)
    return own - best if targeted else best - own
