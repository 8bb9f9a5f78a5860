"""The copy for attacks: the same answers and slopes, and the network as it was."""

import copy

import pytest
import torch
from torch import Tensor, nn

from hubel.breaking.minimal import deepfool
from hubel.breaking.ready import ready


def net() -> nn.Sequential:
    torch.manual_seed(1)
    made = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 12, 3), nn.ReLU(inplace=True), nn.MaxPool2d(3, stride=1, padding=1),
        nn.Flatten(), nn.Dropout(), nn.Linear(12 * 16, 4),
    ).double()  # fmt: skip
    made(pictures(32, 5))  # the norm has measured something
    return made


def pictures(n: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(n, 3, 12, 12, generator=generator, dtype=torch.float64)


def slopes(network: nn.Module, pixels: Tensor) -> tuple[Tensor, Tensor]:
    leaf = pixels.clone().requires_grad_()
    logits = network(leaf)
    (slope,) = torch.autograd.grad(logits.sin().sum(), leaf)
    return logits.detach(), slope


def test_answers_and_slopes_are_the_networks() -> None:
    network, pixels = net(), pictures(6)
    made = ready(network, pixels)
    for ours, theirs in zip(slopes(made, pixels), slopes(network.eval(), pixels), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)
    kinds = [type(part).__name__ for part in made]
    assert kinds[2:4] == kinds[5:7] == ["MaxPool2d", "ReLU"]
    assert kinds[1] == "Identity"
    assert not any(p.requires_grad for p in made.parameters())
    assert made[4].weight.is_contiguous(memory_format=torch.channels_last)


def test_a_tie_goes_to_the_same_place_in_either_order() -> None:
    """Windows of equal numbers, and of none above 0; in eighths, where no order of sums rounds."""
    network, pixels = net(), (pictures(4) * 8).round() / 8
    network[1] = nn.Identity()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_((parameter * 8).round() / 8)
    pixels[0], pixels[1, :, :6] = 0, 1
    ours, theirs = (slopes(each, pixels) for each in (ready(network, pixels), network.eval()))
    assert torch.equal(ours[0], theirs[0])
    torch.testing.assert_close(ours[1], theirs[1], rtol=0, atol=1e-12)


def test_an_attack_on_it_is_one_on_the_network() -> None:
    network, pixels = net(), pictures(8)
    found = deepfool(ready(network, pixels), pixels)
    direct = deepfool(network, pixels)
    torch.testing.assert_close(found.images, direct.images, rtol=0, atol=1e-9)


def test_the_network_is_left_as_it_was() -> None:
    network = net()
    before = copy.deepcopy(network)
    ready(network, pictures(2))
    assert [type(part) for part in network] == [type(part) for part in before]
    assert all(part.training for part in network.modules())
    assert all(p.requires_grad and p.is_contiguous() for p in network.parameters())
    for ours, theirs in zip(network.parameters(), before.parameters(), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("reason", ["hook", "shared", "indices"])
def test_what_others_can_see_keeps_its_place(reason: str) -> None:
    network = net()
    met: list[int] = []
    if reason == "hook":
        network[2].register_forward_hook(lambda _m, _i, output: met.append(output.shape[-1]))
    elif reason == "shared":
        network[5] = network[2]
        network[5].inplace = False
    else:
        network[3].return_indices = True
        network = nn.Sequential(*network[:4])
    if reason == "indices":
        made = ready(network, pictures(0))
        assert isinstance(made(pictures(1)), tuple)
    else:
        made = ready(network, pictures(1))
    assert isinstance(made[2], nn.ReLU)
    assert isinstance(made[3], nn.MaxPool2d)
    assert set(met) <= {12}


def test_a_network_that_takes_views_keeps_its_layout() -> None:
    class Viewing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.maps, self.score = nn.Conv2d(3, 4, 3), nn.Linear(400, 3)

        def forward(self, x: Tensor) -> Tensor:
            maps: Tensor = self.maps(x)
            logits: Tensor = self.score(maps.view(len(x), -1))
            return logits

    network, pixels = Viewing().double(), pictures(3)
    made = ready(network, pixels)
    with torch.no_grad():
        torch.testing.assert_close(made(pixels), network(pixels), rtol=0, atol=1e-12)
