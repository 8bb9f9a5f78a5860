"""The first adversarial examples: the nearest picture in the box that is taken for another class.

Szegedy et al. 2014 ("Intriguing properties of neural networks", section 4.1), by box-constrained
L-BFGS; many pictures at once, each with its own memory and its own weight of the distance.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hubel.breaking.box_lbfgs import minimise
from hubel.breaking.minimal import Minimal, slope_of
from hubel.breaking.nearest import Nearest
from hubel.mistakes import Mistake
from hubel.model import evaluating

WIDER = 4.0  # by which c grows or shrinks until it is bracketed


def box_lbfgs(
    network: nn.Module,
    pixels: Tensor,
    labels: Tensor,
    *,
    targets: Tensor | None = None,
    rounds: int = 10,
    steps: int = 15,
    memory: int = 6,
) -> Minimal:
    """Pictures x + r with the least c |r|² + cross-entropy(x + r, target), x + r in [0, 1].

    network: called with pixels (N, C, H, W) in [0, 1], gives logits (N, K); such pixels come back.
    labels int64 (N,): the classes to be left; a picture that is not named so is fooled as it is.
    targets int64 (N,): the classes to be taken for, other than the labels; None: of each picture
    the most likely wrong one, and whatever leaves the label counts. rounds: of the line search for
    the largest c whose minimum fools: by a factor of WIDER until it is between two, then halved on
    a logarithmic scale. steps: of L-BFGS in each round. memory: steps that it remembers.

    The nearest fooling picture that was seen on the way comes back. Departures from the paper: |r|
    is squared, as Carlini & Wagner 2017 (section III-B) read it, so that it has a slope at 0; c
    begins where the linear network would have its boundary; each round starts where the last ended.

    Mode, gradients and hooks are left as found. Raises Mistake for what cannot be asked, and
    Failure for a network without a gradient, or with logits that are not finite.
    """
    if min(rounds, steps, memory) < 1:
        raise Mistake(
            "L-BFGS takes 1 round, 1 step and a memory of 1 or more, "
            f"not {rounds}, {steps} and {memory}."
        )
    with evaluating(network) as network, torch.inference_mode(False), torch.enable_grad():
        nearest = Nearest(network, pixels, labels, targets)
        left = nearest.left()
        if len(left):
            _search(nearest, left, rounds, steps, memory)
    return nearest.found()


def _search(nearest: Nearest, left: Tensor, rounds: int, steps: int, memory: int) -> None:
    gap, square = nearest.boundary(left)
    # there the slope of the cross-entropy is half that of the gap, and r = gap / |slope|² · slope
    c = square / (4 * gap)
    low, high = torch.zeros_like(c), torch.full_like(c, torch.inf)  # fools, does not
    origin = nearest.pixels[left].flatten(1)
    x, shape = origin, nearest.pixels.shape[1:]
    for _ in range(rounds):

        def value(points: Tensor, which: Tensor, c: Tensor = c) -> tuple[Tensor, Tensor]:
            numbers = left[which]
            nearest.steps[numbers] += 1
            leaf, logits = nearest.look(points.view(-1, *shape), numbers)
            loss = F.cross_entropy(logits, nearest.rivals[numbers], reduction="none")
            slope = slope_of(loss.sum(), leaf)
            change = points - origin[which]
            worth = loss.detach() + c[which] * change.square().sum(1)
            return worth, slope.flatten(1) + 2 * c[which, None] * change

        x = minimise(value, x, first=1 / (2 * c), steps=steps, memory=memory)
        _, logits = nearest.look(x.view(-1, *shape), left)
        ends = nearest.there(logits.detach(), left)
        low, high = torch.where(ends, c, low), torch.where(ends, high, c)
        c = torch.where(
            low == 0, high / WIDER, torch.where(high.isinf(), low * WIDER, (low * high).sqrt())
        )
