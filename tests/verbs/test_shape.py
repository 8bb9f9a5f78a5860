"""hubel break --by shape: page, images and numbers for small networks; stopping; mistakes."""

import json
import os
import signal
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from hubel.breaking.cue_conflict import METHODS, Method
from hubel.data.sources import open_whole
from hubel.mistakes import Failure, Mistake
from hubel.model import Classifier
from hubel.pixels import PixelSpec
from hubel.training.evaluate import wilson
from hubel.verbs import shape, shape_sources
from hubel.verbs.shape import shape_bias
from hubel.verbs.watch import Watch
from tests.conftest import written

COLOURS = {"blue": 2, "green": 1, "red": 0}
SIDE = 32
QUICK = {"method": "patch", "pairs": 12}
FILES = {"shape.html", "shape.json", "accuracy.png", "stimuli.png", "bias.png", "conflicts.png",
         "demonstration.png", "conflicts"}  # fmt: skip


class Colour(nn.Module):
    """Names pictures by their mean colour, so by what their surface is like; `kinds` channels."""

    def __init__(self, kinds: tuple[int, ...], sharp: float = 8.0) -> None:
        super().__init__()
        self.kinds: torch.Tensor
        self.register_buffer("kinds", torch.tensor(kinds))
        self.sharp = nn.Parameter(torch.tensor(sharp))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.sharp * x.mean((2, 3))[:, self.kinds]


def colour(classes: tuple[str, ...] = tuple(COLOURS), sharp: float = 8.0) -> Classifier:
    kinds = tuple(COLOURS[name] for name in classes)
    spec = PixelSpec((SIDE, SIDE), 3, background=1.0)
    return Classifier(Colour(kinds, sharp), classes=classes, pixels=spec).eval()


def draw(path: Path, name: str, i: int, alpha: bool = True) -> None:
    """A disc or a bar of a colour, speckled, cut out."""
    rng = np.random.default_rng(i)
    rows, columns = np.mgrid[:SIDE, :SIDE] - SIDE / 2 + 0.5
    inside = rows**2 + columns**2 < (9 + i % 3) ** 2 if i % 2 else abs(rows) < 8
    inside &= abs(columns) < 14
    picture = np.full((SIDE, SIDE, 4), 255, np.uint8)
    picture[..., :3] = rng.integers(0, 90, (SIDE, SIDE, 3))
    picture[..., COLOURS[name]] = 240
    picture[..., 3] = 255 * inside
    if not alpha:
        picture[~inside] = 255
        picture = picture[..., :3]
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    root = tmp_path / "things"
    for name in COLOURS:
        for i in range(3):
            draw(root / name / f"{i}.png", name, i, alpha=i != 2)
    return root


class Heard(Watch):
    """Keeps the notices; presses Ctrl-C when so many images are there."""

    def __init__(self, stop: int = -1) -> None:
        self.stop, self.notices, self.made = stop, [], 0

    def notice(self, sentence: str) -> None:
        self.notices.append(sentence)

    def progress(self, stage: str, done: int, total: int, detail: str = "") -> None:
        if stage == "paint" and done:
            self.made = done
            if done == self.stop:
                os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.slow
