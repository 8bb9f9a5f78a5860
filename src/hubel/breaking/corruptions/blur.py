"""Blur: out of focus, in motion, while zooming, and through frosted glass."""

import math

import torch
from torch import Tensor

from hubel.breaking.corruptions.chance import Chance
from hubel.breaking.corruptions.kernels import disk, filtered, streaks
from hubel.data.augment import geometry
from hubel.data.augment.drawing import between
from hubel.data.augment.patches import gaussian

LEAST = 0.4  # softness of a disk of one pixel


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
    """The mean of the picture and of itself enlarged by 1, 1 + step, … below `largest` times."""
    times = max(2, round((largest - 1) / step))
    total = 2 * pixels
    for k in range(1, times):
        shown = torch.full((len(pixels),), 1 / (1 + k * step), dtype=torch.float64)
        total = total + geometry.sample(pixels, geometry.scaling(shown, shown))
    return total / (times + 1)


def glass(pixels: Tensor, chance: Chance, deviation: float, spread: float) -> Tensor:
    """A Gaussian, then every pixel that of a place nearby, and a Gaussian again.

    How far away is normal, of standard deviation `spread` pixels each way. The published one
    exchanges pixels one after the other, in reading order, which no batch can; the spread is what
    its exchanges come to.
    """
    n, channels, height, width = pixels.shape
    through, radius = torch.full((n,), deviation, dtype=torch.float64), math.ceil(4 * deviation)
    blurred = gaussian(pixels, through, radius=radius)
    moved = chance.field("glass", lambda g: torch.randn(2, height, width, generator=g))
    away = (spread * moved).round().long().to(pixels.device)
    rows = torch.arange(height, device=pixels.device)[:, None] + away[:, 0]
    columns = torch.arange(width, device=pixels.device) + away[:, 1]
    place = rows.clamp(0, height - 1) * width + columns.clamp(0, width - 1)
    seen = blurred.flatten(2).gather(2, place.view(n, 1, -1).expand(-1, channels, -1))
    return gaussian(seen.view_as(pixels), through, radius=radius)
