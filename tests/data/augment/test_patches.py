"""Blurring against scipy, erasing against its definition."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from hubel.data.augment import patches
from hubel.data.augment.drawing import Draw

Draws = Callable[[int], Draw]


def test_gaussian_against_scipy() -> None:
    pixels = torch.rand(3, 2, 20, 17, dtype=torch.float64)
    deviation = torch.tensor([0.4, 1.0, 1.7])
    found = patches.gaussian(pixels, deviation, radius=6)
    for image, sigma, result in zip(pixels, deviation.tolist(), found, strict=True):
        expected = gaussian_filter(image.numpy(), sigma, mode="mirror", radius=6, axes=(1, 2))
        assert np.abs(result.numpy() - expected).max() < 1e-6  # the weights are float32


def test_a_kernel_no_larger_than_the_picture() -> None:
    pixels = torch.rand(1, 1, 3, 4)
    far = torch.tensor([9.0])
    assert patches.gaussian(pixels, far, radius=27).shape == pixels.shape
    line = pixels[:, :, :1]
    assert torch.equal(patches.gaussian(line, far, radius=27), line)


def test_about_half_are_blurred(draw: Draws) -> None:
    pixels = torch.rand(400, 1, 9, 9)
    changed = (patches.blurred(pixels, draw(400), most=2.0) - pixels).abs().amax((1, 2, 3)) > 1e-3
    assert float(changed.double().mean()) == pytest.approx(0.5, abs=0.08)


def test_erased_boxes(draw: Draws) -> None:
    pixels = torch.rand(600, 3, 40, 50)
    found = patches.erased(pixels, draw(600), probability=0.7)
    changed = (found != pixels).any(1)
    touched = changed.flatten(1).any(1)
    assert float(touched.double().mean()) == pytest.approx(0.7, abs=0.06)
    mean = pixels.mean((2, 3))
    for image, box, colour in zip(found[touched], changed[touched], mean[touched], strict=True):
        rows, columns = box.any(1).nonzero(), box.any(0).nonzero()
        high, wide = len(rows), len(columns)
        assert int(rows[-1] - rows[0]) + 1 == high
        assert int(columns[-1] - columns[0]) + 1 == wide
        assert int(box.sum()) == high * wide  # a whole box
        assert 0.01 < high * wide / 2000 < 0.36
        assert torch.allclose(image[:, box], colour[:, None].expand(3, high * wide))
