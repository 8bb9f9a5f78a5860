"""Changes of place, of one size and in a direction that is drawn. What comes in is black."""

import math

from torch import Tensor

from hubel.breaking.corruptions.chance import Chance, signs
from hubel.data.augment import geometry
from hubel.data.augment.drawing import between


def rotate(pixels: Tensor, chance: Chance, degrees: float) -> Tensor:
    """Turned by so much, either way."""
    return geometry.sample(pixels, geometry.rotation(math.radians(degrees) * signs(chance, "turn")))


def shear(pixels: Tensor, chance: Chance, degrees: float) -> Tensor:
    """Slanted by so much along one of the axes, either way."""
    tangent = math.tan(math.radians(degrees)) * signs(chance, "slant")
    across = chance.draw("axis") < 0.5
    return geometry.sample(pixels, geometry.shearing(tangent * across, tangent * ~across))


def translate(pixels: Tensor, chance: Chance, share: float) -> Tensor:
    """Moved by that share of the shorter side, in any direction."""
    angle = between(chance.draw, "direction", -math.pi, math.pi)
    far = share * min(pixels.shape[2:])
    return geometry.sample(pixels, geometry.translation(far * angle.cos(), far * angle.sin()))


def elastic(pixels: Tensor, chance: Chance, share: float) -> Tensor:
    """Bent smoothly, by shifts whose standard deviation is that share of the shorter side."""
    return geometry.bent(pixels, chance.draw, strength=share * min(pixels.shape[2:]))
