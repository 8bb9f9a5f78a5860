"""The ResNets: published counts, both options, the depth that the name says, the stride's place."""

from typing import Any

import pytest
import torch
from torch import nn

from hubel.mistakes import Mistake
from hubel.networks.resnet import DEPTHS, Block, PadShortcut, resnet

SMALL = {20: 269_722, 32: 464_154, 44: 658_586, 56: 853_018, 110: 1_727_962}
LARGE = {18: 11_689_512, 34: 21_797_672, 50: 25_557_032, 101: 44_549_160, 152: 60_192_808}
WITHOUT_PROJECTION = {18: 11_515_688, 34: 21_623_848}


def built(depth: int, *kind: Any) -> nn.Sequential:
    classes, side = (1000, 224) if DEPTHS[depth].large else (10, 32)
    with torch.device("meta"):
        return resnet(depth, *kind, classes=classes, size=(side, side))


def count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def weight_layers(network: nn.Module) -> int:
    named = network.named_modules()
    layers = [name for name, m in named if isinstance(m, nn.Conv2d | nn.Linear)]
    return len([name for name in layers if "shortcut" not in name])


@pytest.mark.parametrize("depth", SMALL)
def test_the_small_family(depth: int) -> None:
    for kind in ("A", "none"):
        network = built(depth, kind)
        assert count(network) == SMALL[depth]
        assert weight_layers(network) == depth


@pytest.mark.parametrize("depth", LARGE)
def test_projections(depth: int) -> None:
    for stride_at in (1, 2):
        network = built(depth, "B", stride_at)
        assert count(network) == LARGE[depth]
        assert weight_layers(network) == depth


@pytest.mark.parametrize("depth", WITHOUT_PROJECTION)
def test_shortcuts_without_parameters_and_none(depth: int) -> None:
    for kind in ("A", "none"):
        assert count(built(depth, kind)) == WITHOUT_PROJECTION[depth]
    kinds = {type(m) for m in built(depth, "none").modules()}
    assert PadShortcut not in kinds
    assert nn.Identity not in kinds


def shapes(network: nn.Sequential, side: int) -> dict[str, tuple[int, ...]]:
    x = torch.empty(1, 3, side, side, device="meta")
    found = {}
    for name, layer in network.named_children():
        x = layer(x)
        found[name] = tuple(x.shape[1:])
    return found


def test_stage_shapes() -> None:
    found = shapes(built(20), 32)
    assert [found[f"stage{i}"] for i in (1, 2, 3)] == [(16, 32, 32), (32, 16, 16), (64, 8, 8)]
    for depth, wider in ((34, 1), (50, 4)):  # table 1
        found = shapes(built(depth, "B"), 224)
        assert found["conv1"] == (64, 112, 112)
        sides = {"conv2_x": 56, "conv3_x": 28, "conv4_x": 14, "conv5_x": 7}
        for i, (name, side) in enumerate(sides.items()):
            assert found[name] == (64 * 2**i * wider, side, side)


def test_where_a_bottleneck_has_its_stride() -> None:
    for stride_at, strides in ((1, [2, 1, 1]), (2, [1, 2, 1])):
        block = built(50, "B", stride_at).get_submodule("conv3_x.0")
        found = [block.get_submodule(f"conv{i}") for i in (1, 2, 3)]
        assert [conv.stride[0] for conv in found if isinstance(conv, nn.Conv2d)] == strides
        projection = block.get_submodule("shortcut.conv")
        assert isinstance(projection, nn.Conv2d)
        assert projection.stride == (2, 2)


def test_option_a_has_no_parameters_and_takes_every_second_pixel() -> None:
    shortcut = PadShortcut(new=2, stride=2)
    assert not list(shortcut.parameters())
    x = torch.arange(32.0).view(1, 2, 4, 4)
    y = shortcut(x)
    assert y.shape == (1, 4, 2, 2)
    assert torch.equal(y[0, 0], torch.tensor([[0.0, 2.0], [8.0, 10.0]]))
    assert not y[0, 2:].any()


def test_a_block_with_dead_branch_is_the_shortcut() -> None:
    block = Block(16, 16, 1, "A").eval()
    plain = Block(16, 16, 1, "none").eval()
    x = torch.rand(1, 16, 8, 8)
    for made in (block, plain):
        nn.init.zeros_(made.bn2.weight)
    assert torch.equal(block(x), x)
    assert not plain(x).any()  # which has nothing beside its branch


def test_unknown_rows() -> None:
    with pytest.raises(Mistake, match="'21'"):
        resnet(21)
    with pytest.raises(Mistake, match="'C'"):
        resnet(20, "C")  # type: ignore[arg-type]
