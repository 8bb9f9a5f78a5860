"""How many units of a network are flat: a slope of nearly 0 passes nothing back to learn from."""

from typing import NamedTuple

import torch
from torch import Tensor

from hubel.basics.activations import ACTIVATIONS
from hubel.labs.learning import pixels
from hubel.model import Classifier
from hubel.twins import around

FLAT = 0.01  # a slope below it counts as flat


def flatness(classifier: Classifier, images: Tensor, kind: str) -> "list[Flat]":
    """How flat each hidden layer of an `mlp` is on images uint8 (N, C, H, W), the first to last."""
    found: list[Tensor] = []
    layers = [m for name, m in classifier.network.named_children() if name.startswith("fc")]
    with torch.no_grad(), around([], [(layer, found.append) for layer in layers]):
        for part in pixels(images):
            classifier(part)
    rows = []
    for i in range(len(layers)):
        z = torch.cat(found[i :: len(layers)])  # (N, units)
        low = ACTIVATIONS[kind].derivative(z).abs() < FLAT
        above = low & (z > 0)
        rows.append(Flat(*(float(x.double().mean()) for x in (low, above, low.all(0)))))
    return rows


class Flat(NamedTuple):
    """Shares of a layer's units over pictures: of slopes below FLAT; of those where the unit's
    input is above 0; and of units whose slope is below it on every picture."""

    any: float
    on: float
    always: float
