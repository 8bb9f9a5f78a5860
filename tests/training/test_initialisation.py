"""Initialisation: the spread that each scheme promises, and what it does to a deep signal."""

import math

import pytest
import torch
from torch import nn

from hubel.mistakes import Mistake
from hubel.training.initialisation import initialise


def deep(activation: type[nn.Module]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for _ in range(10):
        layers += [nn.Linear(256, 256), activation()]
    return nn.Sequential(*layers)


def spreads(network: nn.Sequential) -> list[float]:
    """The standard deviation of the signal behind each activation."""
    x = torch.randn(500, 256, generator=torch.Generator().manual_seed(1))
    found = []
    with torch.no_grad():
        for i, layer in enumerate(network):
            x = layer(x)
            if i % 2:
                found.append(float(x.std()))
    return found


@pytest.mark.parametrize(
    ("scheme", "expected"),
    [("xavier", math.sqrt(2 / (90 + 180))), ("he", math.sqrt(2 / 90)), ("naive", 0.01)],
)
def test_the_standard_deviation_of_a_kernel(scheme: str, expected: float) -> None:
    layer = nn.Conv2d(10, 20, 3)  # fan-in 90, fan-out 180, 1,800 weights
    initialise(layer, scheme, seed=0)
    # the standard error of a standard deviation of 1,800 draws is at most 1.7 %
    assert float(layer.weight.detach().std()) == pytest.approx(expected, rel=0.06)
    assert layer.bias is not None
    assert not layer.bias.detach().any()


def test_naive_weights_let_a_deep_signal_die_and_the_others_do_not() -> None:
    found = {}
    for scheme, activation in (("naive", nn.Tanh), ("xavier", nn.Tanh), ("he", nn.ReLU)):
        network = deep(activation)
        initialise(network, scheme, seed=0)
        found[scheme] = spreads(network)
    assert found["naive"][-1] < 1e-6
    assert found["xavier"][-1] > 0.15
    assert 0.3 < found["he"][-1] / found["he"][0] < 3


def test_same_seed_same_weights_and_the_global_generator_is_left_alone() -> None:
    a, b, c = nn.Linear(5, 5), nn.Linear(5, 5), nn.Linear(5, 5)
    state = torch.get_rng_state()
    initialise(a, "he", seed=3)
    initialise(b, "he", seed=3)
    initialise(c, "he", seed=4)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(a.weight, b.weight)
    assert not torch.equal(a.weight, c.weight)


def test_layout_does_not_change_the_weights() -> None:
    plain, moved = nn.Conv2d(4, 5, 3), nn.Conv2d(4, 5, 3)
    moved = moved.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    initialise(plain, "he", seed=0)
    initialise(moved, "he", seed=0)
    assert torch.equal(plain.weight, moved.weight)


def test_a_transposed_convolution_counts_its_own_inputs() -> None:
    layer = nn.ConvTranspose2d(10, 40, 3)  # 3,600 weights of shape (10, 40, 3, 3)
    initialise(layer, "he", seed=0)
    assert float(layer.weight.detach().std()) == pytest.approx(math.sqrt(2 / 90), rel=0.05)


def test_default_and_norms_are_left_alone() -> None:
    network = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))
    before = [p.clone() for p in network.parameters()]
    initialise(network, "default", seed=0)
    assert all(torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True))
    initialise(network, "he", seed=0)
    assert torch.equal(network[1].weight, before[2])


def test_unknown_scheme() -> None:
    with pytest.raises(Mistake, match="xavier"):
        initialise(nn.Linear(2, 2), "xaver", seed=0)
