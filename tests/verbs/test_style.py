"""hubel style: its files, going on bit for bit, and the user's mistakes."""

import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import hubel
from hubel.mistakes import Failure, Mistake
from hubel.model import Classifier
from hubel.networks import catalogue
from hubel.pixels import PixelSpec
from hubel.training.initialisation import initialise
from hubel.verbs import style_state, styling
from hubel.verbs.watch import Watch
from tests.conftest import written

FILES = {
    "weight-1.png", "weight-30.png", "grid.png", "curves.png", "style.html", "style.json",
    "state.safetensors",
}  # fmt: skip
QUICK = {"style_weights": (1, 30), "size": 32, "steps": 6}


class At(Watch):
    """Presses Ctrl-C at a step of a style weight; keeps the notices."""

    def __init__(self, detail: str = "", step: int = -1) -> None:
        self.detail, self.step = f"style weight {detail}", step
        self.notices: list[str] = []

    def notice(self, sentence: str) -> None:
        self.notices.append(sentence)

    def progress(self, stage: str, done: int, total: int, detail: str = "") -> None:
        if stage == "paint" and (detail, done) == (self.detail, self.step):
            os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    network = catalogue.build("small", classes=3, channels=3, size=(24, 24))
    initialise(network, "he", seed=0)
    return Classifier(network, classes=("a", "b", "c"), pixels=PixelSpec((24, 24), 3))