def test_a_network_of_colours_goes_by_texture(data: Path, tmp_path: Path) -> None:
    model, watch = colour(), Heard()
    found = shape_bias(
        model, data, referee=colour(sharp=5.0), out=tmp_path / "s", watch=watch, **QUICK
    )
    assert written(tmp_path / "s") == FILES
    assert watch.notices == []
    assert not found.stopped
    overall = found.found.overall
    assert (overall.shape, overall.texture, overall.other) == (0, 12, 0)
    assert overall.value == 0
    assert overall.interval[0] == 0 < overall.interval[1] < 0.4
    by_name = {row.name: row for row in found.found.stimuli}
    assert (by_name["original"].right, by_name["original"].n) == (9, 9)
    assert by_name["texture"].accuracy == 1
    assert by_name["silhouette"].accuracy == by_name["edges"].accuracy == 1 / 3  # chance
    told = json.loads((tmp_path / "s" / "shape.json").read_text())
    assert told["finished"]
    assert told["shape_bias"]["value"] == 0
    assert told["published"]["people (by category)"] == 0.959
    assert len(told["trials"]) == 12
    for row in told["trials"]:
        assert row["cue"] == "texture"
        assert row["decision"] == row["texture_class"] != row["shape_class"]
        with Image.open(tmp_path / "s" / "conflicts" / row["file"]) as image:
            assert (image.size, image.mode) == ((SIDE, SIDE), "RGB")
            pixels = torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1)[None] / 255
        probability = model.probabilities(pixels)[0].max()
        assert float(probability) == pytest.approx(row["probability"], abs=1e-5)
    page = found.page.read_text()
    assert page.count("data:image/png") == 5
    assert "goes more by the texture." in page
    assert "by guessing" not in page
    assert "http" not in page.split("</style>")[1]


@pytest.mark.slow
def test_stopped_it_goes_on_and_images_are_used_again(data: Path, tmp_path: Path) -> None:
    out, settings = tmp_path / "s", QUICK | {"referee": colour(sharp=5.0), "pairs": 6}
    whole = shape_bias(colour(), data, out=tmp_path / "whole", **settings)
    watch = Heard(stop=4)
    half = shape_bias(colour(), data, out=out, watch=watch, **settings)
    assert half.stopped
    assert half.found.overall.texture == 4
    assert watch.notices == ["Stopping: what there is is being written."]
    assert not json.loads((out / "shape.json").read_text())["finished"]
    files = sorted((out / "conflicts").iterdir())
    assert len(files) == 4
    before = {file: file.stat().st_mtime_ns for file in files}
    files[0].write_bytes(b"no picture")  # damaged, or somebody else's
    with pytest.raises(Failure, match="was changed since hubel wrote it, and is left alone"):
        shape_bias(colour(), data, out=out, **settings)
    files[0].unlink()  # it is made again
    watch = Heard()
    again = shape_bias(
        colour(sharp=3.0), data, out=out, watch=watch, **settings
    )  # another model, too
    assert watch.notices == ["3 of 6 images are there already."]
    assert not again.stopped
    assert [row.file for row in again.found.trials] == [row.file for row in whole.found.trials]
    for file in (tmp_path / "whole" / "conflicts").iterdir():
        assert (out / "conflicts" / file.name).read_bytes() == file.read_bytes()
    assert all(file.stat().st_mtime_ns == before[file] for file in files[1:])
    # another seed, other images: the earlier ones are gone
    shape_bias(colour(), data, out=out, seed=1, **settings)
    assert len(list((out / "conflicts").iterdir())) == 6
    assert not any(file.exists() for file in files)


class Clock:
    """Seconds that are counted: so many pass each time that the time is asked."""

    def __init__(self, step: float) -> None:
        self.now, self.step = 0.0, step

    def __call__(self) -> float:
        self.now += self.step
        return self.now


@pytest.fixture
def pasting(monkeypatch: pytest.MonkeyPatch) -> None:
    """A method that takes no time, and ten seconds by the clock."""
    monkeypatch.setattr(shape, "time", SimpleNamespace(monotonic=Clock(10.0)))
    paste = Method(lambda content, texture, painting, seed: (content + texture) / 2, "-", False)
    monkeypatch.setitem(METHODS, "patch", paste)  # type: ignore[arg-type]


@pytest.mark.usefixtures("pasting")
def test_the_minutes_pay_for_so_many_images(data: Path, tmp_path: Path) -> None:
    how = {"method": "patch", "referee": colour(sharp=5.0)}
    watch = Heard()
    found = shape_bias(colour(), data, minutes=3.6, out=tmp_path / "a", watch=watch, **how)
    # of 216 s 186 are left: three images of each of six pairs of classes, of 10 s
    assert len(found.found.trials) == 18
    assert watch.notices == [
        "Made are 18 of 36 images: that is about 3 min of work, of --minutes 3.6."
    ]
    assert watch.notices[0] in found.page.read_text()
    least = shape_bias(colour(), data, minutes=0.1, out=tmp_path / "b", **how)
    assert len(least.found.trials) == 12
    asked = shape_bias(colour(), data, minutes=0.1, pairs=24, out=tmp_path / "c", **how)
    assert len(asked.found.trials) == 24
    with pytest.raises(Mistake, match="--minutes is above 0"):
        shape_bias(colour(), data, minutes=0, out=tmp_path / "d", **how)


