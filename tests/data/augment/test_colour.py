"""Changes of colour: each matrix against Pillow or its definition, and their product."""

import colorsys
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance
from torch import Tensor

from hubel.data.augment import colour
from hubel.data.augment.drawing import Draw

Draws = Callable[[int], Draw]


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(40, 200, (12, 10, 3), dtype=np.uint8)


def pixels_of(picture: np.ndarray) -> Tensor:
    return torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255


def amount(value: float) -> Tensor:
    return torch.tensor([value], dtype=torch.float64)


@pytest.mark.parametrize("value", [0.0, 0.4, 1.0, 1.2])
@pytest.mark.parametrize("name", ["Brightness", "Contrast", "Color"])
def test_against_pillow(name: str, value: float, picture: np.ndarray) -> None:
    expected = getattr(ImageEnhance, name)(Image.fromarray(picture)).enhance(value)
    pixels = pixels_of(picture)
    mean = pixels.mean((2, 3)).double()
    matrix = {
        "Brightness": lambda: colour.brightness(amount(value), 3),
        "Contrast": lambda: colour.contrast(amount(value), mean),
        "Color": lambda: colour.saturation(amount(value), 3),
    }[name]()
    found = colour.recolour(pixels, matrix)[0].permute(1, 2, 0) * 255
    # Pillow rounds the greys that it blends with to whole numbers, and its result down
    assert np.abs(found.numpy() - np.asarray(expected).astype(float)).max() <= 1.6


def test_a_hue_turns_and_keeps_the_luma() -> None:
    pixels = torch.rand(1, 3, 6, 6) * 0.4 + 0.3
    there = colour.recolour(pixels, colour.hue(amount(math.radians(40))))
    luma = colour.LUMA.float()
    assert torch.allclose(
        torch.einsum("nchw,c->nhw", there, luma), torch.einsum("nchw,c->nhw", pixels, luma),
        atol=1e-5,
    )  # fmt: skip
    back = colour.recolour(there, colour.hue(amount(math.radians(-40))))
    assert torch.allclose(back, pixels, atol=1e-5)
    assert torch.allclose(colour.hue(amount(2 * math.pi)), colour.identity(1, 3), atol=1e-9)
    red = torch.tensor([0.6, 0.4, 0.4]).view(1, 3, 1, 1)
    hues = []
    for degrees in (0, 120, 240):
        turned = colour.recolour(red, colour.hue(amount(math.radians(degrees)))).flatten()
        hues.append(colorsys.rgb_to_hsv(*turned.tolist())[0] * 360)
    steps = sorted(round((b - a) % 360) for a, b in zip(hues, [*hues[1:], hues[0]], strict=True))
    assert sum(steps) in (360, 720)
    assert all(70 < step < 290 for step in steps)


def test_the_product_is_one_after_the_other() -> None:
    pixels = torch.rand(4, 3, 5, 5) * 0.2 + 0.4
    mean = pixels.mean((2, 3)).double()
    factors = torch.tensor([0.7, 0.9, 1.1, 1.3], dtype=torch.float64)
    first, second = colour.contrast(factors, mean), colour.saturation(factors.flip(0), 3)
    one_by_one = colour.recolour(colour.recolour(pixels, first), second)
    assert torch.allclose(
        colour.recolour(pixels, colour.then(first, second)), one_by_one, atol=1e-6
    )
    assert torch.allclose(
        colour.seen(first, mean), colour.recolour(pixels, first).mean((2, 3)).double(), atol=1e-6
    )


def test_principal_axes_are_those_of_the_colours(draw: Draws) -> None:
    generator = np.random.default_rng(1)
    along = np.array([0.8, 0.5, 0.3]) / np.linalg.norm([0.8, 0.5, 0.3])
    values = 0.5 + 0.1 * generator.standard_normal((50, 1, 20, 20)) * along[None, :, None, None]
    images = (values.clip(0, 1) * 255).round().astype(np.uint8)
    axes = colour.principal(images)
    largest = axes[:, -1]
    assert float(largest.norm()) == pytest.approx(0.1, abs=0.003)
    assert abs(float(largest @ torch.from_numpy(along))) == pytest.approx(0.1, abs=0.003)
    assert float(axes[:, 0].norm()) < 0.005
    offsets = colour.lit(draw(2000), axes, 0.5)[:, :, -1]
    assert float(offsets.norm(dim=1).pow(2).mean().sqrt()) == pytest.approx(0.05, rel=0.08)


def test_one_channel_has_no_colour(draw: Draws) -> None:
    pixels = torch.rand(3, 1, 4, 4)
    for matrix in (
        colour.hue(torch.ones(3, dtype=torch.float64), 1),
        colour.greyed(draw(3), 1, probability=1),
        colour.saturation(torch.full((3,), 0.3, dtype=torch.float64), 1),
    ):
        assert torch.allclose(colour.recolour(pixels, matrix), pixels, atol=1e-6)
    axes = colour.principal((pixels.numpy() * 255).astype(np.uint8))
    assert float(axes) == pytest.approx(float(pixels.std()), abs=0.01)


def test_greyscale_happens_as_often_as_asked(draw: Draws) -> None:
    pixels = torch.rand(1000, 3, 2, 2)
    found = colour.recolour(pixels, colour.greyed(draw(1000), 3, probability=0.3))
    grey = (found[:, 0] - found[:, 1]).abs().amax((1, 2)) < 1e-6
    assert float(grey.double().mean()) == pytest.approx(0.3, abs=0.05)
