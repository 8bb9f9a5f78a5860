"""Folding against the network itself: random norms, and everything that must be left alone."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from hubel.inference.folding import folded
from hubel.networks import catalogue


def lively(network: nn.Module, seed: int = 0) -> nn.Module:
    """Norms that do something: fresh ones are close to the identity and would hide a mistake."""
    generator = torch.Generator().manual_seed(seed)
    for part in network.modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm):
            for tensor in (part.weight, part.running_var):
                if tensor is not None:
                    tensor.data.uniform_(0.5, 2, generator=generator)
            for tensor in (part.bias, part.running_mean):
                if tensor is not None:
                    tensor.data.normal_(generator=generator)
    return network.eval()


def norms(network: nn.Module) -> int:
    return sum(isinstance(part, nn.modules.batchnorm._BatchNorm) for part in network.modules())


def agrees(network: nn.Module, *shape: int) -> None:
    x = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected, found = network(x), folded(network, x)(x)
    spread = float(expected.max() - expected.min())
    assert float((expected - found).abs().max()) <= 1e-5 * max(spread, 1.0)


@pytest.mark.parametrize(
    ("name", "channels", "side"),
    [("small", 1, 28), ("resnet20", 3, 32), ("efficientnet-lite0", 3, 64), ("lenet5", 1, 32)],
)
def test_networks_of_the_catalogue(name: str, channels: int, side: int) -> None:
    network = lively(
        catalogue.build(name, classes=10, channels=channels, size=(side, side)),
    )
    agrees(network, 3, channels, side, side)
    assert norms(folded(network, torch.zeros(1, channels, side, side))) == 0


def test_the_network_itself_is_left_as_it_was() -> None:
    network = lively(catalogue.build("small")).train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    folded(network, torch.zeros(1, 1, 28, 28))
    assert network.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


@pytest.mark.parametrize(
    "conv",
    [
        nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2),
        nn.Conv2d(4, 6, (3, 1), dilation=2, bias=False),
        nn.Conv2d(4, 6, 3, padding="same", padding_mode="reflect"),
    ],
)
def test_every_kind_of_convolution(conv: nn.Conv2d) -> None:
    network = lively(nn.Sequential(conv, nn.BatchNorm2d(6)))
    agrees(network, 2, 4, 9, 9)
    assert norms(folded(network, torch.zeros(1, 4, 9, 9))) == 0


class _Uses(nn.Module):
    """A convolution and a norm, joined by a given forward."""

    def __init__(self, forward: Callable[["_Uses", Tensor], Tensor]) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        self.norm = nn.BatchNorm2d(3)
        self._forward = forward

    def forward(self, x: Tensor) -> Tensor:
        return self._forward(self, x)


@pytest.mark.parametrize(
    "forward",
    [
        pytest.param(lambda m, x: m.norm(y := m.conv(x)) + y, id="the map is used twice"),
        pytest.param(lambda m, x: m.norm(m.conv(m.conv(x))), id="the convolution is used twice"),
        pytest.param(lambda m, x: m.norm(m.conv(m.norm(x))), id="the norm is used twice"),
        pytest.param(lambda m, x: m.norm(m.conv(x)) * m.conv.weight.sum(), id="weights are read"),
        pytest.param(lambda m, x: m.norm(m.conv(x).relu()), id="something is between"),
        pytest.param(
            lambda m, x: m.norm(m.conv(x)) if x.sum() > 0 else m.conv(x), id="it decides by values"
        ),
    ],
)
def test_what_cannot_be_folded_stays(forward: Callable[[_Uses, Tensor], Tensor]) -> None:
    network = lively(_Uses(forward))
    agrees(network, 2, 3, 5, 5)
    assert norms(folded(network, torch.zeros(1, 3, 5, 5))) == 1


def test_hooked_parametrised_and_batch_statistics_stay() -> None:
    hooked = lively(nn.Sequential(nn.Conv2d(3, 3, 3), nn.BatchNorm2d(3)))
    hooked[0].register_forward_hook(lambda _m, _i, out: out * 2)  # type: ignore[index]
    parametrised = lively(nn.Sequential(nn.Conv2d(3, 3, 3), nn.BatchNorm2d(3)))
    nn.utils.parametrizations.weight_norm(parametrised[0])  # type: ignore[index]
    of_the_batch = nn.Sequential(
        nn.Conv2d(3, 3, 3), nn.BatchNorm2d(3, track_running_stats=False)
    ).eval()
    for network in (hooked, parametrised, of_the_batch):
        agrees(network, 2, 3, 5, 5)
        assert norms(folded(network, torch.zeros(1, 3, 5, 5))) == 1


def test_without_scale_and_shift() -> None:
    network = lively(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, affine=False)))
    agrees(network, 2, 3, 5, 5)
    assert norms(folded(network, torch.zeros(1, 3, 5, 5))) == 0


@pytest.mark.parametrize("named", ["convolution", "norm", "block"])
def test_what_has_two_names_is_left_alone(named: str) -> None:
    """Replaced under one name it would still answer under the other."""

    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            convolution, norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)
            block = nn.Sequential(convolution, norm, nn.ReLU())
            self.first = {"convolution": convolution, "norm": norm, "block": block}[named]
            self.body = block

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.body(x)
            return y

    network = lively(Twice())
    agrees(network, 2, 3, 8, 8)
    assert norms(folded(network, torch.zeros(1, 3, 8, 8))) == 1
