"""What is drawn for each sample of a batch: a stream's name gives one number for every sample."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hubel import draws

# Name of a stream → float64 (N,) in [0, 1), on the CPU: what follows from it (a matrix, a box) is
# worked out there too, so that every device is given the same.
Draw = Callable[[str], Tensor]


def drawn(indices: NDArray[np.int64], seed: int, epoch: int) -> Draw:
    """The draws of these samples in this epoch."""
    return lambda stream: torch.from_numpy(draws.uniform(seed, epoch, indices, stream))


def between(draw: Draw, stream: str, low: float, high: float) -> Tensor:
    """(N,) uniform in [low, high)."""
    return low + (high - low) * draw(stream)


def around(draw: Draw, stream: str, bound: float) -> Tensor:
    """(N,) uniform in [−bound, bound)."""
    return between(draw, stream, -bound, bound)


def factor(draw: Draw, stream: str, most: float) -> Tensor:
    """(N,) a factor between 1 / (1 + most) and 1 + most, as often below 1 as above."""
    return torch.exp(around(draw, stream, torch.tensor(1 + most, dtype=torch.float64).log().item()))


def normal(draw: Draw, stream: str) -> Tensor:
    """(N,) of the standard normal distribution, by its inverse."""
    number: Tensor = torch.special.ndtri(draw(stream).clamp_min(2.0**-53))
    return number


def happens(draw: Draw, stream: str, probability: float) -> Tensor:
    """(N,) bool: true with the probability."""
    return draw(stream) < probability
