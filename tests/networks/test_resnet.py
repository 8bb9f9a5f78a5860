"""The small-image ResNets: published counts, option A, and the depth that the name says."""

import pytest
import torch
from torch import nn

from hubel.mistakes import Mistake
from hubel.networks.resnet import DEPTHS, Block, PadShortcut, resnet

GOLDEN = {20: 269_722, 32: 464_154, 44: 658_586, 56: 853_018, 110: 1_727_962}


@pytest.mark.parametrize("depth", DEPTHS)
def test_parameters_and_weight_layers(depth: int) -> None:
    network = resnet(depth)
    assert sum(p.numel() for p in network.parameters()) == GOLDEN[depth]
    layers = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert len(layers) == depth


def test_stage_shapes() -> None:
    x = torch.randn(1, 3, 32, 32)
    shapes = {}
    for name, layer in resnet(20).named_children():
        x = layer(x)
        shapes[name] = tuple(x.shape[1:])
    assert [shapes[f"stage{i}"] for i in (1, 2, 3)] == [(16, 32, 32), (32, 16, 16), (64, 8, 8)]


def test_option_a_has_no_parameters_and_takes_every_second_pixel() -> None:
    shortcut = PadShortcut(new=2, stride=2)
    assert not list(shortcut.parameters())
    x = torch.arange(32.0).view(1, 2, 4, 4)
    y = shortcut(x)
    assert y.shape == (1, 4, 2, 2)
    assert torch.equal(y[0, 0], torch.tensor([[0.0, 2.0], [8.0, 10.0]]))
    assert not y[0, 2:].any()


def test_a_block_with_dead_branch_is_the_shortcut() -> None:
    block = Block(16, 16).eval()
    nn.init.zeros_(block.bn2.weight)
    x = torch.rand(1, 16, 8, 8)
    assert torch.equal(block(x), x)


def test_unknown_depth() -> None:
    with pytest.raises(Mistake, match="'21'"):
        resnet(21)
