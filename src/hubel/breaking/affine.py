"""Networks that are linear in what they are given: their weights, found and checked from outside.

A linear classifier is linear in its pixels, however it is built; and every network whose logits are
a linear layer's is linear in that layer's input, its features.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from hubel import draws
from hubel.logits import answered
from hubel.mistakes import Mistake
from hubel.model import Classifier, evaluating
from hubel.transfer.features import head
from hubel.understanding.probes import differentiate, tapping

PROBES = 8  # random pictures on which a network is tried
LINEAR = 1e-3  # the most that logits may be away from linear ones, as a share of their range
AT_ONCE = 64  # gradients, and pictures
CROOKED = (
    "This network is not linear in its pixels: take fool_features, which moves what its last layer "
    "is given, or an attack by gradient"
)


class Affine(NamedTuple):
    """Scores weight · x + bias of inputs x: weight (K, *shape), bias (K,), both float64.

    Of pictures the shape is (C, H, W), and the weights are those of pixels in [0, 1], whatever the
    network does to these first.
    """

    weight: Tensor
    bias: Tensor

    def scores(self, inputs: Tensor) -> Tensor:
        """Inputs (N, *shape) → scores (N, K), float64."""
        return inputs.double().flatten(1) @ self.weight.flatten(1).T + self.bias


def affine(network: nn.Module, shape: tuple[int, int, int], *, like: Tensor) -> Affine:
    """The weights and biases of a network that is linear in its pixels, (C, H, W) in [0, 1].

    like: a tensor of the network's type and device. The weights are the logits' gradients. Whether
    the network is linear is tried on random pictures, among them an all black and a white one: the
    logits of the middle of two are to be the middle of theirs, and those of all to be W · x + b.
    Mode, gradients and hooks are left as found. Raises Mistake for a network that is not linear,
    and Failure for logits that are not finite.
    """
    generator = torch.Generator().manual_seed(draws.integer(0, "linear probes"))
    drawn = torch.rand(PROBES, *shape, generator=generator)
    drawn[0], drawn[1] = 0, 1
    x = drawn.to(like)
    with evaluating(network) as network:
        given, other = answered(network, x).double(), answered(network, x.roll(1, 0)).double()
        middle = answered(network, (x + x.roll(1, 0)) / 2).double()
    _check(middle, (given + other) / 2, given, CROOKED)
    classes, rows = given.shape[1], []
    for start in range(0, classes, AT_ONCE):
        points = like.new_full((min(AT_ONCE, classes - start), *shape), 0.5)
        # the i-th of equal pictures is there for the i-th logit
        found = differentiate(network, points, lambda logits, start=start: logits.diagonal(start))  # type: ignore[misc]
        rows.append(found.pixels.double())
    weight = torch.cat(rows)
    bias = given[0] - Affine(weight, given.new_zeros(classes)).scores(x[:1])[0]
    model = Affine(weight, bias)
    _check(model.scores(x), given, given, CROOKED)
    return model


def last_layer(classifier: Classifier, pixels: Tensor) -> tuple[Tensor, Affine]:
    """What the last layer is given for pixels, (N, D), and the layer, so that its scores are the
    classifier's logits.

    Mode, gradients and hooks are left as found. Raises Mistake for a network that does not end in a
    linear layer, or does something to its outputs.
    """
    name = head(classifier.network, len(classifier.classes))
    layer = classifier.network.get_submodule(name)
    assert isinstance(layer, nn.Linear)  # noqa: S101 - head's
    kept: list[Tensor] = []
    ending = f"This network does not end in its last linear layer, {name!r}"
    bias = layer.weight.new_zeros(layer.out_features) if layer.bias is None else layer.bias
    model = Affine(
        *(part.detach().double() / classifier.temperature for part in (layer.weight, bias))
    )
    if not len(pixels):
        return layer.weight.new_zeros(0, layer.in_features), model
    with (
        evaluating(classifier) as classifier,
        tapping(classifier, {name: lambda _output: None}, before={name: kept.append}),
    ):
        parts = (pixels[i : i + AT_ONCE] for i in range(0, len(pixels), AT_ONCE))
        logits = torch.cat([classifier(part) for part in parts]).double()
    if any(part.ndim != 2 for part in kept) or sum(map(len, kept)) != len(pixels):
        raise Mistake(f"{ending}: that is given {tuple(kept[0].shape)} for a batch of pictures.")
    features = torch.cat(kept)
    _check(model.scores(features), logits, logits, ending)
    return features, model


def _check(found: Tensor, expected: Tensor, given: Tensor, otherwise: str) -> None:
    """Raises Mistake, a sentence that begins so, unless logits (N, K) are as expected."""
    gap = float((found - expected).abs().max())
    span = float(given.max() - given.min())
    # far from 0, logits are rounded coarsely
    if not gap <= LINEAR * span + 1e-5 * float(given.abs().max()):
        raise Mistake(
            f"{otherwise} (logits are {gap:.3g} away from a linear layer's, in a range of "
            f"{span:.3g})."
        )
