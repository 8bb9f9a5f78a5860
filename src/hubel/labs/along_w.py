"""What it takes to fool a linear classifier, or the last layer of a network, along x + αw."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hubel import draws
from hubel.breaking.affine import last_layer
from hubel.breaking.linear import LinearFooling, fool_features, fool_linear
from hubel.labs.built import network_for
from hubel.labs.lab import Setting
from hubel.labs.learning import Pictures, answers, learn
from hubel.model import Classifier
from hubel.networks.linear import linear

# (learning rate, weight decay): the highest accuracy of six pairs on 2,000 of the training pictures
RATES = {"grey": (0.01, 0.0), "colour": (0.01, 0.1)}


class Least(NamedTuple):
    """Of n pictures what fools them with the least change; float64 (n,) each.

    linf, random: the least change of a pixel (or feature), and that along signs drawn at random.
    l2, random_l2: the least length, and that along the same signs, as a share of the length of what
    is changed: a picture less its mean, or features.
    """

    linf: NDArray[np.float64]
    random: NDArray[np.float64]
    l2: NDArray[np.float64]
    random_l2: NDArray[np.float64]


class Fooled(NamedTuple):
    """Of pictures that a classifier names rightly, what it takes to fool it.

    template: x + αw for every wrong class. pictures (n, C, H, W) in [0, 1]. accuracy: the share of
    the test pictures that is named rightly.
    """

    template: LinearFooling
    least: Least
    pictures: Tensor
    accuracy: float

    @property
    def named(self) -> Tensor:
        """Whether, moved to α for class j, the picture is named j by the network; bool (n, K)."""
        classes = torch.arange(self.template.alpha.shape[1])
        return (self.template.answers == classes) & self.template.alpha.isfinite()


def learned(setting: Setting, kind: str, data: Pictures, order: int) -> Classifier:
    """A linear classifier, from W = 0; for "features" a convolutional network."""
    seed = draws.integer(setting.seed, "fooling", kind, order)
    if kind == "features":
        network = network_for("small", data, seed=seed)
        rate, decay, epochs = 0.05, 5e-4, setting.pick(1, 3, 12)
    else:
        _, channels, height, width = data.train.shape
        network = linear(classes=len(data.classes), channels=channels, size=(height, width))
        for parameter in network.parameters():
            nn.init.zeros_(parameter)
        (rate, decay), epochs = RATES[kind], setting.pick(2, 10, 10)
    return learn(
        network, data, epochs=epochs, lr=rate, weight_decay=decay, planned="one-cycle",
        batch_size=64, seed=seed, on_train=0, measured="last",
        progress=lambda at, steps: setting.watch.progress("train", at, steps, kind),
    ).classifier  # fmt: skip


def fooled(
    setting: Setting, kind: str, classifier: Classifier, data: Pictures, order: int
) -> Fooled:
    """What it takes to fool the classifier, of the first pictures that it names rightly."""
    right = answers(classifier, data.test).argmax(1) == data.test_labels
    chosen = right.nonzero()[:, 0][: setting.pick(6, 100, 500)]
    pixels, labels = data.test[chosen].float() / 255, data.test_labels[chosen]
    fool = fool_features if kind == "features" else fool_linear
    if kind == "features":
        given = last_layer(classifier, pixels)[0]
        length = given.norm(dim=1)
    else:
        given = pixels
        length = (pixels - pixels.mean((1, 2, 3), keepdim=True)).flatten(1).norm(dim=1)
    generator = torch.Generator()
    generator.manual_seed(draws.integer(setting.seed, "random directions", kind, order))
    signs = 2.0 * torch.randint(0, 2, given.shape, generator=generator) - 1
    least = fool(classifier, pixels, labels, direction="sign").passing.linf
    nearest = fool(classifier, pixels, labels, direction="difference").passing.l2
    control = fool(classifier, pixels, labels, direction=signs).passing
    return Fooled(
        fool(classifier, pixels, labels, direction="template"),
        Least(
            least.amin(1).numpy(), control.linf.amin(1).numpy(),
            (nearest.amin(1) / length).numpy(), (control.l2.amin(1) / length).numpy(),
        ),
        pixels,
        float(right.double().mean()),
    )  # fmt: skip


def together(runs: Sequence[Fooled]) -> Least:
    """The runs' pictures as one."""
    return Least(*(np.concatenate(part) for part in zip(*(r.least for r in runs), strict=True)))


def pairs(runs: Sequence[Fooled]) -> float:
    """The share of pictures and wrong classes that x + αw brings together."""
    named = torch.cat([each.named for each in runs])
    return float(named.sum()) / max(len(named) * (named.shape[1] - 1), 1)
