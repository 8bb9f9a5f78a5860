"""What networks and files say of pictures: ImageNet's classes as categories, where objects are."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from hubel.breaking.sixteen import categories
from hubel.model import Classifier
from hubel.networks.weights import imagenet_classes
from hubel.pixels import PixelSpec
from hubel.verbs.shape import shape_bias
from hubel.verbs.shape_sources import namer, opacity
from tests.verbs.test_shape import QUICK, SIDE, Colour, draw


class Sixteen(nn.Module):
    """ImageNet's classes: airliner for red, beagle for green, all the same below."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits = x.new_zeros(len(x), 1000)
        mean = x.mean((2, 3))
        logits[:, 404] = 20 * mean[:, 0]
        logits[:, 162] = 20 * mean[:, 1] + 2
        return logits


def test_opacity_follows_the_picture(tmp_path: Path) -> None:
    draw(tmp_path / "a.png", "red", 1)
    draw(tmp_path / "b.png", "red", 1, alpha=False)
    spec = PixelSpec((SIDE, SIDE), 3)
    with Image.open(tmp_path / "a.png") as image:
        alpha = np.asarray(image)[..., 3] > 0
    assert (opacity(tmp_path / "a.png", spec) == alpha).all()
    assert opacity(tmp_path / "b.png", spec) is None
    padded = opacity(tmp_path / "a.png", replace(spec, size=(SIDE, 2 * SIDE), resize="pad"))
    assert (padded[:, SIDE // 2 : -SIDE // 2] == alpha).all()
    assert not padded[:, : SIDE // 2].any()  # what is filled in is no object
    assert opacity(tmp_path / "none.png", spec) is None


def test_the_published_protocol(tmp_path: Path) -> None:
    for i in range(2):
        draw(tmp_path / "k" / "airplane" / f"{i}.png", "red", i)
        draw(tmp_path / "k" / "dog" / f"{i}.png", "green", i)
    spec = PixelSpec((SIDE, SIDE), 3)
    net = Classifier(Sixteen(), classes=imagenet_classes(), pixels=spec)
    other = Classifier(Colour((0, 1)), classes=("airplane", "dog"), pixels=spec)
    found = shape_bias(net, tmp_path / "k", referee=other, out=tmp_path / "s", **QUICK)
    told = json.loads((tmp_path / "s" / "shape.json").read_text())
    assert "16 categories" in told["protocol"]
    assert "16 categories" in found.page.read_text()
    assert {row.decision for row in found.found.trials} <= {"airplane", "dog"}
    assert found.found.stimuli[0].right == 4
    images = np.random.default_rng(0).integers(0, 256, (5, 3, SIDE, SIDE), dtype=np.uint8)
    by_category = namer(net, ("dog", "airplane"), torch.device("cpu")).probabilities(images)
    with torch.no_grad():
        means = categories(net(torch.from_numpy(images) / 255).softmax(1))
    torch.testing.assert_close(by_category, means / means.sum(1, keepdim=True))
