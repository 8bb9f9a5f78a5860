"""hubel's fooling images: the files, going on bit for bit, and the user's mistakes."""

import json
import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hubel.mistakes import Failure, Mistake
from hubel.model import Classifier, evaluating
from hubel.networks import catalogue
from hubel.pixels import PixelSpec
from hubel.training.initialisation import initialise
from hubel.verbs import fool as module
from hubel.verbs.fool import fool
from hubel.verbs.watch import Watch
from tests.conftest import written

QUICK = {"evaluations": 40, "offspring": 10}
WAYS = ("cppn", "direct", "gradient")


class At(Watch):
    """Presses Ctrl-C when a way has come so far; keeps the notices."""

    def __init__(self, way: str = "", done: int = -1) -> None:
        self.way, self.done = way, done
        self.notices: list[str] = []

    def notice(self, sentence: str) -> None:
        self.notices.append(sentence)

    def progress(self, stage: str, done: int, total: int, detail: str = "") -> None:
        assert stage == "fool"
        assert 0 < done <= total
        if (detail, done) == (self.way, self.done):
            os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    network = catalogue.build("small", classes=4, channels=3, size=(12, 12))
    initialise(network, "he", seed=0)
    return Classifier(network, classes=("a", "b", "c", "d"), pixels=PixelSpec((12, 12), 3))


