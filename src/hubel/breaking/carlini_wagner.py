"""The attack of Carlini & Wagner: a margin loss, any picture in the box by tanh, Adam, a search.

Carlini & Wagner 2017 ("Towards evaluating the robustness of neural networks", sections V and VI-A).
"""

import math

import torch
from torch import Tensor, nn

from hubel.breaking.minimal import Minimal, slope_of
from hubel.breaking.nearest import Nearest
from hubel.mistakes import Mistake
from hubel.model import evaluating

INSIDE = 0.9999  # of the way to the box's border, where tanh has an inverse
WIDER = 10.0  # by which c grows until it is large enough; as in their code
ABORTS = 10  # how often it is asked whether the loss still falls; as in their code
FALLS = 0.9999  # to this share of what it was, or less
BETAS, TINY = (0.9, 0.999), 1e-8  # Adam's


def carlini_wagner(
    network: nn.Module,
    pixels: Tensor,
    labels: Tensor,
    *,
    targets: Tensor | None = None,
    confidence: float = 0.0,
    rounds: int = 5,
    steps: int = 200,
    lr: float = 0.03,
) -> Minimal:
    """Pictures x' with the least |x' − x|² + c f(x'), x' = (tanh w + 1) / 2, in L2.

    f: by how much the logits fall short of the goal, at least −confidence (the paper's f6).
    network: called with pixels (N, C, H, W) in [0, 1], gives logits (N, K); such pixels come back.
    labels int64 (N,): the classes to be left; a picture that is not named so is fooled as it is.
    targets int64 (N,): the classes to be taken for, other than the labels; None: any but the label.
    confidence: by how much the logits have to be beyond the boundary. rounds: of the binary search
    for the smallest c that fools. steps and lr: of Adam, in each round; a picture whose loss no
    longer falls ends its round early.

    The nearest fooling picture that was seen on the way comes back. Departures from the paper: c
    begins at twice what the linear network would need, not at 0.001, so that fewer rounds will do;
    and the usual 200 steps with an lr of 0.03 take the place of 10,000 with 0.01.
    A pixel at the border begins 0.00005 away from it, not 0.0000005: from there it would hardly
    move in so few steps.

    Mode, gradients and hooks are left as found. Raises Mistake for what cannot be asked, and
    Failure for a network without a gradient, or with logits that are not finite.
    """
    if rounds < 1 or steps < 1:
        raise Mistake(f"The search takes 1 round and 1 step or more, not {rounds} and {steps}.")
    if not (0 < lr < math.inf and 0 <= confidence < math.inf):
        raise Mistake(
            f"lr is above 0, confidence 0 or more, and both are finite; not {lr} and {confidence}."
        )
    with evaluating(network) as network, torch.inference_mode(False), torch.enable_grad():
        nearest = Nearest(network, pixels, labels, targets)
        left = nearest.left()
        if len(left):
            _search(nearest, left, confidence, rounds, steps, lr)
    return nearest.found()


def _search(
    nearest: Nearest, left: Tensor, confidence: float, rounds: int, steps: int, lr: float
) -> None:
    gap, square = nearest.boundary(left)
    c = (
        4 * gap / square
    )  # |x' − x|² + c f has its slopes in balance at the boundary with half of it
    low, high = torch.zeros_like(c), torch.full_like(c, torch.inf)  # does not fool, fools
    for _ in range(rounds):
        fools = _descend(nearest, left, c, confidence, steps, lr)
        low, high = torch.where(fools, low, c), torch.where(fools, c, high)
        c = torch.where(high.isinf(), low * WIDER, (low + high) / 2)


def _descend(
    nearest: Nearest, left: Tensor, c: Tensor, confidence: float, steps: int, lr: float
) -> Tensor:
    """One round from the pictures themselves, each with its c; which were fooled on the way."""
    origin = nearest.pixels[left]
    w = torch.atanh((2 * origin - 1) * INSIDE)
    fools = torch.zeros(len(left), dtype=torch.bool, device=left.device)
    place = torch.arange(len(left), device=left.device)
    m, v = torch.zeros_like(w), torch.zeros_like(w)
    before = torch.full_like(c, torch.inf)
    for step in range(1, steps + 1):
        numbers = left[place]
        th = w.tanh()
        x = (th + 1) / 2
        leaf, logits = nearest.look(x, numbers, confidence)
        nearest.steps[numbers] += 1
        fools[place] |= nearest.there(logits.detach(), numbers, confidence)
        short = nearest.missing(logits, numbers).clamp_min(-confidence)
        slope = slope_of((c[place] * short).sum(), leaf)
        change = x - origin[place]
        slope = (slope + 2 * change) * (1 - th * th) / 2
        m = BETAS[0] * m + (1 - BETAS[0]) * slope
        v = BETAS[1] * v + (1 - BETAS[1]) * slope.square()
        size = lr * math.sqrt(1 - BETAS[1] ** step) / (1 - BETAS[0] ** step)
        w = w - size * m / (v.sqrt() + TINY)
        if step % max(steps // ABORTS, 1) == 0:
            worth = change.flatten(1).square().sum(1) + c[place] * short.detach()
            falls = worth <= FALLS * before
            if not bool(falls.any()):
                break
            place, w, m, v, before = (part[falls] for part in (place, w, m, v, worth))
    return fools
