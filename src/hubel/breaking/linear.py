"""Fooling a linear classifier: x ← x + αw, and the α at which each wrong class takes over.

Goodfellow et al. 2015 ("Explaining and harnessing adversarial examples", section 3) say why so
little is enough: a change of ε in each of n pixels, along the signs of w, moves w·x by ε‖w‖₁, which
grows with n, and none of the pixels by more than ε. Of a linear classifier nothing has to be
searched for: α is found exactly, for any network that is linear in its pixels, and in front of the
last layer of any that ends in a linear one.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hubel.breaking.affine import AT_ONCE, Affine, affine, last_layer
from hubel.breaking.crossing import Bounds, crossings
from hubel.breaking.gradient import check_labels, check_pixels
from hubel.logits import answered
from hubel.mistakes import Mistake, unknown
from hubel.model import Classifier, evaluating

BEYOND = 1e-3  # by so much further than to α go the pictures, for at α itself two scores are equal

# (weight (K, …), labels (N,)) → where x is moved for each class, (N, K, …). "template": the
# lecture's x + αw. "difference": along the normal of the plane between the class and the picture's
# own, the shortest way across in L2; "sign": the same in L∞.
DIRECTIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "template": lambda w, labels: w[None].expand(len(labels), *w.shape),
    "difference": lambda w, labels: w[None] - w[labels][:, None],
    "sign": lambda w, labels: (w[None] - w[labels][:, None]).sign(),
}


class Sizes(NamedTuple):
    """How large a change is, (N, K) each: the largest of its numbers, and its length."""

    linf: Tensor
    l2: Tensor


class LinearFooling(NamedTuple):
    """How far N inputs have to be moved until class j of K wins, over the label y of each.

    alpha (N, K) float64: the least α ≥ 0 at which no class has a higher score than j at x + αd,
    held within the bounds; inf where there is none, and for y itself. passed (N, K): the least α at
    which j's score is no lower than y's, whoever else is above both: beyond it the input is not
    named rightly, as long as that lasts. change, passing: the sizes of the change at alpha and at
    passed, inf where these are. images (N, K, …), like the inputs: a thousandth further than at
    alpha; the input itself where that is inf. answers (N, K) int64: what the network says to them.
    """

    labels: Tensor
    alpha: Tensor
    passed: Tensor
    change: Sizes
    passing: Sizes
    images: Tensor
    answers: Tensor


def fool_linear(
    network: nn.Module,
    pixels: Tensor,
    labels: Tensor,
    *,
    direction: str | Tensor = "template",
    box: bool = True,
) -> LinearFooling:
    """How far each picture goes along αd for each wrong class, of a network linear in its pixels.

    pixels float (N, C, H, W) in [0, 1], labels int64 (N,). direction: a row of DIRECTIONS; or one
    of one's own for each picture, (N, C, H, W), whatever the class. box: pixels stay in [0, 1].

    Along "difference" `passing.l2` is the least L2 change with which j's score is y's, in the box
    as well as without (by the conditions of Karush, Kuhn and Tucker the nearest point of the box
    beyond a plane is clip(x + αd)). Along "sign", α is the change in L∞, and `passing.linf` the
    least. The least of all j is the least that fools at all. Raises Mistake as `affine` does, for
    labels that are no classes, and for an unknown direction.
    """
    check_pixels(pixels, labels)
    shape = (pixels.shape[1], pixels.shape[2], pixels.shape[3])
    model = affine(network, shape, like=pixels)

    def answer(images: Tensor) -> Tensor:
        parts = (images[i : i + AT_ONCE] for i in range(0, len(images), AT_ONCE))
        with evaluating(network) as asked:
            return torch.cat([answered(asked, part).argmax(1) for part in parts])

    bounds = (0.0, 1.0) if box else None
    return _fool(model, pixels.detach(), labels, direction, bounds, answer)


def fool_features(
    classifier: Classifier, pixels: Tensor, labels: Tensor, *, direction: str | Tensor = "template"
) -> LinearFooling:
    """The same in front of the last layer of any classifier that ends in a linear one.

    What is moved are the features (N, D) that the layer is given; they have no bounds, and α, the
    sizes and `images` are in their units. A direction of one's own is (N, D). Whether any pixels
    have such features is another question. Raises Mistake as `last_layer` does.
    """
    check_pixels(pixels, labels)
    features, model = last_layer(classifier, pixels)

    def answer(moved: Tensor) -> Tensor:
        return F.linear(moved, model.weight.to(moved), model.bias.to(moved)).argmax(1)

    return _fool(model, features, labels, direction, None, answer)


def moved(x: Tensor, d: Tensor, alpha: Tensor, bounds: Bounds | None = (0.0, 1.0)) -> Tensor:
    """x + αd, held within the bounds; x itself where α is inf. x and d (…, *shape), α (…)."""
    far = torch.where(alpha.isfinite(), alpha, 0)
    found = x + far.view(*alpha.shape, *(1 for _ in range(d.ndim - alpha.ndim))) * d
    return found if bounds is None else found.clamp(*bounds)


def _fool(
    model: Affine,
    x: Tensor,
    labels: Tensor,
    direction: str | Tensor,
    bounds: Bounds | None,
    answer: Callable[[Tensor], Tensor],
) -> LinearFooling:
    n, classes, shape = len(x), len(model.weight), x.shape[1:]
    check_labels(x.new_empty(0, classes), labels)
    _check_direction(direction, x)
    alpha, passed = (model.weight.new_full((n, classes), torch.inf) for _ in range(2))
    change, passing = (Sizes(alpha.clone(), alpha.clone()) for _ in range(2))
    images = x[:, None].repeat(1, classes, *(1 for _ in shape))
    answers = labels[:, None].repeat(1, classes)
    every = torch.arange(classes, device=labels.device)
    for i in range(n):  # one picture's directions are as large as all weights
        own = labels[i : i + 1]
        at, d = x[i].double(), _directions(direction, model.weight, own, i)
        found = crossings(
            model.weight.flatten(1), model.bias, at.flatten().expand(classes, -1), d.flatten(1),
            every, own.expand(classes), bounds=bounds,
        )  # fmt: skip
        wrong = every != own
        alpha[i] = found.alpha.where(wrong, torch.inf)
        passed[i] = found.passed.where(wrong, torch.inf)
        for sizes, far in ((change, alpha[i]), (passing, passed[i])):
            difference = (moved(at, d, far, bounds) - at).flatten(1)
            there = far.isfinite()
            sizes.linf[i] = difference.abs().amax(1).where(there, torch.inf)
            sizes.l2[i] = difference.norm(dim=1).where(there, torch.inf)
        images[i] = moved(at, d, alpha[i] * (1 + BEYOND), bounds).to(x)
        answers[i] = answer(images[i])
    return LinearFooling(labels, alpha, passed, change, passing, images, answers)


def _directions(direction: str | Tensor, weight: Tensor, own: Tensor, i: int) -> Tensor:
    """Of picture i, (K, *shape), float64."""
    if isinstance(direction, str):
        return DIRECTIONS[direction](weight, own)[0]
    return direction[i].to(weight).expand_as(weight)


def _check_direction(direction: str | Tensor, x: Tensor) -> None:
    if isinstance(direction, str):
        if direction not in DIRECTIONS:
            raise unknown("direction", direction, DIRECTIONS)
    elif direction.shape != x.shape or not bool(direction.isfinite().all()):
        raise Mistake(
            f"Directions of one's own are finite and of the inputs' shape, {tuple(x.shape)}, not "
            f"{tuple(direction.shape)}."
        )
