"""Layers for style transfer, chosen for networks that nobody has chosen for."""

import pytest
from torch import nn

from hubel.mistakes import Mistake
from hubel.model import Classifier
from hubel.networks import catalogue
from hubel.pixels import PixelSpec
from hubel.understanding.style import LAYERS
from hubel.understanding.style_layers import chosen

GENERIC = "the last maps of each resolution"


@pytest.mark.parametrize(
    ("network", "side", "content", "style"),
    [
        ("small", 28, "res2", ["conv1", "res2", "res3"]),
        ("lenet5", 32, "C1_relu", ["C1_relu", "C3_relu"]),
        ("alexnet-2014", 224, "relu2", ["relu1", "relu2", "relu5"]),
        ("resnet20", 32, "stage2", ["stage1", "stage2", "stage3"]),
        # a bottleneck halves its maps inside its block, whose first half is not its answer
        ("resnet50", 64, "conv4_x", ["relu1", "conv2_x", "conv3_x", "conv4_x", "conv5_x"]),
        (
            "googlenet-bn",
            64,
            "inception4e",
            ["conv1", "conv2", "inception3b", "inception4e", "inception5b"],
        ),
    ],
)
def test_of_the_catalogue(network: str, side: int, content: str, style: list[str]) -> None:
    channels = 1 if network == "lenet5" else 3
    net = catalogue.build(network, classes=2, channels=channels, size=(side, side))
    layers, why = chosen(net, (side, side), channels=channels)
    assert list(layers.style) == style
    assert list(layers.content) == [content]
    assert sum(layers.style.values()) == pytest.approx(1)
    assert layers.content[content] == 1
    assert why == GENERIC


@pytest.mark.parametrize(
    ("network", "row"), [("efficientnet-lite0", "efficientnet-lite"), ("vgg16", "vgg")]
)
def test_rows_are_known_by_their_layers(network: str, row: str) -> None:
    net = catalogue.build(network, classes=2, channels=3, size=(32, 32))
    spec = PixelSpec((32, 32), 3)
    assert chosen(net, (32, 32)) == (LAYERS[row], f"those of {row}")
    own = Classifier(net, classes=("a", "b"), pixels=spec)
    assert chosen(own, (32, 32))[0] == LAYERS[row]


def test_one_resolution_holds_both() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(50, 2))
    net.train()
    layers, _ = chosen(net, (5, 5), channels=1)
    assert (dict(layers.content), dict(layers.style)) == ({"1": 1.0}, {"1": 1.0})
    assert net.training


def test_resolutions_without_anything_learned_do_not_count() -> None:
    net = nn.Sequential(
        nn.ZeroPad2d(1), nn.Conv2d(1, 2, 3, stride=2), nn.MaxPool2d(2), nn.Conv2d(2, 2, 1),
        nn.AvgPool2d(2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Conv2d(2, 2, 1), nn.Flatten(),
    )  # fmt: skip
    layers, _ = chosen(net, (16, 16), channels=1)
    assert list(layers.style) == ["1", "3"]


def test_a_network_without_maps() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
    with pytest.raises(Mistake, match="no convolution"):
        chosen(net, (8, 8), channels=1)
