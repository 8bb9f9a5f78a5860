"""The smallest change that fools a network: DeepFool.

Moosavi-Dezfooli et al. 2016 ("DeepFool: a simple and accurate method to fool deep neural
networks", algorithm 2): take the network for linear where the picture stands, step to the nearest
boundary, and again until the class changes.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from hubel.breaking.gradient import BLIND, check_labels, check_pixels
from hubel.breaking.layout import best_layout, laid_out
from hubel.logits import answered
from hubel.mistakes import Failure, Mistake, unknown
from hubel.model import evaluating

AGAIN = 3  # of the candidates, how many are looked at after the first step: those nearest then
TIE = 1e-4  # of the logits' range at the start: a boundary is taken to be at least so far away


class Minimal(NamedTuple):
    """Changed pictures and how far they are from the given ones; N pictures.

    images (N, C, H, W) in [0, 1]. fooled bool (N,): whether the network takes the picture for
    another class than its own, or for its target. size (N,): of the change, in L2. steps int64
    (N,): how many were taken.
    """

    images: Tensor
    fooled: Tensor
    size: Tensor
    steps: Tensor


class Way(NamedTuple):
    """How a norm steps to a boundary, f logits away and of slope w (n, D).

    direction(w): like w, the way of the shortest step. length(w) → (n,): the dual norm of w, so
    that the boundary is f / length(w) away.
    """

    direction: Callable[[Tensor], Tensor]
    length: Callable[[Tensor], Tensor]


WAYS: dict[str, Way] = {
    "l2": Way(lambda w: w, lambda w: w.norm(dim=1)),
    "linf": Way(torch.sign, lambda w: w.abs().sum(1)),
}


def deepfool(
    network: nn.Module,
    pixels: Tensor,
    *,
    labels: Tensor | None = None,
    steps: int = 50,
    overshoot: float = 0.02,
    candidates: int = 10,
    norm: str = "l2",
) -> Minimal:
    """Pictures just across the nearest boundary (Moosavi-Dezfooli et al. 2016, algorithm 2).

    network: called with pixels (N, C, H, W) in [0, 1], gives logits (N, K); such pixels come back.
    labels int64 (N,): the classes to be left; None: those the network names. A picture that is not
    named so is fooled as it is. steps: at most so many of each picture. overshoot: every step goes
    by this share beyond the boundary. candidates: the classes of the highest logits, its own among
    them, to whose boundaries the distance is taken. norm: of WAYS, in which a step is the shortest.

    A picture that is fooled leaves the batch, and so does one without a slope to follow.
    Departures from the paper: after every step the pixels are clipped to [0, 1], so that it may
    fall short and more are needed. After the first step only the AGAIN boundaries that were the
    nearest are looked at: the others hardly ever come nearer. Every step is multiplied by
    1 + overshoot, as in the authors' code, and not their sum alone; and a boundary is taken to be
    TIE of the logits' range away or more, so that a step is not lost in rounding.

    Mode, gradients and hooks are left as found. Raises Mistake for what cannot be asked, and
    Failure for a network without a gradient, or with logits that are not finite.
    """
    _check(pixels, labels, steps, overshoot, candidates, norm)
    with evaluating(network) as network, torch.inference_mode(False), torch.enable_grad():
        images = pixels.detach().clone()
        fooled = torch.zeros(len(images), dtype=torch.bool, device=images.device)
        taken = torch.zeros(len(images), dtype=torch.int64, device=images.device)
        if len(images):
            x, layout = images.clone(), best_layout(network, images)
            leaf, logits = seen(network, x, layout)
            own, others = _rivals(logits.detach(), labels, candidates)
            least = TIE * (logits.detach().amax(1) - logits.detach().amin(1))
            place = torch.arange(len(x), device=x.device)  # of x among the pictures
            for number in range(steps + 1):
                stay = logits.argmax(1) == own
                images[place], taken[place], fooled[place] = x, number, ~stay
                if number == steps or not bool(stay.any()):
                    break
                x, own, others, place, least = (
                    part[stay] for part in (x, own, others, place, least)
                )
                if (len(leaf) - len(x)) * others.shape[1] > len(x):
                    # to look at those that stay costs less than the others' backward passes
                    (leaf, logits), stay = seen(network, x, layout), stay[stay]
                step, nearest = _step(leaf, logits, stay, own, others, least, WAYS[norm])
                others = others.gather(1, nearest[:, :AGAIN]) if number == 0 else others
                x = (x + (1 + overshoot) * step).clamp_(0, 1)
                leaf, logits = seen(network, x, layout)
    return Minimal(images, fooled, (images - pixels).flatten(1).norm(dim=1), taken)


def seen(network: nn.Module, x: Tensor, layout: torch.memory_format) -> tuple[Tensor, Tensor]:
    """Pictures as a leaf, and their logits with the graph between. Gradients must be on."""
    leaf = laid_out(x.detach(), layout).requires_grad_()
    logits = answered(network, leaf)
    if not logits.requires_grad:
        raise Failure(BLIND)
    return leaf, logits


def slope_of(
    value: Tensor, leaf: Tensor, pull: Tensor | None = None, *, keep: bool = False
) -> Tensor:
    """The slope by the pixels, pulled at by `pull`. Raises Failure where none leads to them."""
    (slope,) = torch.autograd.grad(value, leaf, pull, retain_graph=keep, allow_unused=True)
    if slope is None:  # its parameters alone have a gradient
        raise Failure(BLIND)
    return slope


def _rivals(logits: Tensor, labels: Tensor | None, candidates: int) -> tuple[Tensor, Tensor]:
    """The class of each picture (n,), and the others of the highest logits (n, m)."""
    order = logits.argsort(dim=1, descending=True, stable=True)
    own = order[:, 0] if labels is None else labels.clone()
    check_labels(logits, own)
    return own, order[order != own[:, None]].view(len(own), -1)[:, : candidates - 1]


def _step(
    leaf: Tensor,
    logits: Tensor,
    stay: Tensor,
    own: Tensor,
    others: Tensor,
    least: Tensor,
    way: Way,
) -> tuple[Tensor, Tensor]:
    """The way to the nearest boundary, and the order of the others from near to far (s, m).

    leaf (n, …), logits (n, K): of them stay bool (n,) picks the s pictures that own (s,) and
    others (s, m) belong to; least (s,): the smallest gap that counts. The step is like leaf[stay];
    0 where there is no slope.
    """
    rows = stay.nonzero()[:, 0]
    values = logits.detach()[rows]
    gaps = values.gather(1, own[:, None]) - values.gather(1, others)
    gaps = gaps.maximum(least[:, None])  # a tie is stepped over, too
    distances = torch.empty_like(gaps)
    best, nearest = torch.zeros_like(leaf)[rows], gaps.new_full((len(rows),), torch.inf)
    chosen = torch.zeros_like(nearest)
    for k, other in enumerate(others.unbind(1)):
        pull = torch.zeros_like(logits)
        pull[rows, other], pull[rows, own] = 1, -1
        last = k == others.shape[1] - 1
        slope = slope_of(logits, leaf, pull, keep=not last)
        slope = slope[rows] if len(rows) < len(leaf) else slope
        distances[:, k] = gaps[:, k] / way.length(slope.flatten(1))
        closer = distances[:, k] < nearest
        nearest = torch.where(closer, distances[:, k], nearest)
        chosen = torch.where(closer, gaps[:, k], chosen)
        best = torch.where(_each(closer, best), slope, best)
    direction = way.direction(best)
    rate = (best * direction).flatten(1).sum(1)  # at which the gap closes along the direction
    far = torch.where(rate > 0, chosen / rate, 0)
    return _each(far, best) * direction, distances.argsort(1)


def _each(values: Tensor, like: Tensor) -> Tensor:
    """One value a picture, shaped to go with the pictures."""
    return values.view(-1, *(1 for _ in like.shape[1:]))


def _check(
    pixels: Tensor,
    labels: Tensor | None,
    steps: int,
    overshoot: float,
    candidates: int,
    norm: str,
) -> None:
    check_pixels(pixels, torch.zeros(len(pixels), dtype=torch.int64) if labels is None else labels)
    if norm not in WAYS:
        raise unknown("norm of DeepFool", norm, WAYS)
    if steps < 1 or candidates < 2:
        raise Mistake(
            f"DeepFool takes 1 step and 2 candidates or more, not {steps} and {candidates}."
        )
    if not 0 < overshoot < math.inf:
        raise Mistake(f"The overshoot is above 0 and finite, not {overshoot}.")
