"""Ready-made cue conflicts: a folder whose file names say which shape and which texture."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import hubel
from hubel.breaking.shape_bias import PUBLISHED
from hubel.mistakes import Mistake
from hubel.model import Classifier
from hubel.networks.weights import imagenet_classes
from hubel.pixels import PixelSpec
from hubel.verbs.shape_ready import stimuli

SIDE = 8
COLOURS = {"red": 0, "green": 1, "blue": 2}


class Colour(nn.Module):
    """Names a picture by the colour that it has most of."""

    def __init__(self, places: tuple[int, ...]) -> None:
        super().__init__()
        self.places = places

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits = x.new_zeros(len(x), len(self.places))
        for k, channel in enumerate(self.places):
            logits[:, k] = 9 * x[:, channel].mean((1, 2)) if channel >= 0 else -9.0
        return logits


def colours() -> Classifier:
    spec = PixelSpec((SIDE, SIDE), 3)
    return Classifier(Colour(tuple(COLOURS.values())), classes=tuple(COLOURS), pixels=spec).eval()


def draw(path: Path, colour: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full((SIDE, SIDE, 3), 20, np.uint8)
    pixels[..., COLOURS[colour]] = 230
    Image.fromarray(pixels).save(path)


# shape, texture, and the colour that the picture is of: by its texture, its shape, or neither
IMAGES = [
    ("red1", "blue2", "blue"), ("red1", "green1", "green"), ("red2", "blue1", "red"),
    ("green1", "blue3", "blue"), ("green2", "red3", "blue"), ("blue1", "red1", "red"),
    ("blue2", "blue3", "blue"),
]  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for shape, texture, colour in IMAGES:
        draw(tmp_path / "stimuli" / shape[:-1] / f"{shape}-{texture}.png", colour)
    return tmp_path / "stimuli"


def test_the_bias_is_what_the_names_say(folder: Path, tmp_path: Path) -> None:
    found = hubel.shape_bias(colours(), folder, out=tmp_path / "out")
    told = json.loads((tmp_path / "out" / "shape.json").read_text())
    # a slow second implementation, from the names and the colours alone
    counts = {"shape": 0, "texture": 0, "other": 0}
    for shape, texture, colour in IMAGES:
        kinds = shape[:-1], texture[:-1]
        if kinds[0] != kinds[1]:
            cue = "shape" if colour == kinds[0] else "texture" if colour == kinds[1] else "other"
            counts[cue] += 1
    bias = told["shape_bias"]
    assert {name: bias[name] for name in counts} == counts == {"shape": 1, "texture": 4, "other": 1}
    assert bias["value"] == pytest.approx(1 / 5)
    assert "a shape bias of 20.0 %" in found.lead
    assert [name for name, _ in told["passed_over"]] == [str(folder / "blue" / "blue2-blue3.png")]
    assert told["stimuli"] == []
    assert (told["pictures"], told["of"]) == (6, 7)
    page = found.page.read_text()
    assert "Five stimuli" not in page
    assert "the first part of a name is the shape" in page
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "shape.html", "shape.json", "bias.png", "conflicts.png", "hubel-files.jsonl", "lock"
    }  # fmt: skip


def test_at_most_so_many_are_drawn(folder: Path, tmp_path: Path) -> None:
    found = hubel.shape_bias(colours(), folder, images=3, out=tmp_path / "out")
    assert len(found.found.trials) == 3


def test_folders_say_which_part_is_the_shape(folder: Path, tmp_path: Path) -> None:
    for shape, texture, colour in IMAGES:
        draw(tmp_path / "turned" / shape[:-1] / f"{texture}-{shape}.png", colour)
    here, turned = stimuli(folder), stimuli(tmp_path / "turned")
    assert here is not None
    assert turned is not None
    assert sorted(zip(turned.shapes, turned.textures, strict=True)) == sorted(
        zip(here.shapes, here.textures, strict=True)
    )
    for path in folder.rglob("*.png"):  # without folders the order is the published one
        path.rename(folder / path.name)
    flat = stimuli(folder)
    assert flat is not None
    assert set(flat.shapes) == set(here.shapes)


def test_the_published_protocol(tmp_path: Path) -> None:
    """ImageNet's 1,000 classes are asked for the 16 categories, by the mean of probabilities."""
    names = imagenet_classes()
    places = [-1] * len(names)
    places[404], places[444], places[671] = 0, 1, 1  # airliner; two kinds of bicycle
    model = Classifier(Colour(tuple(places)), classes=names, pixels=PixelSpec((SIDE, SIDE), 3))
    draw(tmp_path / "s" / "airplane" / "airplane1-bicycle2.png", "green")
    draw(tmp_path / "s" / "bicycle" / "bicycle1-airplane2.png", "green")
    found = hubel.shape_bias(model.eval(), tmp_path / "s", out=tmp_path / "out")
    assert [row.decision for row in found.found.trials] == ["bicycle", "bicycle"]
    assert "the 16 categories" in found.page.read_text()
    assert found.found.overall is not None
    assert found.found.overall.value == 0.5


def test_other_folders_are_photographs(tmp_path: Path) -> None:
    for i in range(3):
        draw(tmp_path / "red" / f"photo-{i}.png", "red")
        draw(tmp_path / "blue" / f"img{i}-b{i}.png", "blue")
    assert stimuli(tmp_path) is None
    assert stimuli(None) is None
    assert stimuli("digits") is None


def test_names_that_the_model_does_not_know_are_told(folder: Path, tmp_path: Path) -> None:
    draw(folder / "owl" / "owl1-red2.png", "red")
    with pytest.raises(Mistake, match="classes that the model does not know: owl"):
        hubel.shape_bias(colours(), folder, out=tmp_path / "out")


def test_a_picture_that_is_called_otherwise_is_named(folder: Path, tmp_path: Path) -> None:
    draw(folder / "red" / "readme.png", "red")
    found = hubel.shape_bias(colours(), folder, out=tmp_path / "out").found
    assert ("red/readme.png", "it is not called after a shape and a texture") in found.passed_over
    assert any("1 pictures are called otherwise" in note for note in found.notes)


@pytest.mark.parametrize("given", [{"referee": "a"}, {"split": "test"}])
def test_what_means_nothing_here(given: dict, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(Mistake, match="ready-made"):
        hubel.shape_bias(colours(), folder, out=tmp_path / "out", **given)


def test_every_published_figure_names_its_way_of_adding_up() -> None:
    by_category = {value for name, value in PUBLISHED.items() if name.endswith("(by category)")}
    assert by_category == {0.221, 0.959}
    assert {value for name, value in PUBLISHED.items() if name.endswith("(mean)")} == {
        0.214, 0.347, 0.814
    }  # fmt: skip
