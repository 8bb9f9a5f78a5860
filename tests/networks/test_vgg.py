"""VGG: table 1 of the paper, its counts, and what tells its columns apart."""

import pytest
import torch
from torch import nn

from hubel.mistakes import Mistake
from hubel.networks.vgg import VARIANTS, vgg

GOLDEN = {  # weight layers, parameters
    "A": (11, 132_863_336),
    "A-LRN": (11, 132_863_336),
    "B": (13, 133_047_848),
    "C": (16, 133_638_952),
    "D": (16, 138_357_544),
    "E": (19, 143_667_240),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_layers_parameters_and_shapes(variant: str) -> None:
    with torch.device("meta"):
        network = vgg(variant).eval()
        x = torch.empty(1, 3, 224, 224)
    layers = [m for m in network if isinstance(m, nn.Conv2d | nn.Linear)]
    assert (len(layers), sum(p.numel() for p in network.parameters())) == GOLDEN[variant]
    shapes = {}
    for name, layer in network.named_children():
        x = layer(x)
        shapes[name] = tuple(x.shape[1:])
    pooled = [shapes[f"pool{i}"] for i in range(1, 6)]
    assert pooled == [(64, 112, 112), (128, 56, 56), (256, 28, 28), (512, 14, 14), (512, 7, 7)]


def test_c_has_1x1_filters_and_no_other_does() -> None:
    for variant in VARIANTS:
        with torch.device("meta"):
            network = vgg(variant)
        ones = [n for n, m in network.named_children() if isinstance(m, nn.Conv2d)
                and m.kernel_size == (1, 1)]  # fmt: skip
        assert ones == (["conv3_3", "conv4_3", "conv5_3"] if variant == "C" else [])


def test_a_lrn_is_a_and_its_normalisation() -> None:
    with torch.device("meta"):
        plain, normed = vgg("A"), vgg("A-LRN")
    names = list(dict(normed.named_children()))
    assert names[:3] == ["conv1_1", "relu1_1", "norm1_1"]
    names.remove("norm1_1")
    assert names == list(dict(plain.named_children()))
    assert isinstance(normed.get_submodule("norm1_1"), nn.LocalResponseNorm)


def test_batch_norm_is_behind_every_convolution() -> None:
    with torch.device("meta"):
        network = vgg("D", True)
    names = list(dict(network.named_children()))
    convolutions = [name for name in names if name.startswith("conv")]
    assert len(convolutions) == 13
    for name in convolutions:
        assert names[names.index(name) + 1] == name.replace("conv", "bn")


def test_what_does_not_fit() -> None:
    with pytest.raises(Mistake, match=r"pool5 would be given 1×1\. The smallest size is 32×32:"):
        vgg("D", size=(16, 16))
    with pytest.raises(Mistake, match="'A-LRN'"):
        vgg("A-LNR")
    with pytest.raises(Mistake, match="dropout"):
        vgg("A", dropout=-0.5)
