"""A network of the catalogue for some pictures, the same from the same seed."""

from typing import Any

import torch
from torch import nn

from hubel import draws
from hubel.labs.learning import Pictures
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
    with torch.random.fork_rng([]):
        torch.manual_seed(draws.integer(seed, "network"))
        network = catalogue.build(
            name, classes=len(data.classes), channels=channels, size=(height, width), **arguments
        )
    initialise(network, scheme, seed=seed)
    return network
