"""A copy of a network that gives the same answers and gradients in less time."""

from collections import Counter
from typing import TypeVar

from torch import Tensor, nn

from hubel.inference.folding import folded
from hubel.inference.layout import lay_out
from hubel.twins import evaluated, hooked

Network = TypeVar("Network", bound=nn.Module)


def ready(network: Network, pixels: Tensor) -> Network:
    """A copy in evaluation mode, for attacks alone: what it says is the network's up to rounding.

    Batch norms are folded; a max pooling that follows a ReLU comes before it, so that the ReLU
    has a fourth of the work (the greatest is above 0 or not: both orders give the same, and the
    same slope); no parameter asks for a gradient; on the CPU the weights have their channels last.
    pixels (N, C, H, W): the first of them is tried; a network that does not take this layout, or
    none if N is 0, keeps its own; one that cannot be copied is given back, in evaluation mode. Its
    submodules may change their places: for whoever attacks, not for whoever looks inside.
    """
    try:
        made = folded(network, pixels).requires_grad_(False)
    except (RuntimeError, TypeError):  # one that holds on to a graph cannot be copied
        return evaluated(network)
    _pool_first(made)
    if len(pixels) and pixels.device.type == "cpu":
        lay_out(made, pixels)
    return made


def _pool_first(network: nn.Module) -> None:
    """Exchange each ReLU and the max pooling after it, where nothing else can meet the two."""
    names = Counter(id(each) for _, each in network.named_modules(remove_duplicate=False))
    for part in network.modules():
        if type(part) is not nn.Sequential or names[id(part)] > 1 or hooked(part):
            continue
        for i in range(len(part) - 1):
            first, second = part[i], part[i + 1]
            kinds = type(first) is nn.ReLU and type(second) is nn.MaxPool2d
            alone = all(names[id(each)] == 1 and not hooked(each) for each in (first, second))
            if kinds and alone and not second.return_indices:
                part[i], part[i + 1] = second, first
