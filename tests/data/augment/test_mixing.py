"""Two pictures into one: what is seen and what the labels say agree."""

from collections.abc import Callable

import pytest
import torch

from hubel.data.augment import mixing
from hubel.data.augment.drawing import Draw

Draws = Callable[[int], Draw]


def flat(n: int) -> torch.Tensor:
    """Picture i has the value i / n everywhere: a mixture tells what it was mixed of."""
    return (torch.arange(n) / n).view(n, 1, 1, 1).expand(n, 2, 30, 40).double()


@pytest.mark.parametrize("mix", [mixing.mixup, mixing.cutmix])
def test_the_labels_are_those_of_what_is_seen(mix: mixing.Mixing, draw: Draws) -> None:
    n = 50
    mixed, shares = mix(flat(n), torch.arange(n), draw(n), alpha=1.0, classes=n)
    assert torch.allclose(shares.sum(1), torch.ones(n, dtype=torch.float64))
    seen = mixed.mean((1, 2, 3))
    told = (shares * torch.arange(n) / n).sum(1)
    assert torch.allclose(seen, told, atol=1e-6)
    assert 0.3 < float(shares.diagonal().mean()) < 0.7


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_beta(alpha: float, draw: Draws) -> None:
    values = mixing.beta(draw(20_000)("mixup"), alpha)
    assert float(values.mean()) == pytest.approx(0.5, abs=0.01)
    assert float(values.var()) == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.03)


def test_of_equal_labels_nothing_is_shared(draw: Draws) -> None:
    _, shares = mixing.mixup(
        torch.rand(4, 1, 3, 3), torch.tensor([1, 1, 1, 1]), draw(4), alpha=1.0, classes=2
    )
    assert torch.allclose(shares, torch.tensor([[0.0, 1.0]]).expand(4, 2))
