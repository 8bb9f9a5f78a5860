"""Stimuli as Hubel & Wiesel showed them: edges, corners and gratings of many orientations.

Hubel & Wiesel 1962 and 1965 ("Receptive fields and functional architecture in two nonstriate visual
areas of the cat", for corners) moved bars and edges over a cell's field; here one picture shows a
pattern at every place at once, and a map's strongest unit has it where it wants it.
"""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

# two colours each, RGB: light and dark, and the two pairs of opponents
PAIRS: tuple[tuple[tuple[float, ...], tuple[float, ...]], ...] = (
    ((1.0, 1.0, 1.0), (0.0, 0.0, 0.0)),
    ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
    ((0.0, 0.0, 1.0), (1.0, 1.0, 0.0)),
)
PERIODS = (4, 8, 16, 32)  # of gratings, in pixels
OPENING = math.pi / 2  # of a corner


class Stimulus(NamedTuple):
    """kind: "edge", "corner" or "grating"; angle in radians: of an edge's or a grating's normal,
    and of a corner's middle; pair and period (0: none): its other parameters. pixels: (3, S, S)."""

    kind: str
    angle: float
    pair: int
    period: int
    pixels: Tensor


def stimuli(side: int, orientations: int, periods: Sequence[int] = PERIODS) -> Iterator[Stimulus]:
    """Gratings of so many orientations within 180°, edges and corners of twice as many in 360°.

    Each in all pairs of colours, corners in both their orders. Borders are one pixel wide.
    """
    middle = (side - 1) / 2
    rows, columns = torch.meshgrid(
        torch.arange(side) - middle, torch.arange(side) - middle, indexing="ij"
    )

    def along(angle: float) -> Tensor:
        """Pixels from the middle in the direction of the angle, anticlockwise from the right."""
        return columns * math.cos(angle) - rows * math.sin(angle)

    for pair in range(len(PAIRS)):
        for k in range(orientations):
            angle = math.pi * k / orientations
            for period in periods:
                wave = (1 + torch.sin(2 * math.pi * along(angle) / period)) / 2
                yield Stimulus("grating", angle, pair, period, coloured(wave, pair))
        for k in range(2 * orientations):
            angle = math.pi * k / orientations
            beyond = (along(angle) + 0.5).clamp(0, 1)
            yield Stimulus("edge", angle, pair, 0, coloured(beyond, pair))
            # a corner is where two half planes meet, each turned away from its middle
            away = (math.pi - OPENING) / 2
            inside = torch.minimum(
                (along(angle + away) + 0.5).clamp(0, 1), (along(angle - away) + 0.5).clamp(0, 1)
            )
            yield Stimulus("corner", angle, pair, 0, coloured(inside, pair))
            yield Stimulus("corner", angle, pair, 0, coloured(1 - inside, pair))


def coloured(share: Tensor, pair: int) -> Tensor:
    """(S, S) in [0, 1], the share of the pair's first colour → (3, S, S)."""
    first, second = (torch.tensor(colour)[:, None, None] for colour in PAIRS[pair])
    return share * first + (1 - share) * second


def shuffled(pixels: Tensor, tile: int, generator: torch.Generator) -> Tensor:
    """A picture (C, H, W) with its square tiles in another order; what is left at the end stays."""
    channels, height, width = pixels.shape
    down, across = height // tile, width // tile
    inside = pixels[:, : down * tile, : across * tile]
    tiles = inside.reshape(channels, down, tile, across, tile).permute(1, 3, 0, 2, 4).flatten(0, 1)
    order = torch.randperm(len(tiles), generator=generator)
    found = pixels.clone()
    placed = tiles[order].view(down, across, channels, tile, tile).permute(2, 0, 3, 1, 4)
    found[:, : down * tile, : across * tile] = placed.reshape(inside.shape)
    return found