@pytest.mark.usefixtures("pasting")
def test_what_goes_on_has_as_many_images_as_it_was_to_have(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    how = {"method": "patch", "referee": colour(sharp=5.0), "out": tmp_path / "a"}
    assert shape_bias(colour(), data, minutes=4.6, watch=Heard(stop=5), **how).stopped
    monkeypatch.setattr(shape, "time", SimpleNamespace(monotonic=Clock(1000.0)))  # a slower machine
    watch = Heard()
    found = shape_bias(colour(), data, watch=watch, **how)
    assert not found.stopped
    assert len(found.found.trials) == 24
    assert watch.notices == ["5 of 24 images are there already."]


def test_without_a_referee_there_is_no_figure(data: Path, tmp_path: Path) -> None:
    watch = Heard()
    found = shape_bias(colour(), data, out=tmp_path / "s", watch=watch, **QUICK)
    assert watch.notices == [
        "There is no shape bias: no other network was named to vouch for its two pictures."
    ]
    assert found.found.overall.value is None
    assert "12 by the texture" in found.found.why_none
    assert {row.excluded for row in found.found.trials} == {
        "no other network was named to vouch for its two pictures"
    }
    assert not (tmp_path / "s" / "bias.png").exists()
    assert found.found.why_none in found.page.read_text()


@pytest.mark.slow
def test_a_referee_that_knows_some(data: Path, tmp_path: Path) -> None:
    watch = Heard()
    found = shape_bias(
        colour(), data, referee=colour(("blue", "red")), out=tmp_path / "s", watch=watch, **QUICK
    )
    assert watch.notices == [
        "Of green the referee names no picture rightly that the network does: images with it do "
        "not count."
    ]
    for row in found.found.trials:
        role = "shape" if row.shape_class == "green" else "texture"
        out = "green" in (row.shape_class, row.texture_class)
        reason = f"of the {role}'s picture: the referee does not know its class"
        assert row.excluded == (reason if out else "")
    assert found.found.overall.texture == 4  # of twelve: blue in red and red in blue
    assert "8 of 12 images do not count" in found.page.read_text()
    assert len(found.found.passed_over) == 3
    strange = Classifier(Colour((0, 1)), classes=("x", "y"), pixels=colour().pixels)
    none = shape_bias(colour(), data, referee=strange, out=tmp_path / "t", **QUICK)
    assert none.found.overall.value is None
    assert "no image counts" in none.found.why_none


def test_classes_that_it_cannot_name_are_named(data: Path, tmp_path: Path) -> None:
    wrong = Classifier(Colour((2, 0, 0)), classes=("blue", "green", "red"), pixels=colour().pixels)
    watch = Heard()
    found = shape_bias(wrong, data, referee=colour(), out=tmp_path / "s", watch=watch, **QUICK)
    assert watch.notices == [
        "There are no cue conflicts with red: the network names no picture of this class rightly.",
        "Of 12 images 6 are made: so many the pictures allow, balanced over 2 classes.",
    ]
    assert found.found.stimuli[0].right == 4  # of green, it names one rightly
    assert {row.texture_class for row in found.found.trials} == {"blue", "green"}
    passed = dict(found.found.passed_over)
    assert len(passed) == 5
    assert set(passed.values()) == {"it is named green", "it is named blue"}
    blind = Classifier(Colour((2, 2, 2)), classes=("blue", "green", "red"), pixels=colour().pixels)
    watch = Heard()
    found = shape_bias(blind, data, out=tmp_path / "t", watch=watch, **QUICK)
    assert watch.notices[-1].startswith("A cue conflict takes two classes that the network can")
    assert found.found.overall is None
    files = {"shape.html", "shape.json", "accuracy.png", "stimuli.png"}
    assert written(tmp_path / "t") == files
    none = Classifier(Colour((0, 2, 1)), classes=("blue", "green", "red"), pixels=colour().pixels)
    with pytest.raises(Failure, match="names none of these 9 pictures rightly"):
        shape_bias(none, data, out=tmp_path / "u", **QUICK)


def test_two_classes_and_one_picture_each(tmp_path: Path) -> None:
    for name in ("blue", "red"):
        draw(tmp_path / "two" / name / "0.png", name, 0)
    two, watch = ("blue", "red"), Heard()
    found = shape_bias(
        colour(two), tmp_path / "two", referee=colour(two, 5.0), out=tmp_path / "s", watch=watch,
        **QUICK,
    )  # fmt: skip
    assert "Of 12 images 2 are made" in watch.notices[0]
    assert found.found.overall.texture == 2
    assert found.found.overall.interval == wilson(0, 2)  # alike, of two pictures in each role
    assert [row.interval for row in found.found.classes] == [None, None]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"method": "pach"}, "no method 'pach'. Did you mean 'patch'"),
        ({"pairs": 0}, "--pairs is 1 or more images, not 0"),
        ({"steps": 0}, "--steps is 1 or more, not 0"),
        ({"images": 1}, "--images is 2 or more, not 1"),
        ({"split": "tset"}, "--split is train"),
        ({"referee": colour()}, "The referee is the model itself"),
    ],
)
def test_refuses(data: Path, tmp_path: Path, settings: dict, said: str) -> None:
    with pytest.raises(Mistake, match=said):
        shape_bias(colour(), data, out=tmp_path / "s", **(QUICK | settings))
    assert not (tmp_path / "s").exists()


