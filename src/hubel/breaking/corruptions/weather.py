"""Weather and light: fog, frost, snow, brightness, contrast."""

import math

import torch
from torch import Tensor

from hubel.breaking.corruptions.chance import Chance, normal
from hubel.breaking.corruptions.fractal import plasma
from hubel.breaking.corruptions.kernels import filtered, streaks
from hubel.data.augment import colour, geometry
from hubel.data.augment.drawing import between

# Ice: its needles are so small a part of the side long; they count so much beside the fractal, of
# that decay; how light it is, how much it varies, and how far the bluest is from grey.
NEEDLE, NEEDLES, RIME = 24, 1.2, 1.1
LIGHT, ROUGH = (0.4, 0.87), (0.07, 0.145)
BLUE = (-0.2, 0.06, 0.14)


def fog(pixels: Tensor, chance: Chance, density: float, decay: float) -> Tensor:
    """A bright fractal laid over the picture, and both made dimmer until white is as it was."""
    height, width = pixels.shape[2:]
    cloud = plasma(chance, max(height, width), decay)[:, None, :height, :width].to(pixels)
    most = pixels.amax((1, 2, 3), keepdim=True)
    return (pixels + density * cloud) * most / (most + density)


def frost(pixels: Tensor, chance: Chance, kept: float, ice: float) -> Tensor:
    """So much of the picture, and so much of a pane of ice added to it.

    Published: of five photographs of frost, two of them the same. Ours is drawn.
    """
    return kept * pixels + ice * pane(chance, pixels)


def pane(chance: Chance, like: Tensor) -> Tensor:
    """Ice on glass, (N, C, H, W) in [0, 1]: needles in three directions 60° apart, on a fractal.

    How light, how rough and how blue it is, is drawn within what the published photographs show.
    """
    height, width = like.shape[2:]
    side = max(height, width)
    begun = normal(chance, "needles", like, channels=1).double()
    turn = between(chance.draw, "turn", 0, math.pi / 3)
    needles = torch.zeros_like(begun)
    for k in range(3):
        rays = streaks(turn + k * math.pi / 3, side / NEEDLE, side / NEEDLE, both=True)
        needles = torch.maximum(needles, _standard(filtered(begun, rays)))
    clouds = plasma(chance, side, RIME)[:, None, :height, :width]
    rough = _standard(NEEDLES * _standard(needles) + _standard(clouds).to(needles))
    light = between(chance.draw, "light", *LIGHT)
    deviation = between(chance.draw, "rough", *ROUGH)
    sheet = light.view(-1, 1, 1, 1) + deviation.view(-1, 1, 1, 1) * rough
    blue = chance.draw("blue").pow(3).view(-1, 1, 1, 1) * torch.tensor(BLUE).view(1, 3, 1, 1)
    return (sheet + (blue if like.shape[1] == 3 else 0)).clamp(0, 1).to(like)


def _standard(field: Tensor) -> Tensor:
    """Of mean 0 and deviation 1, each (N, 1, H, W)."""
    return (field - field.mean((2, 3), keepdim=True)) / field.std((2, 3), keepdim=True)


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
    """Every value so many times as far from its channel's mean in the picture."""
    mean = pixels.mean((2, 3), keepdim=True)
    return mean + factor * (pixels - mean)
