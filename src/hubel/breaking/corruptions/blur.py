"""Blur: out of focus, in motion, while zooming, and through frosted glass."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from hubel.breaking.corruptions.chance import Chance
from hubel.breaking.corruptions.kernels import disk, filtered, streaks
from hubel.data.augment import geometry
from hubel.data.augment.drawing import between
from hubel.data.augment.patches import gaussian

LEAST = 0.4  # softness of a disk of one pixel
PASSES = 3  # the most times that glass moves every pixel


def defocus(pixels: Tensor, _chance: Chance, radius: float, softness: float) -> Tensor:
    """A point becomes a disk."""
    # between the published sides, a disk of one pixel would go with next to no softness
    softness = max(softness, LEAST) if radius < 1 else softness
    return filtered(pixels, disk(radius, softness))


def motion(pixels: Tensor, chance: Chance, radius: float, deviation: float) -> Tensor:
    """A point becomes a streak, up to 45° from the horizontal."""
    angle = between(chance.draw, "angle", -math.pi / 4, math.pi / 4)
    return filtered(pixels, streaks(angle, radius, deviation))


def zoom(pixels: Tensor, _chance: Chance, largest: float, step: float) -> Tensor:
    """The mean of the picture and of itself enlarged by 1, 1 + step, … up to `largest` times."""
    steps = max(1, round((largest - 1) / step))
    total = 2 * pixels
    for k in range(1, steps + 1):
        shown = torch.full((len(pixels),), 1 / (1 + k * step), dtype=torch.float64)
        total = total + geometry.sample(pixels, geometry.scaling(shown, shown))
    return total / (steps + 2)


def glass(pixels: Tensor, chance: Chance, deviation: float, reach: float, times: float) -> Tensor:
    """A Gaussian, then pixels that are moved to places nearby, and a Gaussian again."""
    through = torch.full((len(pixels),), deviation, dtype=torch.float64)
    radius = math.ceil(4 * deviation)
    blurred = gaussian(pixels, through, radius=radius)
    place = displaced(chance, pixels.shape[2:], reach, round(times)).to(pixels.device)
    seen = blurred.flatten(2).gather(2, place.unsqueeze(1).expand(-1, pixels.shape[1], -1))
    return gaussian(seen.view_as(pixels), through, radius=radius)


def displaced(chance: Chance, size: Sequence[int], reach: float, times: int) -> Tensor:
    """(N, H · W): the place that each pixel's content comes from, row by row.

    As the published loop: from the last pixel to the first, each is given the content of a place
    drawn within −reach … reach − 1 rows and columns of it, up to `times` times over. (It means to
    exchange the two; its arrays are views, so that the second keeps what it has.) A place further
    on was given another content before, so that a pixel's source is found along a chain of them:
    here for all pixels at once, each time twice as far along.
    """
    height, width = size
    drawn = chance.field("glass", lambda g: torch.rand(PASSES, 2, height, width, generator=g))
    border = math.ceil(reach)
    moves = torch.zeros(height, width, dtype=torch.bool)
    moves[border + 1 : height - border + 1, border + 1 : width - border + 1] = True
    moves, own = moves.flatten(), torch.arange(height * width)
    source = own.expand(len(drawn), -1)
    for each in drawn[:, :times].unbind(1):
        away = ((2 * each - 1) * reach).floor().long().flatten(2)
        looked = torch.where(moves, own + away[:, 0] * width + away[:, 1], own)
        chain = torch.where(moves & moves[looked] & (looked > own), looked, own)
        while not torch.equal(further := chain.gather(1, chain), chain):
            chain = further
        source = source.gather(1, looked.gather(1, chain))
    return source
