"""Which layers of a network hold content and style, where nobody has named them."""

import torch
from torch import nn

from hubel.mistakes import Mistake
from hubel.model import Model
from hubel.understanding.outputs import Handed, handed_on
from hubel.understanding.style import LAYERS, Layers

Chosen = tuple[Layers, str]  # and why these, in words


def chosen(network: nn.Module, size: tuple[int, int], *, channels: int = 3) -> Chosen:
    """The row of LAYERS whose layers the network has; otherwise the last maps of each resolution.

    size: height and width of pictures that the whole network takes. Of the maps, those count that
    something learned was at work on: a pooling or padding that changes the resolution and nothing
    else does not. All of them hold style, alike; the second-deepest holds content: the deepest ones
    have forgotten where things are. Raises Mistake for a network that hands on no maps.

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 8, 3))
    >>> layers, why = chosen(net, (16, 16))
    >>> dict(layers.content), dict(layers.style), why
    ({'1': 1.0}, {'1': 0.5, '3': 0.5}, 'the last maps of each resolution')
    """
    inner = network.network if isinstance(network, Model) else network
    known = {name for name, _ in inner.named_modules()}
    for family, row in LAYERS.items():
        if known >= {*row.content, *row.style}:
            return row, f"those of {family}"
    device = next((tensor.device for tensor in network.parameters()), torch.device("cpu"))
    last = _last_of_each(
        inner, handed_on(network, torch.full((1, channels, *size), 0.5).to(device))
    )
    if not last:
        raise Mistake("This network has no convolution: no layer of it hands on maps (C, H, W).")
    layers = Layers({last[-2:][0]: 1.0}, dict.fromkeys(last, 1 / len(last)))
    return layers, "the last maps of each resolution"


def _last_of_each(network: nn.Module, handed: list[Handed]) -> list[str]:
    """At each resolution above 1×1, the last of the outermost modules, if any has parameters.

    Outermost, because a block may halve its maps half-way: what is inside it is not yet its answer.
    """
    last: dict[tuple[int, ...], str] = {}
    learned: set[tuple[int, ...]] = set()
    for each in handed:
        if each.name and len(each.shape) == 4 and min(each.shape[2:]) > 1:
            place = each.shape[2:]
            if place not in last or each.name.count(".") <= last[place].count("."):
                last.pop(place, None)  # in the order of the last ones, not of the first
                last[place] = each.name
            module = network.get_submodule(each.name.partition("#")[0])
            if next(module.parameters(), None) is not None:
                learned.add(place)
    return [name for place, name in last.items() if place in learned]
