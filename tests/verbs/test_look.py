"""hubel look: the page, its pictures and numbers, for small networks and the user's mistakes."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import hubel
from hubel.mistakes import Failure, Mistake
from hubel.model import Classifier
from hubel.networks import catalogue
from hubel.pixels import PixelSpec
from hubel.training.initialisation import initialise
from hubel.verbs import looking


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    network = catalogue.build("small", classes=3, channels=3, size=(24, 24))
    initialise(network, "he", seed=0)
    return Classifier(network, classes=("cat", "dog", "owl & co"), pixels=PixelSpec((24, 24), 3))


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (30, 30, 3), dtype=np.uint8)


def test_the_page_holds_everything(
    classifier: Classifier, picture: np.ndarray, tmp_path: Path
) -> None:
    training = [part.training for part in classifier.modules()]
    with torch.no_grad():
        found = hubel.look(classifier, [picture, picture[::-1].copy()], out=tmp_path / "look")
    assert [part.training for part in classifier.modules()] == training
    page = found.page.read_text()
    # the network's filters; and of each picture itself, seven maps, two of a unit, and its maps
    assert page.count("data:image/png") == 1 + 2 * (1 + 7 + 1 + 2 + 1)
    assert "owl &amp; co" in page
    assert "http" not in page.split("</style>")[1]
    names = {path.name for path in (tmp_path / "look").iterdir()}
    assert {"look.html", "look.json", "filters.png", "1-occlusion.png", "2-units.png"} <= names
    assert [each.name for each in found.looks[0].drawings] == [
        "grad-cam", "occlusion", "costliest", "winners", "gradient", "smoothgrad",
        "integrated-gradients", "units", "activity", "projection", "feature-maps",
    ]  # fmt: skip
    assert (
        page.index("<th>Class</th>")
        < page.index(found.looks[0].rests[:14])
        < page.index("Grad-CAM:")
    )
    for name in names:
        if name.endswith(".png"):
            Image.open(tmp_path / "look" / name).verify()
    told = json.loads((tmp_path / "look" / "look.json").read_text())
    first = told["pictures"][0]
    best = hubel.predict(classifier, picture)[0].classes
    assert first["target"] == best[0][0]
    assert [row["name"] for row in first["classes"]] == [name for name, _ in best]
    assert {row["name"] for row in first["trust"]} == {
        "gradient", "SmoothGrad", "integrated gradients", "Grad-CAM", "occlusion"
    }  # fmt: skip
    assert any("multiply-adds" in line for line in first["lines"])


@pytest.mark.slow
def test_what_is_asked_for_is_looked_at(
    classifier: Classifier, picture: np.ndarray, tmp_path: Path
) -> None:
    layer = next(
        name for name, part in classifier.network.named_modules() if isinstance(part, nn.ReLU)
    )
    found = hubel.look(
        classifier, picture, target="dog", layer=layer, unit=1, square=6, stride=6, fill="blur",
        trust=False, out=tmp_path / "look",
    )  # fmt: skip
    [look] = found.looks
    assert look.target == "dog"
    assert not look.trust
    assert f"What unit 1 of {layer} answers to" in [part.title for part in look.parts]
    assert f"Grad-CAM and units are those of the layer {layer}" in found.page.read_text()
    again = hubel.look(classifier, picture, target="1", trust=False, out=tmp_path / "look")
    assert again.looks[0].target == "dog"
    assert f"of the layer {layer}" not in again.page.read_text()


def test_a_picture_that_cannot_be_read_is_named(
    classifier: Classifier, picture: np.ndarray, tmp_path: Path
) -> None:
    found = hubel.look(classifier, [b"no picture", picture], trust=False, out=tmp_path / "look")
    assert [name for name, _ in found.unreadable] == ["picture 1"]
    assert len(found.looks) == 1
    with pytest.raises(Failure, match="No picture can be read: picture 1"):
        hubel.look(classifier, [b"no picture"], out=tmp_path / "other")
    assert not (tmp_path / "other").exists()


class NoMaps(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.score = nn.Linear(3 * 8 * 8, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.score(x.flatten(1))


def test_mistakes(classifier: Classifier, picture: np.ndarray, tmp_path: Path) -> None:
    for options, message in (
        ({"target": "dgo"}, "no class 'dgo'. Did you mean 'dog'"),
        ({"target": 3}, "no class 3: they are 0 to 2"),
        ({"layer": "conv99"}, "no layer 'conv99'"),
        ({"square": 25}, "A square of 25 pixels does not fit a picture of 24×24"),
        ({"unit": 10_000}, "has no unit 10000"),
        ({"fill": "black"}, "no fill 'black'"),
    ):
        with pytest.raises(Mistake, match=message):
            hubel.look(classifier, picture, trust=False, out=tmp_path / "look", **options)  # type: ignore[arg-type]
    assert not (tmp_path / "look").exists()
    plain = Classifier(NoMaps(), classes=("a", "b"), pixels=PixelSpec((8, 8), 3))
    with pytest.raises(Mistake, match="no convolution"):
        hubel.look(plain, picture, out=tmp_path / "look")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(Mistake, match="holds something that is no look"):
        hubel.look(classifier, picture, out=tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"
    broken = catalogue.build("small", classes=2, channels=3, size=(24, 24))
    nn.init.constant_(next(broken.parameters()), torch.nan)
    bad = Classifier(broken, classes=("a", "b"), pixels=PixelSpec((24, 24), 3))
    with pytest.raises(Failure, match="not finite"):
        hubel.look(bad, picture, out=tmp_path / "look")


def test_units_that_tie_are_told_apart() -> None:
    maps = torch.zeros(5, 2, 2)
    maps[1, 0, 0] = maps[2, 0, 0] = maps[4, 1, 1] = 6  # a ceiling
    maps[2, 1, 1], maps[4, 0], maps[0, 0, 0] = 5, 1, 3
    order, tied = looking.ranked(maps)
    assert (order, tied) == ([2, 4, 1, 0, 3], 3)
    assert looking.ranked(maps[[0, 3]]) == ([0, 1], 1)


@pytest.mark.slow
def test_a_tie_is_said(tmp_path: Path) -> None:
    network = nn.Sequential(
        nn.Conv2d(3, 8, 1), nn.ReLU6(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2)
    )
    nn.init.constant_(network[0].bias, 9.0)  # all of them at the ceiling
    nn.init.zeros_(network[0].weight)
    model = Classifier(network, classes=("a", "b"), pixels=PixelSpec((16, 16), 3)).eval()
    picture = np.full((16, 16, 3), 128, np.uint8)
    found = hubel.look(model, picture, layer="1", trust=False, out=tmp_path / "look")
    [units] = [each for each in found.looks[0].drawings if each.name == "units"]
    assert "8 of 8 units reach 6, the most that any does: of these" in units.caption


def test_a_projection_is_cut_to_what_holds_it() -> None:
    signed = np.zeros((40, 80, 3), np.float32)
    assert looking._box(signed) == (0, 0, 40, 80)  # nothing: all of it
    signed[30:34, 2:52, 1] = -1
    assert looking._box(signed) == (27, 3, 37, 51)  # a fortieth at each end is left out
    signed[:] = 0
    signed[39, 79] = 1  # in the corner: a quarter of the sides
    assert looking._box(signed) == (30, 60, 40, 80)


def _convolutions(pool: nn.Module) -> Classifier:
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3), pool, nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2),
    )  # fmt: skip
    return Classifier(network, classes=("a", "b"), pixels=PixelSpec((16, 16), 3)).eval()


@pytest.mark.parametrize(("pool", "shown"), [(nn.MaxPool2d(2), True), (nn.AvgPool2d(2), False)])
def test_a_deconvnet_that_does_not_see_the_picture_is_not_shown(
    pool: nn.Module, shown: bool, picture: np.ndarray, tmp_path: Path
) -> None:
    found = hubel.look(_convolutions(pool), picture, layer="4", trust=False, out=tmp_path / "look")
    [units] = [each for each in found.looks[0].drawings if each.name == "units"]
    assert ("by a deconvnet" in units.caption) is shown
    assert ("it would show the same of any picture" in units.caption) is not shown
    assert "by guided backpropagation" in units.caption
