"""What the maps of several layers answer to pictures: their strongest answers and their means."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hubel.model import evaluating
from hubel.understanding.probes import tapping

BATCH = 16  # pictures at once


class Answers(NamedTuple):
    """Of one layer to N pictures, float64 (N, U): the strongest answer of each map, and the mean
    of the map above 0."""

    strongest: NDArray[np.float64]
    mean: NDArray[np.float64]


@contextmanager
def answering(
    network: nn.Module, layers: Sequence[str], *, middle: bool = False
) -> Iterator[Callable[[], dict[str, Answers]]]:
    """Gives a function that tells the layers' answers to all that was shown in the block so far.

    middle: in the middle half of a map's sides alone, where few units see a border.
    """
    found: dict[str, list[tuple[Tensor, Tensor]]] = {name: [] for name in layers}

    def tap(name: str, maps: Tensor) -> None:
        if middle:
            down, across = (side // 4 for side in maps.shape[2:])
            maps = maps[:, :, down : maps.shape[2] - down, across : maps.shape[3] - across]
        found[name].append((maps.amax((2, 3)).double(), maps.relu().mean((2, 3)).double()))

    def answers() -> dict[str, Answers]:
        return {
            name: Answers(*(torch.cat(part).numpy() for part in zip(*parts, strict=True)))
            for name, parts in found.items()
        }

    with tapping(network, {name: partial(tap, name) for name in layers}):
        yield answers


def answers_to(
    network: nn.Module,
    layers: Sequence[str],
    pictures: Iterable[Tensor],
    *,
    middle: bool = False,
    progress: Callable[[int], None],
) -> dict[str, Answers]:
    """The answers of the layers to one or more pictures (C, H, W), some at a time."""
    waiting, done = iter(pictures), 0
    with (
        evaluating(network) as network,
        torch.no_grad(),
        answering(network, layers, middle=middle) as answers,
    ):
        while part := list(islice(waiting, BATCH)):
            network(torch.stack(part))
            done += len(part)
            progress(done)
    return answers()
