"""Gradient ascent within a ball that sets the size of its own steps: Auto-PGD.

Croce & Hein 2020 ("Reliable evaluation of adversarial robustness with an ensemble of diverse
parameter-free attacks", algorithm 1 and section 3.2).
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hubel.breaking.gradient import LOSSES, Pull, check, check_labels, drawn, fooled, merits, pulled
from hubel.breaking.norms import LINF, Norm
from hubel.mistakes import Mistake
from hubel.model import evaluating

MOMENTUM = 0.75  # the paper's α: of the new step, the rest is the last one again
RISING = 0.75  # ρ: of the steps between two checkpoints, how many have to rise
PERIOD, SHORTER, SHORTEST = 0.22, 0.03, 0.06  # between checkpoints, of all steps


class Loss(NamedTuple):
    """What an ascent climbs, by logits (N, K), labels (N,) and rivals (N,).

    value → (N,); pull → (N, K), its gradient by the logits.
    """

    value: Callable[[Tensor, Tensor, Tensor], Tensor]
    pull: Callable[[Tensor, Tensor, Tensor], Tensor]

    def towards(self, rivals: Tensor) -> Pull:
        return lambda logits, labels: self.pull(logits, labels, rivals)


def _ahead(logits: Tensor, labels: Tensor, rivals: Tensor) -> Tensor:
    ahead: Tensor = logits.gather(1, rivals[:, None]) - logits.gather(1, labels[:, None])
    return ahead[:, 0]


def _rival_for_label(logits: Tensor, labels: Tensor, rivals: Tensor) -> Tensor:
    check_labels(logits, rivals)
    many = logits.shape[1]
    return (F.one_hot(rivals, many) - F.one_hot(labels, many)).to(logits)


CROSS_ENTROPY = Loss(
    lambda logits, labels, _: F.cross_entropy(logits, labels, reduction="none"),
    lambda logits, labels, _: LOSSES["cross-entropy"](logits, labels),
)
# by how much one wrong class is ahead of the right one
RIVAL = Loss(_ahead, _rival_for_label)
# the same of a target, and of the class that is ahead of it
TARGET = Loss(
    lambda logits, labels, _: merits(logits, labels, targeted=True),
    lambda logits, labels, _: -LOSSES["margin"](logits, labels),
)


def apgd(
    network: nn.Module,
    pixels: Tensor,
    labels: Tensor,
    *,
    epsilon: float,
    norm: Norm = LINF,
    steps: int = 100,
    rivals: Tensor | None = None,
    targeted: bool = False,
    drop: bool = False,
    seed: int = 0,
    start: int = 0,
    indices: Sequence[int] | None = None,
) -> Tensor:
    """Pictures within ε of the given ones that the network gets wrong, by one Auto-PGD.

    network, pixels, labels, epsilon, targeted, drop and indices are as for
    `hubel.breaking.gradient.pgd`, and so is what comes back: of each picture the one seen on the
    way with the highest margin. steps: of which the first is 2 ε long; at checkpoints that come
    ever more often it is halved, for each picture by itself, where fewer than RISING of the steps
    since the last one rose, or nothing better was found; the ascent then goes on from the best.
    rivals int64 (N,): to which class each is led; None: by cross-entropy away from its label, to
    any. Targets are led towards by their margin over the best other class.
    The start is drawn from the ball, by the seed, the number of the start and of the picture.

    Departure from the paper: a rival is led ahead of the label by the difference of their logits,
    which the paper divides by a distance between other logits, so that the scale of all does not
    matter. In steps of a given length it does not anyway; and it takes two classes, not four.

    Mode, gradients and hooks are left as found. Raises Mistake for what cannot be asked, and
    Failure for logits or gradients that are not finite, or none at all.
    """
    check(pixels, labels, epsilon, norm)
    if steps < 1:
        raise Mistake(f"An attack takes 1 step or more, not {steps}.")
    loss = TARGET if targeted else CROSS_ENTROPY if rivals is None else RIVAL
    numbers = list(range(len(pixels)) if indices is None else indices)
    with evaluating(network) as network, torch.inference_mode(False), torch.enable_grad():
        found = pixels.detach().clone()
        if len(found):
            noise = drawn(norm, found, seed, start, numbers)
            x = (found + epsilon * noise).clamp_(0, 1)
            climb = _Climb.of(found.clone(), x, labels, labels if rivals is None else rivals)
            found.copy_(x)
            _ascend(network, climb, found, loss, norm, epsilon, steps, targeted, drop)
    return found


class _Climb(NamedTuple):
    """n ascents on their way, a row of each tensor one ascent.

    place: which picture it is. x, value, slope: where it is, the loss there and its gradient;
    before: where it was. top: the highest loss so far, top_x and top_slope where that was. size: of
    its next step, in ε. rises: of the steps since the last checkpoint; was: top at that, halved:
    whether the size was.
    """

    place: Tensor
    origin: Tensor
    labels: Tensor
    rivals: Tensor
    x: Tensor
    before: Tensor
    value: Tensor
    slope: Tensor
    top: Tensor
    top_x: Tensor
    top_slope: Tensor
    size: Tensor
    rises: Tensor
    was: Tensor
    halved: Tensor

    @classmethod
    def of(cls, origin: Tensor, x: Tensor, labels: Tensor, rivals: Tensor) -> "_Climb":
        none = x.new_full((len(x),), -torch.inf)
        return cls(
            torch.arange(len(x), device=x.device), origin, labels, rivals, x, x, none, x, none, x,
            x, torch.full_like(none, 2), torch.zeros_like(none), none, none > 0,
        )  # fmt: skip

    def only(self, which: Tensor) -> "_Climb":
        return _Climb(*(part[which] for part in self))


def _ascend(
    network: nn.Module, climb: _Climb, found: Tensor, loss: Loss, norm: Norm, epsilon: float,
    steps: int, targeted: bool, drop: bool,
) -> None:  # fmt: skip
    """All of algorithm 1; the best of each picture is written to `found` (N, C, H, W)."""
    marks, last = checkpoints(steps), 0
    merit = found.new_full((len(found),), -torch.inf)
    for step in range(steps + 1):
        rivals = climb.rivals
        logits, slope = pulled(network, climb.x, climb.labels, loss.towards(rivals))
        margin = merits(logits, climb.labels, targeted=targeted)
        better = margin > merit[climb.place]
        which = climb.place[better]
        found[which], merit[which] = climb.x[better], margin[better]
        climb = _looked(climb, loss.value(logits, climb.labels, rivals), slope, first=step == 0)
        if drop:
            stay = ~fooled(logits, climb.labels, targeted=targeted)
            found[climb.place[~stay]] = climb.x[~stay]
            climb = climb.only(stay) if not bool(stay.all()) else climb
        if step == steps or not len(climb.x):
            return
        if step in marks and step > 0:
            climb, last = _checked(climb, step - last), step
        climb = _moved(climb, norm, epsilon, momentum=MOMENTUM if step else 1.0)


def checkpoints(steps: int) -> set[int]:
    """After which steps the size of a step is looked at.

    >>> sorted(checkpoints(100))
    [0, 22, 41, 57, 70, 80, 87, 93, 99]
    """
    at, period, found = 0.0, PERIOD, set[int]()
    while at < 1 - 1e-9:
        found.add(math.ceil(at * steps - 1e-9))
        at, period = at + period, max(period - SHORTER, SHORTEST)
    return found


def _looked(climb: _Climb, value: Tensor, slope: Tensor, *, first: bool) -> _Climb:
    """With the loss and the gradient of where it is now."""
    up = value > climb.top
    rises = climb.rises if first else climb.rises + (value > climb.value)
    top = torch.where(up, value, climb.top)
    return climb._replace(
        value=value, slope=slope, rises=rises, top=top, was=top if first else climb.was,
        top_x=torch.where(_each(up, slope), climb.x, climb.top_x),
        top_slope=torch.where(_each(up, slope), slope, climb.top_slope),
    )  # fmt: skip


def _checked(climb: _Climb, since: int) -> _Climb:
    """At a checkpoint, so many steps after the last: conditions 1 and 2 of section 3.2."""
    halve = (climb.rises < RISING * since) | (~climb.halved & (climb.was == climb.top))
    there = _each(halve, climb.x)
    return climb._replace(
        size=torch.where(halve, climb.size / 2, climb.size), halved=halve, was=climb.top,
        rises=torch.zeros_like(climb.rises), value=torch.where(halve, climb.top, climb.value),
        x=torch.where(there, climb.top_x, climb.x),
        slope=torch.where(there, climb.top_slope, climb.slope),
    )  # fmt: skip


def _moved(climb: _Climb, norm: Norm, epsilon: float, *, momentum: float) -> _Climb:
    """One step, equations 1 and 2; within ε and [0, 1]."""

    def inside(change: Tensor) -> Tensor:
        return (climb.origin + norm.project(change, epsilon)).clamp_(0, 1)

    here = climb.x - climb.origin
    size = _each(epsilon * climb.size, here)
    straight = inside(here + size * norm.steepest(climb.slope))
    ahead = momentum * (straight - climb.x) + (1 - momentum) * (climb.x - climb.before)
    return climb._replace(x=inside(here + ahead), before=climb.x)


def _each(values: Tensor, like: Tensor) -> Tensor:
    """One value a picture, shaped to go with the pictures."""
    return values.view(-1, *(1 for _ in like.shape[1:]))
