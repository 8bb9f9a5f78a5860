"""The smallest change that fools: outwards while the network is right, inwards while it is fooled.

Rony et al. 2019 ("Decoupling direction and norm for efficient gradient-based L2 adversarial attacks
and defenses", algorithm 1).
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hubel.breaking.minimal import Minimal, slope_of
from hubel.breaking.nearest import Nearest
from hubel.breaking.norms import L2, TINY
from hubel.mistakes import Mistake
from hubel.model import evaluating

LAST = 0.01  # what is left in the end of a step's length and of gamma


def ddn(
    network: nn.Module,
    pixels: Tensor,
    labels: Tensor,
    *,
    targets: Tensor | None = None,
    steps: int = 200,
    gamma: float = 0.05,
) -> Minimal:
    """Pictures x + ε δ / |δ|: δ follows the loss's slope, ε the answer; in L2.

    network: called with pixels (N, C, H, W) in [0, 1], gives logits (N, K); such pixels come back.
    labels int64 (N,): the classes to be left; a picture that is not named so is fooled as it is.
    targets int64 (N,): the classes to be taken for, other than the labels; None: any but the label.
    steps: of δ; the first is ε long. gamma: by this share ε shrinks after a step that fools and
    grows after one that does not. Both fall to LAST of that on a cosine.

    The nearest fooling picture that was seen on the way comes back. Departures from the paper: ε
    begins where the linear network would have its boundary, not at 1, so that the same number of
    steps ends nearer; steps are shares of ε, where the paper's are 1 to 0.01 long whatever ε is;
    gamma falls, so that the last steps do not jump across the boundary; the second half follows the
    margin instead of the cross-entropy, which at a boundary still leans towards all other classes;
    and pixels are not rounded to 8 bits on the way.

    Mode, gradients and hooks are left as found. Raises Mistake for what cannot be asked, and
    Failure for a network without a gradient, or with logits that are not finite.
    """
    if steps < 1 or not 0 < gamma < 1:
        raise Mistake(
            f"DDN takes 1 step or more and a share between 0 and 1, not {steps} and {gamma}."
        )
    with evaluating(network) as network, torch.inference_mode(False), torch.enable_grad():
        nearest = Nearest(network, pixels, labels, targets)
        left = nearest.left()
        if len(left):
            _search(nearest, left, steps, gamma)
    return nearest.found()


def _search(nearest: Nearest, left: Tensor, steps: int, gamma: float) -> None:
    gap, square = nearest.boundary(left)
    origin = nearest.pixels[left]
    epsilon = (gap / square.sqrt()).clamp(max=L2.everything(origin[0].numel()))
    aims = nearest.rivals if nearest.targeted else nearest.leave
    away = -1 if nearest.targeted else 1
    x = origin
    for step in range(steps + 1):
        leaf, logits = nearest.look(x, left)
        if step == steps:
            break
        nearest.steps[left] += 1
        if 2 * step < steps:
            loss = away * F.cross_entropy(logits, aims[left], reduction="sum")
        else:
            loss = -nearest.missing(logits, left).sum()
        slope = slope_of(loss, leaf)
        fallen = LAST + (1 - LAST) * (1 + math.cos(math.pi * step / steps)) / 2
        change = x - origin + (fallen * epsilon).view(-1, 1, 1, 1) * L2.steepest(slope)
        there = nearest.there(logits.detach(), left)
        epsilon = epsilon * (1 + fallen * gamma * (1 - 2 * there.to(epsilon)))
        length = L2.size(change).clamp_min(TINY)
        x = (origin + (epsilon / length).view(-1, 1, 1, 1) * change).clamp(0, 1)