@pytest.fixture(scope="module")
def whole(classifier: Classifier, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What comes of QUICK, uninterrupted."""
    out = tmp_path_factory.mktemp("fooling") / "whole"
    assert not fool(classifier, out=out, **QUICK).stopped
    return out


def _same(one: Path, other: Path) -> None:
    assert written(one) == written(other)
    for name in written(one):
        assert (one / name).read_bytes() == (other / name).read_bytes(), name


def test_what_is_written(classifier: Classifier, tmp_path: Path) -> None:
    found = fool(classifier, out=tmp_path / "f", **QUICK)
    told = json.loads((tmp_path / "f" / "fooling.json").read_text())
    assert told["finished"]
    assert not found.stopped
    files = {"fooling.html", "fooling.json", "curves.png", "state.safetensors"}
    files |= {f"{way}.png" for way in WAYS}
    for gallery, row in zip(found.galleries, told["ways"], strict=True):
        assert row["way"] == gallery.way
        assert row["evaluations"] == (gallery.evaluations if gallery.way == "gradient" else 40)
        for each in row["classes"]:
            files.add(each["file"])
            with Image.open(tmp_path / "f" / each["file"]) as image:
                pixels = classifier.read(image)
            with evaluating(classifier) as own:  # the file alone makes it as sure as is said
                share = own(pixels[None]).softmax(1)[0, each["class"]]
            assert float(share) == pytest.approx(each["confidence"], rel=1e-5)
        confidences = [each["confidence"] for each in row["classes"]]
        assert row["median"] == pytest.approx(np.median(confidences))
        assert row["at_99_percent"] == sum(each >= 0.99 for each in confidences)
    assert written(tmp_path / "f") == files
    assert found.as_json()["ways"][0]["way"] == "cppn"
    json.dumps(found.as_json())
    # another, finished one takes its place
    again = fool(classifier, out=tmp_path / "f", encodings=["direct"], classes=["c", 0], **QUICK)
    assert again.galleries[0].names == ("c", "a")
    assert {path.name for path in (tmp_path / "f").glob("*-0*.png")} == {
        "direct-0002.png", "direct-0000.png"
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("way", "done"), [("cppn", 10), ("direct", 30)])
def test_interrupted_it_goes_on_bit_for_bit(
    classifier: Classifier, tmp_path: Path, whole: Path, way: str, done: int
) -> None:
    watch, out = At(way, done), tmp_path / "f"
    half = fool(classifier, out=out, watch=watch, **QUICK)
    assert half.stopped
    assert watch.notices == ["Stopping: what there is is being written."]
    assert not json.loads((out / "fooling.json").read_text())["finished"]
    assert half.galleries[-1].way == way
    assert half.galleries[-1].evaluations == done
    with pytest.raises(Mistake, match=r"an unfinished search of other settings: seed was 0, now 1"):
        fool(classifier, out=out, seed=1, **QUICK)
    watch = At()
    assert not fool(classifier, out=out, watch=watch, **QUICK).stopped
    assert watch.notices == [f"Going on at evaluation {done:,} of {way}."]
    _same(whole, out)


@pytest.mark.slow
def test_more_evaluations_and_ways_are_those_of_a_longer_search(
    classifier: Classifier, tmp_path: Path, whole: Path
) -> None:
    out = tmp_path / "f"
    fool(classifier, out=out, encodings=["direct"], evaluations=20, offspring=10)
    fool(classifier, out=out, encodings=WAYS, resume=True, **QUICK)
    _same(whole, out)
    for settings, message in (
        ({"evaluations": 30}, "at 40 evaluations already"),
        ({"encodings": ["cppn"]}, "direct, gradient is not asked for"),
        ({"classes": [1]}, r"classes was \[0, 1, 2, 3\], now \[1\]"),
        ({"offspring": 20}, "offspring was 10, now 20"),
    ):
        with pytest.raises(Mistake, match=message):
            fool(classifier, out=out, resume=True, **(QUICK | settings))
    with pytest.raises(Mistake, match="no search to go on with"):
        fool(classifier, out=tmp_path / "new", resume=True, **QUICK)


def test_a_damaged_state_is_named(classifier: Classifier, tmp_path: Path, whole: Path) -> None:
    out = tmp_path / "f"
    shutil.copytree(whole, out)
    state = (whole / "state.safetensors").read_bytes()
    for content in (state[:-9], b"", b"\x80\x04pickle", state.replace(b'\\"ways', b'\\"wasy')):
        (out / "state.safetensors").write_bytes(content)
        with pytest.raises(Failure, match=r"state\.safetensors is damaged"):
            fool(classifier, out=out, **QUICK)


def test_mistakes(classifier: Classifier, tmp_path: Path) -> None:
    for settings, message in (
        ({"encodings": []}, "at least one way"),
        ({"encodings": ["drect"]}, "no way of fooling 'drect'. Did you mean 'direct'"),
        ({"encodings": ["cppn", "cppn"]}, "once"),
        ({"classes": ["e"]}, "no class 'e'"),
        ({"classes": [4]}, "There is no class 4: they are 0 to 3"),
        ({"classes": []}, "at least one class"),
        ({"classes": ["a", 0]}, "once"),
        ({"evaluations": 0}, "--evaluations is 1 or more, not 0"),
        ({"offspring": 0}, "--offspring is 1 or more, not 0"),
    ):
        with pytest.raises(Mistake, match=message):
            fool(classifier, out=tmp_path / "f", **(QUICK | settings))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(Mistake, match="holds something that is no search for fooling images"):
        fool(classifier, out=tmp_path / "mine", **QUICK)
    assert not (tmp_path / "f").exists()


def test_it_ends_when_every_class_has_what_is_wanted(
    classifier: Classifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FOR_SMALL", 1_000)
    sure = Classifier(classifier.network, classes=classifier.classes, pixels=classifier.pixels)
    sure.temperature = 1e-4  # whatever it names, it is sure of
    watch = At()
    found = fool(sure, encodings=["direct"], offspring=10, out=tmp_path / "one", watch=watch)
    assert not found.stopped
    (made,) = found.galleries
    assert made.evaluations < 1_000
    assert made.least >= 0.99 or "changed nothing" in watch.notices[-1]
    assert any(f"direct ends after {made.evaluations:,} images" in each for each in watch.notices)
    again = At()
    fool(sure, encodings=["direct"], offspring=10, out=tmp_path / "one", watch=again)
    assert not any("Going on" in each for each in again.notices)  # it was finished


def test_so_many_as_were_asked_for_are_searched(classifier: Classifier, tmp_path: Path) -> None:
    classifier = Classifier(
        classifier.network, classes=classifier.classes, pixels=classifier.pixels
    )
    classifier.temperature = 1e-4
    found = fool(classifier, encodings=["direct"], out=tmp_path / "one", **QUICK)
    assert [each.evaluations for each in found.galleries] == [40]
