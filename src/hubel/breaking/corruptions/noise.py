"""Noise of a camera: of its amplifier, of light itself, and of dead pixels."""

import torch
from torch import Tensor

from hubel.breaking.corruptions.chance import Chance, normal, uniform


def gaussian(pixels: Tensor, chance: Chance, deviation: float) -> Tensor:
    """Normal noise on every value."""
    return pixels + deviation * normal(chance, "noise", pixels)


def shot(pixels: Tensor, chance: Chance, photons: float) -> Tensor:
    """Every value as the count of a Poisson process that gives `photons` on white."""

    def counted(generator: torch.Generator, picture: Tensor) -> Tensor:
        return torch.poisson(picture * photons, generator=generator)

    return chance.field("photons", counted, pixels).to(pixels) / photons


def impulse(pixels: Tensor, chance: Chance, share: float) -> Tensor:
    """Salt and pepper: so large a share of all values is 0 or 1, each as often."""
    drawn = uniform(chance, "impulse", pixels)
    return torch.where(drawn < share / 2, 0, torch.where(drawn >= 1 - share / 2, 1, pixels))
