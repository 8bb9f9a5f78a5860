"""Style losses: by loops, by the paper's equations, and by finite differences."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from hubel.understanding.style_losses import LOSSES, gram, total_variation


def picture(seed: int, height: int = 12, width: int = 12) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(3, height, width, generator=generator, dtype=torch.float64)


@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 5), st.integers(0, 99))
def test_gram_is_a_double_loop(channels: int, height: int, width: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    maps = torch.randn(channels, height, width, generator=generator, dtype=torch.float64)
    found = gram(maps)
    for i in range(channels):
        for j in range(channels):
            total = sum(
                float(maps[i, y, x] * maps[j, y, x]) for y in range(height) for x in range(width)
            )
            assert float(found[i, j]) == pytest.approx(total / (height * width), abs=1e-12)
    # it knows nothing of where things are
    shuffled = maps.flatten(1)[:, torch.randperm(height * width, generator=generator)]
    torch.testing.assert_close(gram(shuffled.view_as(maps)), found, rtol=1e-10, atol=1e-12)


def test_total_variation_is_a_loop_over_neighbours() -> None:
    image = picture(3, 4, 6)
    down = [(image[c, y + 1, x] - image[c, y, x]) ** 2
            for c in range(3) for y in range(3) for x in range(6)]  # fmt: skip
    across = [(image[c, y, x + 1] - image[c, y, x]) ** 2
              for c in range(3) for y in range(4) for x in range(5)]  # fmt: skip
    expected = sum(down) / len(down) + sum(across) / len(across)
    assert float(total_variation(image)) == pytest.approx(float(expected), rel=1e-12)
    assert float(total_variation(torch.full((3, 4, 4), 0.3))) == 0
    assert float(total_variation(torch.full((3, 1, 1), 0.3))) == 0


def test_published_losses_are_equations_1_and_4() -> None:
    f, p = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    m, n = 20, 3
    g, a = (x.flatten(1) @ x.flatten(1).T for x in (f, p))  # sums over positions, as in the paper
    losses = LOSSES["published"]
    content = 0.5 * sum((x - y) ** 2 for x, y in zip(f.flatten(), p.flatten(), strict=True))
    assert float(losses.content(f, p)) == pytest.approx(float(content), rel=1e-12)
    style = sum((x - y) ** 2 for x, y in zip(g.flatten(), a.flatten(), strict=True))
    expected = float(style) / (4 * n**2 * m**2)
    assert float(losses.style(gram(f), gram(p))) == pytest.approx(expected, rel=1e-12)


def test_relative_losses_do_not_know_the_scale() -> None:
    f, p = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for loss in LOSSES["relative"]:
        assert float(loss(torch.zeros_like(p), p)) == pytest.approx(1)
        assert float(loss(7 * f, 7 * p)) == pytest.approx(float(loss(f, p)), rel=1e-12)
        assert float(loss(p, p)) == 0


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_are_right(name: str) -> None:
    losses = LOSSES[name]
    target, style = picture(5, 3, 4), gram(picture(6, 5, 2))
    for function in (
        lambda x: losses.content(x, target),
        lambda x: losses.style(gram(x), style),
        total_variation,
    ):
        x = picture(7, 3, 4).requires_grad_()
        assert torch.autograd.gradcheck(function, x, rtol=1e-6, atol=1e-9)