@pytest.fixture(scope="module")
def pictures() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    smooth = np.linspace(0, 255, 30 * 20 * 3).reshape(30, 20, 3).astype(np.uint8)
    return smooth, rng.integers(0, 256, (16, 40, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def whole(
    classifier: Classifier, pictures: tuple[np.ndarray, np.ndarray],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:  # fmt: skip
    """What comes of QUICK, uninterrupted."""
    out = tmp_path_factory.mktemp("style") / "whole"
    assert not hubel.style(*pictures, network=classifier, out=out, **QUICK).stopped
    return out


def _same(one: Path, other: Path) -> None:
    assert written(one) == written(other)
    for name in written(one):
        assert (one / name).read_bytes() == (other / name).read_bytes(), name


def test_what_is_written(
    classifier: Classifier, pictures: tuple[np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    modes = [part.training for part in classifier.modules()]
    with torch.no_grad():
        found = hubel.style(*pictures, network=classifier, out=tmp_path / "style", **QUICK)
    assert [part.training for part in classifier.modules()] == modes
    assert written(tmp_path / "style") == FILES
    for weight in (1, 30):
        with Image.open(tmp_path / "style" / f"weight-{weight}.png") as image:
            assert (image.size, image.mode) == ((21, 32), "RGB")  # 20 × 30, the aspect ratio kept
    assert not found.stopped
    assert found.grid == tmp_path / "style" / "grid.png"
    assert dict(found.layers.content) == {"res2": 1}
    assert found.chose == "the last maps of each resolution"
    told = json.loads((tmp_path / "style" / "style.json").read_text())
    assert told["finished"]
    assert told["size"] == [21, 32]
    assert told["style_size"] == [32, 13]
    assert told["network"] == "the network"
    for row, made in zip(told["pictures"], found.pictures, strict=True):
        assert (row["weight"], row["file"], row["steps"]) == (made.weight, made.file.name, 6)
        assert {len(curve) for curve in row["curves"].values()} == {7}
        assert row["curves"]["style"][-1] == row["style"] == made.style
        assert row["curves"]["style"][0] > made.style
    assert found.pictures[1].style < found.pictures[0].style
    assert found.pictures[1].content > found.pictures[0].content
    # another, finished one takes its place, its pictures with it
    again = hubel.style(
        *pictures, network=classifier, out=tmp_path / "style", style_weights=(2.5,), size=24,
        steps=2, start="noise", content_layers=["conv1"], style_layers={"res2": 1, "res3": 3},
    )  # fmt: skip
    assert {path.name for path in (tmp_path / "style").glob("weight*")} == {"weight-2.5.png"}
    assert dict(again.layers.style) == {"res2": 0.25, "res3": 0.75}
    assert again.chose == "as asked"


def test_a_grey_network_gives_grey_pictures(
    pictures: tuple[np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    network = catalogue.build("lenet5", classes=2, channels=1, size=(32, 32))
    classifier = Classifier(network, classes=("a", "b"), pixels=PixelSpec((32, 32), 1))
    found = hubel.style(*pictures, network=classifier, size=48, steps=2, out=tmp_path / "s")
    with Image.open(found.pictures[0].file) as image:
        assert image.mode == "L"


@pytest.mark.slow
@pytest.mark.parametrize(("weight", "step"), [("1", 0), ("1", 3), ("30", 0), ("30", 5)])
def test_interrupted_it_goes_on_bit_for_bit(
    classifier: Classifier, pictures: tuple[np.ndarray, np.ndarray], tmp_path: Path,
    whole: Path, weight: str, step: int,
) -> None:  # fmt: skip
    done = step + 6 * (weight == "30")  # progress is that of all weights
    watch, out = At(weight, done), tmp_path / "style"
    half = hubel.style(*pictures, network=classifier, out=out, watch=watch, **QUICK)
    assert half.stopped
    assert watch.notices == ["Stopping: what there is is being written."]
    told = json.loads((out / "style.json").read_text())
    assert not told["finished"]
    steps = [row["steps"] for row in told["pictures"]]
    assert steps == ([step] if weight == "1" else [6, step])
    assert len(list(out.glob("weight-*.png"))) == len(steps)
    with pytest.raises(Mistake, match=rf"unfinished .*weight {weight}, step {step} of 6\) of .*st"
                       r"art was content, now noise. Go on with the same"):  # fmt: skip
        hubel.style(*pictures, network=classifier, out=out, start="noise", **QUICK)
    assert hubel.style(*pictures, network=classifier, out=out, **QUICK) != half
    _same(whole, out)


class KilledError(BaseException):
    pass


@pytest.mark.parametrize("write", range(9))
def test_killed_at_any_write_nothing_is_lost(
    classifier: Classifier, pictures: tuple[np.ndarray, np.ndarray], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, whole: Path, write: int,
) -> None:  # fmt: skip
    """As kill -9 does it: between two writes; each leaves a folder that can be gone on with."""
    writes, real = 0, styling.Work._write

    def dying(self: styling.Work, name: str, content: bytes) -> None:
        nonlocal writes
        if writes == write:
            raise KilledError
        writes += 1
        real(self, name, content)

    with monkeypatch.context() as patch:
        patch.setattr(styling.Work, "_write", dying)
        with pytest.raises(KilledError):
            hubel.style(*pictures, network=classifier, out=tmp_path / "style", **QUICK)
    kept = style_state.read(tmp_path / "style" / "state.safetensors")
    assert kept is None or not kept.finished
    painted = 0 if kept is None else sum(each.done(6) for each in kept.paintings)
    assert painted == min(write // 2, 2)
    hubel.style(*pictures, network=classifier, out=tmp_path / "style", **QUICK)
    _same(whole, tmp_path / "style")


def test_saved_while_it_is_painted(
    classifier: Classifier, pictures: tuple[np.ndarray, np.ndarray], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, whole: Path,
) -> None:  # fmt: skip
    monkeypatch.setattr(styling, "SAVE_SECONDS", 0)

    class Dying(Watch):
        def progress(self, stage: str, done: int, total: int, detail: str = "") -> None:
            if done == 4:
                raise KilledError

    with pytest.raises(KilledError):
        hubel.style(*pictures, network=classifier, out=tmp_path / "s", watch=Dying(), **QUICK)
    kept = style_state.read(tmp_path / "s" / "state.safetensors")
    assert kept is not None
    assert [each.steps for each in kept.paintings] == [3, 0]
    hubel.style(*pictures, network=classifier, out=tmp_path / "s", **QUICK)
    _same(whole, tmp_path / "s")


@pytest.mark.slow
def test_more_steps_and_weights_are_gone_on_to(
    classifier: Classifier, pictures: tuple[np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    out = tmp_path / "style"
    first = hubel.style(*pictures, network=classifier, out=out, **QUICK)
    before = (out / "weight-30.png").read_bytes()
    more = {"style_weights": (1, 30, 5), "size": 32, "steps": 6, "resume": True}
    found = hubel.style(*pictures, network=classifier, out=out, **more)
    assert [each.weight for each in found.pictures] == [1, 30, 5]
    assert found.pictures[:2] == first.pictures
    assert (out / "weight-30.png").read_bytes() == before
    longer = hubel.style(*pictures, network=classifier, out=out, **(more | {"steps": 9}))
    assert [each.steps for each in longer.pictures] == [9, 9, 9]
    for now, then in zip(longer.pictures, found.pictures, strict=True):
        loss_now, loss_then = (
            each.content + each.weight * each.style + 20 * each.total_variation
            for each in (now, then)
        )
        assert loss_now < loss_then
    for other, message in (
        ({"steps": 3}, "is at step 9 already: ask for more than 3"),
        ({"style_weights": (30,)}, "style weight 1, 5 is not asked for"),
        ({"size": 24}, "size was .*, now"),
        ({"variation_weight": 1.0}, "variation weight was 20.0, now 1.0"),
        ({"content_layers": ["res3"]}, "content layers was res2=1, now res3=1"),
    ):
        with pytest.raises(Mistake, match=message):
            hubel.style(*pictures, network=classifier, out=out, **(more | {"steps": 12} | other))
    with pytest.raises(Mistake, match="another style"):
        hubel.style(pictures[0], pictures[0], network=classifier, out=out, **more)
    with pytest.raises(Mistake, match="no transfer to go on with"):
        hubel.style(*pictures, network=classifier, out=tmp_path / "new", **more)


def test_a_damaged_state_is_named(
    classifier: Classifier, pictures: tuple[np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    out = tmp_path / "style"
    hubel.style(*pictures, network=classifier, out=out, **QUICK)
    whole = (out / "state.safetensors").read_bytes()
    for content in (whole[:-9], b"", b"\x80\x04pickle", whole.replace(b"weights", b"weihgts")):
        (out / "state.safetensors").write_bytes(content)
        with pytest.raises(Failure, match=r"state\.safetensors is damaged"):
            hubel.style(*pictures, network=classifier, out=out, **QUICK)


def test_mistakes(
    classifier: Classifier, pictures: tuple[np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    for options, message in (
        ({"content_layers": ["rse2"]}, "no layer 'rse2'. Did you mean 'res2'"),
        ({"style_layers": ["head"]}, r"head hands on \(1, 3\), not maps"),
        ({"style_layers": {"res2": 0}}, "at least one layer with a weight above 0"),
        ({"style_layers": {"res2": -1}}, "layer's weight is 0 or more, and finite, not -1"),
        ({"style_weights": ()}, "at least one style weight"),
        ({"style_weights": (1, -2)}, "not -2"),
        ({"style_weights": (1, float("nan"))}, "not nan"),
        ({"style_weights": (1, 1.0)}, "found 2 times: 1"),
        ({"size": 4}, "from 16 to 10000 pixels, not 4"),
        ({"steps": 0}, "not 0"),
        ({"start": "contnet"}, "no start 'contnet'. Did you mean 'content'"),
        ({"variation_weight": -1}, "not -1"),
        ({"network": "efficientnet-lite1"}, "Did you mean 'efficientnet-lite0'"),
        ({"network": "linear"}, "no published weights"),
    ):
        with pytest.raises(Mistake, match=message):
            hubel.style(
                *pictures,
                out=tmp_path / "style",
                **({"network": classifier} | QUICK | options),  # type: ignore[arg-type]
            )
    with pytest.raises(Failure, match="no such file"):
        hubel.style(tmp_path / "no.png", pictures[1], network=classifier, out=tmp_path / "style")
    plain = Classifier(
        nn.Sequential(nn.Flatten(), nn.Linear(192, 2)), classes=("a", "b"),
        pixels=PixelSpec((8, 8), 3),
    )  # fmt: skip
    with pytest.raises(Mistake, match="no convolution"):
        hubel.style(*pictures, network=plain, out=tmp_path / "style")
    deep = Classifier(
        nn.Sequential(nn.Conv2d(3, 2, 20), nn.Conv2d(2, 2, 9), nn.Flatten(), nn.Linear(338, 2)),
        classes=("a", "b"),
        pixels=PixelSpec((40, 40), 3),
    )  # fmt: skip
    with pytest.raises(Mistake, match=r"does not take pictures of 21×32 up to these .*larger --si"):
        hubel.style(*pictures, network=deep, out=tmp_path / "style", **QUICK)
    assert not (tmp_path / "style").exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(Mistake, match="holds something that is no style transfer"):
        hubel.style(*pictures, network=classifier, out=tmp_path / "mine", **QUICK)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]
