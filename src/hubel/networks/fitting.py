"""Whether a size fits a stack of layers, found by running it on tensors that hold no numbers."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.func import functional_call

from hubel.mistakes import Mistake

MOST_SIDE = 1024  # beyond this no smallest size is looked for


def flattened(
    trunk: Mapping[str, nn.Module], name: str, channels: int, size: tuple[int, int]
) -> int:
    """How many numbers the trunk, layers by name, makes of one
    picture (channels, *size): a linear layer's inputs.

    Raises Mistake, naming the layer, what it was given, and the smallest square that fits, where
    the picture is too small.
    """
    x = _blank(channels, size)
    for layer, module in trunk.items():
        try:
            x = _run(module, x)
        except RuntimeError:
            least = _smallest(trunk, channels)
            raise Mistake(
                f"{name} does not fit pictures of {size[0]}×{size[1]}: its layer {layer} would be "
                f"given {x.shape[2]}×{x.shape[3]}. The smallest size is {least}×{least}: "
                f"set size={least} or more."
            ) from None
    return x.numel()


def _blank(channels: int, size: tuple[int, int]) -> Tensor:
    return torch.empty(1, channels, *size, device="meta")


def _run(module: nn.Module, x: Tensor) -> Tensor:
    state = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    hollow = {name: torch.empty_like(value, device="meta") for name, value in state.items()}
    made: Tensor = functional_call(module, hollow, (x,))
    return made


def _smallest(trunk: Mapping[str, nn.Module], channels: int) -> int:
    """By bisection: what fits a side fits every larger one."""
    low, high = 0, MOST_SIDE
    while high - low > 1:
        middle = (low + high) // 2
        try:
            x = _blank(channels, (middle, middle))
            for module in trunk.values():
                x = _run(module, x)
            high = middle
        except RuntimeError:
            low = middle
    return high
