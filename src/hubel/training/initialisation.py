"""Initialisation of weights: Xavier, He, and the naive one that they replaced."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from hubel import draws
from hubel.mistakes import unknown


def xavier(weight: Tensor, fan_in: int, fan_out: int, generator: torch.Generator) -> None:
    """Uniform with variance 2 / (fan-in + fan-out) (Glorot & Bengio 2010, equation 16)."""
    bound = math.sqrt(6 / (fan_in + fan_out))
    nn.init.uniform_(weight, -bound, bound, generator=generator)


def he(weight: Tensor, fan_in: int, _fan_out: int, generator: torch.Generator) -> None:
    """Normal with variance 2 / fan-in, for ReLUs (He et al. 2015, "Delving deep", equation 10)."""
    nn.init.normal_(weight, std=math.sqrt(2 / fan_in), generator=generator)


def naive(weight: Tensor, _fan_in: int, _fan_out: int, generator: torch.Generator) -> None:
    """Normal with standard deviation 0.01 whatever the layer (Krizhevsky et al. 2012, section 5).

    In a deep network without normalisation the signal then shrinks from layer to layer.
    """
    nn.init.normal_(weight, std=0.01, generator=generator)


SCHEMES: dict[str, Callable[[Tensor, int, int, torch.Generator], None] | None] = {
    "default": None,  # what the network's builder made
    "xavier": xavier,
    "he": he,
    "naive": naive,
}


def initialise(network: nn.Module, scheme: str, *, seed: int) -> None:
    """Set the weights of all convolutions and linear layers in place, their biases to zero.

    Drawn on the CPU by a generator of its own: the same weights on every device and in every
    memory layout, and no global generator, CUDA's included, is touched. Modules with parameters of
    their own kind (norms, LeNet-5's partial convolution and sub-sampling) keep what they have.
    Raises Mistake for an unknown scheme.
    """
    if scheme not in SCHEMES:
        raise unknown("initialisation", scheme, SCHEMES)
    fill = SCHEMES[scheme]
    if fill is None:
        return
    generator = torch.Generator().manual_seed(draws.integer(seed, "initialisation"))
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Linear | nn.modules.conv._ConvNd):
                positions = math.prod(module.weight.shape[2:])
                fan_out, fan_in = (n * positions for n in module.weight.shape[:2])
                if isinstance(module, nn.modules.conv._ConvTransposeNd):  # (in, out, …)
                    fan_out, fan_in = fan_in, fan_out
                drawn = torch.empty(module.weight.shape, dtype=module.weight.dtype)
                fill(drawn, fan_in, fan_out, generator)
                module.weight.copy_(drawn)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
