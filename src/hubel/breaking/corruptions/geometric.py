"""Changes of place, in a direction that is drawn. What comes in is black unless a row says else."""

import math

import torch
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


def elastic(pixels: Tensor, chance: Chance, bend: float, smooth: float, askew: float) -> Tensor:
    """Three points moved by up to `askew` pixels each way, and the rest of the plane with them;
    then every pixel by `bend` times uniform noise in ±1, through a Gaussian of `smooth` pixels.

    What comes in is the picture mirrored. Interpolated once (published: once for each).
    """
    n, _, height, width = pixels.shape
    there = _slanted(chance, n, min(height, width) // 3, askew)
    if not bend:
        return geometry.sample(pixels, there, mirrored=True)
    noise = chance.field("bend", lambda g: 2 * torch.rand(2, height, width, generator=g) - 1)
    shifts = bend * (_smoothing(height, smooth) @ noise.double() @ _smoothing(width, smooth).mT)
    # the shift is of the slanted picture: in the picture itself it goes another way
    shifts = torch.einsum("nij,njhw->nihw", there[:, :2, :2], shifts)
    return geometry.sample(pixels, there, shifts, mirrored=True)


def _slanted(chance: Chance, n: int, away: int, most: float) -> Tensor:
    """(n, 3, 3): what shows three corners of a square about the middle moved by up to `most`."""
    corners = torch.tensor([[away, away, 1], [away, -away, 1], [-away, -away, 1]]).double()
    moved = corners.repeat(n, 1, 1)
    for k in range(6):
        moved[:, k // 2, k % 2] += between(chance.draw, f"slant {k}", -most, most)
    # points in rows: moved · Mᵀ = corners, as a transform takes what is shown to what is seen there
    found: Tensor = torch.linalg.solve(moved, corners.expand_as(moved))
    return found.mT


def _smoothing(side: int, deviation: float) -> Tensor:
    """(side, side): a Gaussian to 3 deviations, mirrored at the borders as often as it takes."""
    reach = int(3 * deviation + 0.5)
    steps = torch.arange(-reach, reach + 1, dtype=torch.float64)
    weights = torch.exp(-((steps / deviation) ** 2) / 2)
    place = (torch.arange(side)[:, None] + steps.long()) % (2 * side)
    place = torch.where(place < side, place, 2 * side - 1 - place)
    rows = torch.zeros(side, side, dtype=torch.float64)
    return rows.scatter_add_(1, place, (weights / weights.sum()).expand(side, -1).contiguous())
