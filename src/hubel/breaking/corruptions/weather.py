"""Weather and light: fog, frost, snow, brightness, contrast."""

import math

import torch
from torch import Tensor

from hubel.breaking.corruptions.chance import Chance, normal, uniform
from hubel.breaking.corruptions.fractal import plasma
from hubel.breaking.corruptions.kernels import filtered, streaks
from hubel.data.augment import colour, geometry
from hubel.data.augment.drawing import between

NEEDLES = 0.03  # of the pixels begin a needle of frost
RIME = 1.9  # the decay of the fractal that frost gathers by


def fog(pixels: Tensor, chance: Chance, density: float, decay: float) -> Tensor:
    """A bright fractal laid over the picture, and both made dimmer until white is as it was."""
    height, width = pixels.shape[2:]
    cloud = plasma(chance, max(height, width), decay)[:, None, :height, :width].to(pixels)
    most = pixels.amax((1, 2, 3), keepdim=True)
    return (pixels + density * cloud) * most / (most + density)


def frost(pixels: Tensor, chance: Chance, opacity: float) -> Tensor:
    """Needles of white ice over the picture. Ours: the published one adds photographs of frost.

    Points here and there become needles in three directions 60° apart, as ice has them, thick where
    a fractal is bright.
    """
    height, width = pixels.shape[2:]
    side = max(height, width)
    begun = (uniform(chance, "needles", pixels[:, :1]) < NEEDLES).to(pixels)
    turn = between(chance.draw, "turn", 0, math.pi / 3)
    needles = torch.zeros_like(begun)
    for k in range(3):
        rays = streaks(turn + k * math.pi / 3, side / 12, side / 12, both=True)
        needles = needles + filtered(begun, rays)
    needles = needles / needles.amax((1, 2, 3), keepdim=True).clamp_min(1e-6)
    rime = plasma(chance, side, RIME)[:, None, :height, :width].to(pixels)
    ice = (rime * (0.45 + 0.9 * needles)).clamp(0, 1)
    return torch.lerp(pixels, torch.ones_like(pixels), opacity * ice)


def snow(
    pixels: Tensor,
    chance: Chance,
    mean: float,
    deviation: float,
    enlarged: float,
    threshold: float,
    radius: float,
    streak: float,
    kept: float,
) -> Tensor:
    """Flakes that fall: enlarged normal noise above a threshold, in motion, and the same turned by
    180°, over a picture of which all but `kept` is whitened."""
    flakes = mean + deviation * normal(chance, "flakes", pixels, channels=1)
    shown = torch.full((len(pixels),), 1 / max(enlarged, 1.0), dtype=torch.float64)
    flakes = geometry.sample(flakes, geometry.scaling(shown, shown))
    flakes = torch.where(flakes < threshold, 0, flakes).clamp(0, 1)
    angle = between(chance.draw, "angle", -0.75 * math.pi, -0.25 * math.pi)
    flakes = filtered(flakes, streaks(angle, radius, streak))
    none = torch.zeros(len(pixels), dtype=torch.float64)
    grey = colour.recolour(pixels, colour.saturation(none, pixels.shape[1]))
    white = torch.maximum(pixels, 1.5 * grey + 0.5)
    return kept * pixels + (1 - kept) * white + flakes + flakes.flip(2, 3)


def brightness(pixels: Tensor, _chance: Chance, amount: float) -> Tensor:
    """So much added to the value of HSV, the largest of a colour's channels; hue and saturation
    stay."""
    value = pixels.amax(1, keepdim=True)
    lighter = (value + amount).clamp(0, 1)
    return torch.where(value > 0, pixels * lighter / value.clamp_min(1e-12), lighter)


def contrast(pixels: Tensor, _chance: Chance, factor: float) -> Tensor:
    """Every value so many times as far from the picture's mean grey (published: from each channel's
    own mean)."""
    mean = pixels.mean((2, 3)).cpu().double()
    amount = torch.full((len(pixels),), factor, dtype=torch.float64)
    return colour.recolour(pixels, colour.contrast(amount, mean))
