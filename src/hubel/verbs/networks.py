"""The networks that hubel knows, as facts counted on the networks themselves."""

from typing import Any

import torch

from hubel.networks import catalogue, weights


def networks(name: str | None = None) -> list[dict[str, Any]]:
    """One mapping for each network, or for the named one alone.

    Keys: name, parameters (trainable, counted on a network built for its own pixels and classes),
    classes, pixels [channels, height, width], weights (whether published ones can be had), source,
    note. Raises Mistake for an unknown name.

    >>> import hubel.verbs.networks
    >>> hubel.verbs.networks.networks("lenet5-1998")[0]["parameters"]
    60000
    """
    names = [name] if name is not None else list(catalogue.CATALOGUE)
    return [_facts(name) for name in names]


def _facts(name: str) -> dict[str, Any]:
    entry = catalogue.entry(name)
    height, width = entry.size or entry.usual_size
    with torch.device("meta"):
        network = entry.build(classes=entry.classes, channels=entry.channels, size=(height, width))
    return {
        "name": name,
        "parameters": sum(p.numel() for p in network.parameters() if p.requires_grad),
        "classes": entry.classes,
        "pixels": [entry.channels, height, width],
        "weights": name in weights.PUBLISHED,
        "source": entry.source,
        "note": entry.note,
    }
