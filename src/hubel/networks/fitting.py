"""How many numbers a stack of layers makes of a picture, found on tensors that hold none."""

from collections import OrderedDict
from collections.abc import Mapping

import torch
from torch import nn
from torch.func import functional_call

from hubel.basics.smallest import smallest
from hubel.mistakes import Mistake


def flattened(
    trunk: Mapping[str, nn.Module], name: str, channels: int, size: tuple[int, int]
) -> int:
    """How many numbers the trunk, layers by name, makes of one picture (channels, *size).

    That is a linear layer's inputs. Raises Mistake, naming the layer, what it was given, and the
    smallest square that fits, where the picture is too small.
    """
    x = torch.empty(1, channels, *size, device="meta")
    for layer, module in trunk.items():
        state = {**dict(module.named_parameters()), **dict(module.named_buffers())}
        hollow = {key: torch.empty_like(value, device="meta") for key, value in state.items()}
        try:
            x = functional_call(module, hollow, (x,))
        except RuntimeError:
            least = smallest(nn.Sequential(OrderedDict(_named(trunk))), channels)
            raise Mistake(
                f"{name} does not fit pictures of {size[0]}×{size[1]}: its layer {layer} would be "
                f"given {x.shape[2]}×{x.shape[3]}. The smallest size is {least}×{least}: "
                f"set size={least} or more."
            ) from None
    return x.numel()


def _named(trunk: Mapping[str, nn.Module]) -> dict[str, nn.Module]:
    """The layers by names that torch takes: without dots."""
    return {name.replace(".", "_"): module for name, module in trunk.items()}
