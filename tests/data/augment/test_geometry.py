"""Changes of place: the sampling against a loop over pixels, each transform against its meaning."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from hubel.data.augment import geometry
from hubel.data.augment.drawing import Draw

Draws = Callable[[int], Draw]


def slow_sample(image: Tensor, to_source: np.ndarray) -> Tensor:
    """Each output pixel looked up where it came from, by bilinear interpolation, in pixels."""
    height, width = image.shape[1:]
    result = torch.zeros_like(image)
    for row in range(height):
        for column in range(width):
            centred = (column + 0.5 - width / 2, row + 0.5 - height / 2, 1.0)
            x, y, w = to_source @ centred
            x, y = x / w + width / 2 - 0.5, y / w + height / 2 - 0.5
            left, top = math.floor(x), math.floor(y)
            for j, i in ((top, left), (top, left + 1), (top + 1, left), (top + 1, left + 1)):
                share = (1 - abs(x - i)) * (1 - abs(y - j))
                if 0 <= i < width and 0 <= j < height:
                    result[:, row, column] += share * image[:, j, i]
    return result


SIZE = (7, 9)
TRANSFORMS: dict[str, Callable[[Draw], Tensor]] = {
    "turned": lambda draw: geometry.turned(draw, 30),
    "scaled": lambda draw: geometry.scaled(draw, 0.2),
    "shifted": lambda draw: geometry.shifted(draw, 1.5),
    "sheared": lambda draw: geometry.sheared(draw, 20),
    "cropped": lambda draw: geometry.cropped(draw, SIZE, least=0.3),
    "askew": lambda draw: geometry.askew(draw, SIZE, distortion=0.5),
    "all": lambda draw: (
        geometry.turned(draw, 30) @ geometry.askew(draw, SIZE, distortion=0.5)
        @ geometry.cropped(draw, SIZE, least=0.3)
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TRANSFORMS)
def test_sampling_against_the_obvious(name: str, draw: Draws) -> None:
    pixels = torch.rand(6, 2, *SIZE, dtype=torch.float64)
    transform = TRANSFORMS[name](draw(6))
    found = geometry.sample(pixels, transform)
    for image, matrix, result in zip(pixels, transform, found, strict=True):
        assert torch.allclose(result, slow_sample(image, matrix.numpy()), rtol=0, atol=1e-10)
    assert len({tuple(matrix.flatten().tolist()) for matrix in transform}) == 6


def test_nothing_changes_nothing() -> None:
    pixels = torch.rand(3, 1, 8, 8)
    assert torch.allclose(geometry.sample(pixels, geometry.identity(3)), pixels, atol=1e-6)


def test_directions() -> None:
    pixels = torch.zeros(1, 1, 5, 5)
    pixels[0, 0, 2, 4] = 1  # right of the middle
    one = torch.ones(1, dtype=torch.float64)
    turned = geometry.sample(pixels, geometry.rotation(math.pi / 2 * one))
    assert turned[0, 0, 0, 2] == pytest.approx(1, abs=1e-5)  # counter-clockwise: above it
    moved = geometry.sample(pixels, geometry.translation(one, 0 * one))
    assert moved[0, 0, 2, 3] == pytest.approx(1, abs=1e-5)  # to the left
    wider = geometry.sample(pixels, geometry.scaling(2 * one, one))
    assert wider[0, 0, 2, 3] == pytest.approx(1, abs=1e-5)  # seen from further away


def test_a_homography_takes_the_points_where_it_should() -> None:
    here = torch.tensor([[-3.0, -2], [3, -2], [3, 2], [-3, 2]], dtype=torch.float64)
    there = here + torch.rand(4, 4, 2, dtype=torch.float64)
    matrix = geometry.homography(here, there)
    seen = torch.cat((here, torch.ones(4, 1)), 1) @ matrix.transpose(1, 2)
    assert torch.allclose(seen[..., :2] / seen[..., 2:], there, atol=1e-12)


def test_crops_lie_inside_and_have_their_area(draw: Draws) -> None:
    height, width = 40, 60
    matrix = geometry.cropped(draw(500), (height, width), least=0.3)
    wide, high = matrix[:, 0, 0], matrix[:, 1, 1]
    assert (wide * high).min() > 0.29
    assert (wide * high).max() <= 1
    assert (wide * high).mean() == pytest.approx(0.64, abs=0.03)
    for shares, centre, side in ((wide, matrix[:, 0, 2], width), (high, matrix[:, 1, 2], height)):
        assert bool(((centre.abs() + shares * side / 2) <= side / 2 + 1e-9).all())


def test_elastic_shifts_have_their_strength_and_are_smooth(draw: Draws) -> None:
    height = width = 64
    ramp = torch.arange(width, dtype=torch.float32).expand(height, width) / 1000
    pixels = ramp.expand(50, 1, height, width)
    bent = geometry.bent(pixels, draw(50), strength=2.0)
    shift = (bent - pixels)[:, 0, 16:48, 16:48] * 1000  # in pixels, away from the black outside
    assert float(shift.std()) == pytest.approx(1.5, abs=0.5)
    assert float(shift.diff(dim=2).abs().max()) < 0.6


def test_of_no_picture() -> None:
    assert geometry.sample(torch.empty(0, 3, 4, 4), geometry.identity(0)).shape == (0, 3, 4, 4)
