"""AlexNet: the paper's shapes, counts, order, normalisation and first weights."""

import pytest
import torch
from torch import nn

from hubel.mistakes import Mistake
from hubel.networks.alexnet import alexnet, response_norm

PARAMETERS = {"2012": 60_965_224, "2012-one-column": 62_378_344, "2014": 61_100_840}
SHAPES = {  # of the paper, from pictures of 227×227 (it prints 224)
    "conv1": (96, 55, 55),
    "pool1": (96, 27, 27),
    "conv2": (256, 27, 27),
    "pool2": (256, 13, 13),
    "conv3": (384, 13, 13),
    "conv4": (384, 13, 13),
    "conv5": (256, 13, 13),
    "pool5": (256, 6, 6),
    "fc6": (4096,),
    "fc7": (4096,),
    "fc8": (1000,),
}


@pytest.mark.parametrize("variant", PARAMETERS)
def test_parameters(variant: str) -> None:
    side = 224 if variant == "2014" else 227
    with torch.device("meta"):
        network = alexnet(variant, size=(side, side))
    assert sum(p.numel() for p in network.parameters()) == PARAMETERS[variant]


def test_shapes_units_and_order() -> None:
    with torch.device("meta"):
        network = alexnet("2012").eval()
        x = torch.empty(1, 3, 227, 227)
    units = 0
    for name, layer in network.named_children():
        x = layer(x)
        if name in SHAPES:
            assert x.shape[1:] == SHAPES[name], name
        if isinstance(layer, nn.Conv2d | nn.Linear):
            units += x.numel()
    assert units == 659_272
    names = list(dict(network.named_children()))
    assert names[:8] == [
        *("conv1", "relu1", "norm1", "pool1"),  # the paper's order; the slide's is the other one
        *("conv2", "relu2", "norm2", "pool2"),
    ]
    groups = {name: m.groups for name, m in network.named_children() if isinstance(m, nn.Conv2d)}
    assert groups == {"conv1": 1, "conv2": 2, "conv3": 1, "conv4": 2, "conv5": 2}


def test_response_norm_is_the_papers_formula() -> None:
    generator = torch.Generator().manual_seed(0)
    a = torch.randn(1, 9, 2, 3, generator=generator, dtype=torch.float64) * 30
    expected = torch.empty_like(a)
    for i in range(9):
        near = a[:, max(0, i - 2) : i + 3].square().sum(1)  # n/2 = 2 maps to either side
        expected[:, i] = a[:, i] / (2 + 1e-4 * near) ** 0.75
    assert torch.allclose(response_norm()(a), expected, rtol=1e-12, atol=0)


def test_weights_are_drawn_as_in_section_5() -> None:
    torch.manual_seed(0)
    network = alexnet("2012", size=(67, 67), classes=10)
    for name, layer in network.named_children():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            assert float(layer.weight.detach().std()) == pytest.approx(0.01, rel=0.05)
            assert layer.bias is not None
            one = name in ("conv2", "conv4", "conv5", "fc6", "fc7")
            assert torch.equal(layer.bias, torch.full_like(layer.bias, float(one)))


def test_dropout_stands_where_the_variant_has_it() -> None:
    order = {
        variant: [n for n in dict(alexnet(variant, size=(67, 67)).named_children()) if n[0] in "df"]
        for variant in ("2012", "2014")
    }
    assert order["2012"] == ["flatten", "fc6", "dropout6", "fc7", "dropout7", "fc8"]
    assert order["2014"] == ["flatten", "dropout5", "fc6", "dropout6", "fc7", "fc8"]


def test_what_does_not_fit() -> None:
    with pytest.raises(Mistake, match=r"pool2 would be given 2×3\. The smallest size is 67×67:"):
        alexnet("2012", size=(30, 40))
    alexnet("2012", size=(67, 67))
    with pytest.raises(Mistake, match="66×66"):
        alexnet("2012", size=(66, 66))
    with pytest.raises(Mistake, match="'2014'"):
        alexnet("2041")
    with pytest.raises(Mistake, match="dropout"):
        alexnet("2012", dropout=1.0)
