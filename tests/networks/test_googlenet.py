"""GoogLeNet: table 1 of the paper, its counts, its heads, and the batch-normalised form."""

import pytest
import torch
from torch import nn

from hubel.mistakes import Mistake
from hubel.model import Heads
from hubel.networks.googlenet import VARIANTS, GoogLeNet, googlenet

GOLDEN = {"2014": (6_998_552, 13_378_280), "bn": (6_624_904, 13_004_888)}
SHAPES = {  # table 1, as (maps, side)
    "conv1": (64, 112), "pool1": (64, 56), "conv2": (192, 56), "pool2": (192, 28),
    "inception3a": (256, 28), "inception3b": (480, 28), "pool3": (480, 14),
    "inception4a": (512, 14), "inception4b": (512, 14), "inception4c": (512, 14),
    "inception4d": (528, 14), "inception4e": (832, 14), "pool4": (832, 7),
    "inception5a": (832, 7), "inception5b": (1024, 7), "pool5": (1024, 1),
}  # fmt: skip


def count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS)
def test_parameters_with_and_without_heads(variant: str) -> None:
    with torch.device("meta"):
        found = tuple(count(googlenet(variant, heads=heads)) for heads in (False, True))
    assert found == GOLDEN[variant]


@pytest.mark.parametrize("variant", VARIANTS)
def test_shapes_of_table_1(variant: str) -> None:
    with torch.device("meta"):
        network = googlenet(variant).eval()
        x = torch.empty(1, 3, 224, 224)
    found = {}

    def keep(name: str) -> None:
        def hook(_module: nn.Module, _inputs: object, output: torch.Tensor) -> None:
            found[name] = (output.shape[1], output.shape[-1])

        network.get_submodule(name).register_forward_hook(hook)

    for name in SHAPES:
        keep(name)
    network(x)
    assert found == SHAPES


def small(variant: str) -> GoogLeNet:
    torch.manual_seed(0)
    return googlenet(variant, classes=5, size=(95, 95))


@pytest.mark.parametrize("variant", VARIANTS)
def test_heads_speak_in_training_only(variant: str) -> None:
    network = small(variant)
    x = torch.randn(2, 3, 95, 95)
    made = network.train()(x)
    assert isinstance(made, Heads)
    assert made.weight == 0.3
    assert [tuple(head.shape) for head in (made.logits, *made.auxiliary)] == [(2, 5)] * 3
    assert isinstance(network.eval()(x), torch.Tensor)
    alone = googlenet(variant, classes=5, size=(95, 95), heads=False)
    assert isinstance(alone.train()(x), torch.Tensor)


def test_an_inception_module_is_its_branches_side_by_side() -> None:
    network = small("2014").eval()
    module = network.inception3a
    x = torch.randn(1, 192, 8, 8)
    with torch.no_grad():
        branches = [module.get_submodule(f"branch{i}")(x) for i in (1, 2, 3, 4)]
        assert [b.shape[1] for b in branches] == [64, 128, 32, 32]
        assert torch.equal(module(x), torch.cat(branches, 1))


def test_the_variants_differ_where_they_say() -> None:
    with torch.device("meta"):
        paper, usual = googlenet("2014"), googlenet("bn")
    for network, side, bias in ((paper, 5, True), (usual, 3, False)):
        conv = network.get_submodule("inception3a.branch3.conv.conv")
        assert isinstance(conv, nn.Conv2d)
        assert (conv.kernel_size[0], conv.bias is not None) == (side, bias)
    norms = [sum(isinstance(m, kind) for m in network.modules())
             for network in (paper, usual)
             for kind in (nn.LocalResponseNorm, nn.BatchNorm2d)]  # fmt: skip
    assert norms == [2, 0, 0, 59]


def test_what_does_not_fit() -> None:
    with pytest.raises(Mistake, match=r"aux1\.pool would be given 1×2\. .* 79×79: set size=79"):
        googlenet("2014", size=(30, 40))
    with pytest.raises(Mistake, match="'2014'"):
        googlenet("2015")
    with pytest.raises(Mistake, match="dropout"):
        googlenet("bn", dropout=2.0)
