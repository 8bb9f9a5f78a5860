"""A copy of a network that gives the same answers and gradients in less time."""

from collections import Counter
from typing import TypeVar

import torch
from torch import Tensor, nn

from hubel.breaking.layout import CHANNELS_LAST
from hubel.inference.folding import folded

Network = TypeVar("Network", bound=nn.Module)


def ready(network: Network, pixels: Tensor) -> Network:
    """A copy in evaluation mode, for attacks alone: what it says is the network's up to rounding.

    Batch norms are folded; a max pooling that follows a ReLU comes before it, so that the ReLU
    has a fourth of the work (the greatest is above 0 or not: both orders give the same, and the
    same slope); no parameter asks for a gradient; on the CPU the weights have their channels last.
    pixels (N, C, H, W): the first of them is tried; a network that does not take this layout, or
    none if N is 0, keeps its own; one that cannot be copied is given back. Its submodules may
    change their places: for whoever attacks, not for whoever looks inside.
    """
    try:
        made = folded(network).requires_grad_(False)
    except (RuntimeError, TypeError):  # one that holds on to a graph cannot be copied
        return network
    _pool_first(made)
    if not len(pixels) or pixels.device.type != "cpu":
        return made
    with torch.no_grad():
        try:
            made.to(memory_format=CHANNELS_LAST)  # type: ignore[call-overload]  # torch's stub
            made(pixels[:1])
        except RuntimeError:
            made.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    return made


def _pool_first(network: nn.Module) -> None:
    """Exchange each ReLU and the max pooling after it, where nothing else can meet the two."""
    names = Counter(id(each) for _, each in network.named_modules(remove_duplicate=False))
    for part in network.modules():
        if type(part) is not nn.Sequential or names[id(part)] > 1 or _hooked(part):
            continue
        for i in range(len(part) - 1):
            first, second = part[i], part[i + 1]
            kinds = type(first) is nn.ReLU and type(second) is nn.MaxPool2d
            alone = all(names[id(each)] == 1 and not _hooked(each) for each in (first, second))
            if kinds and alone and not second.return_indices:
                part[i], part[i + 1] = second, first


def _hooked(module: nn.Module) -> bool:
    names = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return any(getattr(module, name) for name in names)