def test_refuses_other_data_and_folders(data: Path, tmp_path: Path) -> None:
    draw(tmp_path / "one" / "red" / "0.png", "red", 0)
    with pytest.raises(Failure, match="has one class only, 'red'"):
        shape_bias(colour(), tmp_path / "one", out=tmp_path / "s", **QUICK)
    with pytest.raises(Mistake, match="classes that the model does not know: green"):
        shape_bias(colour(("blue", "red")), data, out=tmp_path / "s", **QUICK)
    with pytest.raises(Mistake, match=r"lies in .*things, where the test of shape"):
        shape_bias(colour(), data, out=data, **QUICK)


def test_a_split_of_one_class(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, _ = open_whole(str(data))
    one = whole.subset(np.flatnonzero(whole.labels == 1))
    monkeypatch.setattr(shape_sources, "samples_of", lambda *_: (None, one, "test"))
    with pytest.raises(Mistake, match="these pictures are all of 'green'"):
        shape_bias(colour(), data, out=tmp_path / "s", **QUICK)


def test_at_most_so_many_of_all_classes_alike(data: Path, tmp_path: Path) -> None:
    found = shape_bias(colour(), data, images=6, out=tmp_path / "s", **QUICK)
    assert found.found.stimuli[0].n == 6
    told = json.loads((tmp_path / "s" / "shape.json").read_text())
    assert (told["pictures"], told["of"]) == (6, 9)


def test_it_says_when_the_cues_are_not_seen(data: Path, tmp_path: Path) -> None:
    # it takes pictures without a white ground for red, and what is made of two of them has none
    class Dark(Colour):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            white = (x.amin(1) > 0.9).double().mean((1, 2)).float()
            return super().forward(x) + torch.stack(
                [0 * white, 0 * white, 50 * (0.2 - white)], 1
            ).clamp_min(0)

    net = Classifier(Dark((2, 1, 0)), classes=tuple(COLOURS), pixels=colour().pixels)
    found = shape_bias(net, data, referee=colour(sharp=5.0), out=tmp_path / "s", **QUICK)
    cues = [row.cue for row in found.found.trials]
    assert 0 < cues.count("other") < 6
    assert "by guessing it would name one of both in 67" in found.page.read_text()
