"""What is drawn for a corruption: numbers and fields, for each picture of a batch by itself."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from hubel import draws
from hubel.data.augment.drawing import Draw, drawn

Make = Callable[..., Tensor]  # (generator, parts of the picture) → a field of it


class Chance(NamedTuple):
    """draw(stream) → (N,) float64 in [0, 1). field(stream, make, *parts) → (N, …): `make` is called
    with a generator and each picture's part of every one of `parts`, on the CPU."""

    draw: Draw
    field: Callable[..., Tensor]


def chance(seed: int, indices: Sequence[int], name: str) -> Chance:
    """The draws of these pictures under one corruption: pure in all three, whatever the batch.

    The severity has no part in it: it makes the same flaw stronger, so that severities differ by
    nothing else.
    """
    key = draws.integer(seed, "corruption", name)
    numbers = np.asarray(indices, np.int64)

    def field(stream: str, make: Make, *parts: Tensor) -> Tensor:
        words = draws.bits(key, 0, numbers, stream) >> np.uint64(1)
        made = [
            make(torch.Generator().manual_seed(word), *(part[i].cpu() for part in parts))
            for i, word in enumerate(words.tolist())
        ]
        return torch.stack(made)

    return Chance(drawn(numbers, key, 0), field)


def signs(chance: Chance, stream: str) -> Tensor:
    """(N,) of ±1, float64."""
    return torch.where(chance.draw(stream) < 0.5, -1.0, 1.0).double()


def normal(chance: Chance, stream: str, pixels: Tensor, *, channels: int | None = None) -> Tensor:
    """Standard normal numbers, as many as the pictures have pixels: (N, C, H, W), like them."""
    _, own, height, width = pixels.shape
    shape = (channels or own, height, width)
    return chance.field(stream, lambda g: torch.randn(shape, generator=g)).to(pixels)


def uniform(chance: Chance, stream: str, pixels: Tensor) -> Tensor:
    """Numbers in [0, 1), as many as the pictures have values: (N, C, H, W), like them."""
    return chance.field(stream, lambda g: torch.rand(pixels.shape[1:], generator=g)).to(pixels)
