"""Networks for some pictures, the same from the same seed: as built, and trained for a moment."""

from collections.abc import Callable
from typing import Any

from torch import nn

from hubel import draws
from hubel.basics.dispatch import Drawing
from hubel.data.augment.compose import Augmentation
from hubel.labs.learning import Pictures, learn
from hubel.model import Classifier
from hubel.networks import catalogue
from hubel.training.initialisation import initialise


def network_for(
    name: str, data: Pictures, *, seed: int, scheme: str = "default", **arguments: Any
) -> nn.Module:
    """The network `name` for the pictures' size, channels and classes, with weights by `scheme`.

    arguments: the family's own. The global generator is left as it was found. Raises Mistake as
    `catalogue.build` and `initialise` do.
    """
    _, channels, height, width = data.train.shape
    with Drawing(draws.integer(seed, "network")):
        network = catalogue.build(
            name, classes=len(data.classes), channels=channels, size=(height, width), **arguments
        )
    initialise(network, scheme, seed=seed)
    return network


def small_learned(
    data: Pictures,
    *,
    epochs: int,
    seed: int,
    augment: Augmentation | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Classifier:
    """The network `small` as labs train it that are about something else than training."""
    return learn(
        network_for("small", data, seed=seed), data, epochs=epochs, lr=0.05, planned="one-cycle",
        batch_size=64, weight_decay=5e-4, seed=seed, on_train=0, measured="last", augment=augment,
        progress=progress,
    ).classifier  # fmt: skip
