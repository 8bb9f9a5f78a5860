"""Parameterisations of an image: there and back, the spectrum, and the rule against torch's."""

import math

import pytest
import torch
from torch import Tensor, nn

from hubel.understanding.image_parameters import adam, fourier, level, spectrum


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 7, 10), (3, 6, 5), (2, 1, 9)])
def test_fourier_is_there_and_back(shape: tuple[int, int, int]) -> None:
    generator = torch.Generator().manual_seed(2)
    image = 0.01 + 0.98 * torch.rand(4, *shape, generator=generator, dtype=torch.float64)
    zero = level(0.3, shape[0], None)
    rows = fourier(shape, zero)
    parameters = rows.encode(image)
    assert parameters.shape == (4, shape[0], shape[1], shape[2] // 2 + 1, 2)
    torch.testing.assert_close(rows.decode(parameters), image, rtol=0, atol=1e-6)
    blank = rows.encode(zero.expand(1, *shape))
    torch.testing.assert_close(blank, torch.zeros_like(blank), rtol=0, atol=1e-12)
    # white is turned back to what is nearly white, and not to infinity
    assert float(rows.decode(rows.encode(torch.ones(1, *shape).double())).min()) > 0.998


def test_the_spectrum_is_one_over_f() -> None:
    scale = spectrum(6, 8)
    for u in range(6):
        for v in range(5):
            f = math.hypot(min(u, 6 - u) / 6, v / 8)
            relative = float(scale[u, v] / scale[0, 4])  # frequency 1/2, across
            assert relative == pytest.approx(0.5 / max(f, 1 / 8), rel=1e-5)
    assert float(scale.square().mean()) == pytest.approx(1, rel=1e-5)


def test_fourier_noise_has_a_spectrum_like_its_scale() -> None:
    zero = torch.tensor([0.5], dtype=torch.float64).view(1, 1, 1)
    rows = fourier((1, 16, 16), zero)
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randn(2000, 1, 16, 9, 2, generator=generator, dtype=torch.float64)
    image = torch.logit(rows.decode(0.01 * drawn))
    power = torch.fft.rfft2(image, norm="ortho").abs().square().mean(0)[0]
    inner = (power / spectrum(16, 16).double().square())[:, 1:8]  # away from doubled frequencies
    assert float(inner.std() / inner.mean()) < 0.06


def test_adam_is_adam() -> None:
    generator = torch.Generator().manual_seed(3)
    slopes = torch.randn(6, 2, 5, generator=generator, dtype=torch.float64)
    slopes = slopes / slopes.square().mean(2, keepdim=True).sqrt()  # as the rule scales them itself
    parameter = nn.Parameter(torch.zeros(2, 5, dtype=torch.float64))
    oracle = torch.optim.Adam([parameter], lr=0.1, maximize=True)
    own, memory = torch.zeros(2, 5, dtype=torch.float64), dict[str, Tensor]()
    for number, slope in enumerate(slopes, 1):
        parameter.grad = slope.clone()
        oracle.step()
        own = own + 0.1 * adam(1e-7 * slope, memory, number)
        torch.testing.assert_close(own, parameter.detach(), rtol=1e-10, atol=1e-12)
