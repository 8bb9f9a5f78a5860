"""EfficientNet-Lite0 with its published weights, against a second way of computing a block."""

import copy
import re
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import hubel
from hubel.mistakes import Failure, Mistake
from hubel.networks import weights
from hubel.networks.efficientnet_lite import MBConv, SamePad


@pytest.fixture(scope="module")
def classifier() -> hubel.Classifier:
    return weights.load("efficientnet-lite0")


@pytest.mark.parametrize(
    ("picture", "answers"),
    [
        ("chelsea", ("tiger cat", "Egyptian cat")),  # 38 % and 37 %
        ("coffee", ("espresso",)),
        ("rocket", ("missile",)),
    ],
)
def test_known_pictures(
    classifier: hubel.Classifier, picture: str, answers: tuple[str, ...]
) -> None:
    image = getattr(skimage.data, picture)()
    found = hubel.predict(classifier, image, top=len(answers))[0].classes
    assert {name for name, _ in found} == set(answers)


def test_pictures_are_seen_as_its_publisher_showed_them(classifier: hubel.Classifier) -> None:
    """The middle 224 of 256 pixels: a frame of 16 around them is not seen."""
    picture = np.zeros((256, 256, 3), np.uint8)
    picture[16:240, 16:240] = np.random.default_rng(0).integers(0, 255, (224, 224, 3))
    seen = classifier.read(picture)
    assert np.array_equal((seen * 255).round().byte().permute(1, 2, 0), picture[16:240, 16:240])


def test_counts_and_classes(classifier: hubel.Classifier) -> None:
    assert sum(p.numel() for p in classifier.network.parameters()) == 4_652_008
    assert len(classifier.classes) == len(set(classifier.classes)) == 1000
    text = files("hubel.networks").joinpath("imagenet_classes.txt").read_text(encoding="utf-8")
    ids = [line.partition(" ")[0] for line in text.splitlines()]
    assert ids == sorted(set(ids))  # ILSVRC's order is that of the WordNet ids
    assert all(re.fullmatch(r"n\d{8}", each) for each in ids)
    assert classifier.classes[281:286] == (
        *("tabby", "tiger cat", "Persian cat", "Siamese cat", "Egyptian cat"),
    )


def test_pixels_are_normalised_as_published(classifier: hubel.Classifier) -> None:
    seen = []
    first = classifier.network.get_submodule("stem")
    handle = first.register_forward_pre_hook(lambda _, inputs: seen.append(inputs))
    grey = torch.full((1, 3, 224, 224), 100 / 255)
    with torch.no_grad():
        classifier(grey)
    handle.remove()
    assert float(seen[0][0].mean()) == pytest.approx((100 - 127) / 128, abs=1e-6)


def slow_same_conv(x: Tensor, weight: Tensor, stride: int, groups: int) -> Tensor:
    """A "same" convolution as TensorFlow states it: window by window, in Python."""
    k, side = weight.shape[-1], x.shape[-1]
    outputs = -(-side // stride)
    total = max((outputs - 1) * stride + k - side, 0)
    padded = torch.zeros(*x.shape[:2], side + total, side + total, dtype=x.dtype)
    before = total // 2
    padded[:, :, before : before + side, before : before + side] = x
    result = torch.zeros(len(x), len(weight), outputs, outputs, dtype=x.dtype)
    per_group = x.shape[1] // groups
    for o in range(len(weight)):
        group = o // (len(weight) // groups)
        own = padded[:, group * per_group : (group + 1) * per_group]
        for i in range(outputs):
            for j in range(outputs):
                window = own[:, :, i * stride : i * stride + k, j * stride : j * stride + k]
                result[:, o, i, j] = (window * weight[o]).sum((1, 2, 3))
    return result


def slow_norm(x: Tensor, bn: nn.Module) -> Tensor:
    assert isinstance(bn, nn.BatchNorm2d)
    mean, var = bn.running_mean, bn.running_var
    assert mean is not None
    assert var is not None
    scale = bn.weight / torch.sqrt(var + 1e-3)
    return (x - mean[:, None, None]) * scale[:, None, None] + bn.bias[:, None, None]


def slow_layer(x: Tensor, layer: nn.Module) -> Tensor:
    """Convolution and batch normalisation, then ReLU6 if the layer has one."""
    conv = layer.get_submodule("conv")
    assert isinstance(conv, nn.Conv2d)
    y = slow_same_conv(x, conv.weight, conv.stride[0], conv.groups)
    y = slow_norm(y, layer.get_submodule("bn"))
    return F.hardtanh(y, 0, 6) if "relu" in dict(layer.named_children()) else y


@pytest.mark.parametrize("side", [9, 10])  # at stride 2: even padding, odd padding
@pytest.mark.parametrize("index", [1, 2, 3])  # kernel 3 with stride 2, a shortcut, kernel 5
def test_a_block_against_the_slow_one(classifier: hubel.Classifier, index: int, side: int) -> None:
    block = copy.deepcopy(classifier.network.get_submodule(f"blocks.{index}")).double()
    assert isinstance(block, MBConv)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1, 16 if index == 1 else 24, side, side, generator=generator).double()
    with torch.no_grad():
        y = slow_layer(slow_layer(slow_layer(x, block.expand), block.depthwise), block.project)
        y = x + y if index == 2 else y
        assert torch.allclose(block(x), y, rtol=1e-12, atol=1e-12)


def test_same_padding_puts_the_odd_one_at_the_end() -> None:
    padded = SamePad(3, 2)(torch.ones(1, 1, 4, 4))
    assert padded.shape == (1, 1, 5, 5)
    assert padded[0, 0, 0, 0] == 1
    assert padded[0, 0, 4, 4] == 0


def test_only_the_published_file_is_opened(tmp_path: Path) -> None:
    published = weights.check("efficientnet-lite0")
    content = bytearray(published.read_bytes())
    content[-1] ^= 1
    (tmp_path / "weights.pth").write_bytes(content)
    with pytest.raises(Failure, match="not opened"):
        weights.load("efficientnet-lite0", tmp_path / "weights.pth")
    with pytest.raises(Failure, match="cannot be read"):
        weights.load("efficientnet-lite0", tmp_path / "none.pth")
    with pytest.raises(Mistake, match="resnet20"):
        weights.load("resnet20")


def test_it_saves_and_loads_like_any_classifier(
    classifier: hubel.Classifier, tmp_path: Path
) -> None:
    again = hubel.load(classifier.save(tmp_path / "model"))
    pixels = torch.rand(1, 3, 224, 224)
    with torch.no_grad():
        assert torch.equal(classifier(pixels), again(pixels))
