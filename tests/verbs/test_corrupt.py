"""hubel.verbs.corrupt: its page and record, the reference, the saved sets, and what is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import hubel
from hubel.mistakes import Failure, Mistake
from hubel.model import Classifier
from hubel.pixels import PixelSpec
from hubel.verbs import corrupt as corrupt_module
from hubel.verbs import corrupting
from hubel.verbs.corrupt import corrupt
from hubel.verbs.watch import Watch
from tests.conftest import Heard, written

CLASSES = ("dark", "grey", "light")
SOME = ["brightness", "snow", "rotate"]


class ByLight(nn.Module):
    """Names a picture by its mean brightness: right on the fixture's folder."""

    def __init__(self, shift: float = 0.0) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.tensor(shift))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        levels = torch.tensor([40.0, 125.0, 210.0]) / 255
        mean = x.mean((1, 2, 3), keepdim=False)[:, None] / 2 + 0.5 + self.shift
        return -(mean - levels).square()


def by_light(shift: float = 0.0, size: int = 12) -> Classifier:
    return Classifier(ByLight(shift), classes=CLASSES, pixels=PixelSpec((size, size), 3))


def test_the_page_and_the_record(folder: Path, tmp_path: Path) -> None:
    found = corrupt(by_light(), folder, corruptions=SOME, severities=(1, 5), out=tmp_path / "out")
    told = json.loads((tmp_path / "out" / "corruptions.json").read_text())
    assert told["clean"] == {
        "part": 0, "of": 30, "share": 0.0, "interval": told["clean"]["interval"]
    }  # fmt: skip
    assert [row["corruption"] for row in told["corruptions"]] == SOME
    assert told["severities"] == [1, 5]
    assert told["mce"] is None
    assert told["pictures"] == told["of"] == 30
    assert {k: v for k, v in found.as_json().items() if k in told} == {
        k: told[k] for k in found.as_json() if k in told
    }
    names = written(tmp_path / "out")
    assert names == {
        "corruptions.html", "corruptions.json", "by-corruption.png", "by-severity.png", "sheet.png"
    }  # fmt: skip
    for name in names:
        if name.endswith(".png"):
            Image.open(tmp_path / "out" / name).verify()
    page = found.page.read_text()
    # two drawings, the picture as it is, and that under each corruption of two severities
    assert page.count("data:image/png") == 2 + 1 + 2 * len(SOME)
    assert "where none was before" in page
    assert "http" not in page.split("</style>")[1]


def test_the_figures_are_those_of_the_saved_sets(folder: Path, tmp_path: Path) -> None:
    classifier = by_light(0.13)
    found = corrupt(
        classifier, folder, corruptions=SOME, severities=(2, 4), images=20, seed=3, save=True,
        out=tmp_path / "out",
    )  # fmt: skip
    assert found.saved == tmp_path / "out" / "corrupted"
    for row in found.found.rows:
        for severity, error in zip((2, 4), row.errors, strict=True):
            again = hubel.evaluate(classifier, found.saved / row.name / str(severity))
            assert again.n == 20
            assert again.accuracy == pytest.approx(1 - error.share, abs=1e-12)
    assert 0 < found.found.mean.value < 1


@pytest.mark.slow
def test_a_reference_of_another_size(folder: Path, tmp_path: Path) -> None:
    weak = by_light(0.1)
    found = corrupt(
        by_light(0.03), folder, against=by_light(0.1, size=16), corruptions=SOME,
        out=tmp_path / "out",
    ).found  # fmt: skip
    assert found.reference == "the reference"
    assert found.mce is not None
    ratios = [row.relative.value for row in found.rows if row.relative]
    assert found.mce.value == pytest.approx(np.mean(ratios))
    for row in found.rows:
        assert row.theirs is not None
        ours = sum(each.share for each in row.errors)
        theirs = sum(each.share for each in row.their_errors)
        assert row.theirs.value == pytest.approx(theirs / 5)
        if row.relative:
            assert row.relative.value == pytest.approx(ours / theirs)
    assert "Mean corruption error against the reference" in found.comparison
    same = corrupt(weak, folder, against=weak, corruptions=SOME, out=tmp_path / "out").found
    assert same.mce is not None
    assert same.mce.value == pytest.approx(1)
    assert "not told apart" in same.comparison


def test_the_state_of_both_is_left_as_found(folder: Path, tmp_path: Path) -> None:
    classifier = by_light().train()
    state = torch.get_rng_state()
    corrupt(classifier, folder, corruptions=["fog"], severities=[1], out=tmp_path / "out")
    assert classifier.training
    assert torch.equal(torch.get_rng_state(), state)


def test_ctrl_c_keeps_what_is_done(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure = corrupting.Work.measure

    def once(work: corrupting.Work, name: str) -> None:
        measure(work, name)
        work.request.made = True

    monkeypatch.setattr(corrupting.Work, "measure", once)
    found = corrupt(by_light(), folder, corruptions=SOME, save=True, out=tmp_path / "out")
    assert found.stopped
    assert found.saved is None
    assert [row.name for row in found.found.rows] == SOME[:1]
    assert "Stopped" in found.page.read_text()


def test_a_run_is_measured_on_its_own_test_pictures(folder: Path, tmp_path: Path) -> None:
    run = hubel.train(
        folder, network="linear", epochs=1, size=8, threads=1, out=tmp_path / "run", watch=Watch()
    ).run
    heard = Heard()
    found = corrupt(
        run, against=run, corruptions=["jpeg"], severities=[3], out=tmp_path / "out", watch=heard
    )
    assert found.found.clean.of == 6
    assert found.found.reference == "run"
    assert not heard.notices
    corrupt(by_light(), folder, against=run, corruptions=["jpeg"], severities=[3],
            out=tmp_path / "out", watch=heard)  # fmt: skip
    assert any("run learned from 18 of these 30 pictures" in each for each in heard.notices)


def test_what_cannot_be_asked(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(Mistake, match="gaussian-noise"):
        corrupt(by_light(), folder, corruptions=["gausian-noise"], out=out)
    with pytest.raises(Mistake, match="at least one corruption"):
        corrupt(by_light(), folder, corruptions=[], out=out)
    with pytest.raises(Mistake, match="not 0"):
        corrupt(by_light(), folder, severities=[0, 1], out=out)
    with pytest.raises(Mistake, match="at least one is needed"):
        corrupt(by_light(), folder, severities=[], out=out)
    with pytest.raises(Mistake, match="name the DATA"):
        corrupt(by_light(), out=out)
    with pytest.raises(Mistake, match="1 or more"):
        corrupt(by_light(), folder, images=0, out=out)
    out.mkdir()
    (out / "mine.txt").write_text("x")
    with pytest.raises(Mistake, match="another folder"):
        corrupt(by_light(), folder, out=out)
    with pytest.raises(Failure):
        corrupt(by_light(), tmp_path / "out", out=tmp_path / "other")


def test_the_minutes_pay_for_so_many_pictures(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corrupt_module, "LEAST", 4)
    monkeypatch.setattr(corrupting.Work, "cost", lambda *_: 12.0)  # seconds a picture
    how = {"corruptions": ["jpeg"], "severities": [3]}
    heard = Heard()
    found = corrupt(by_light(), folder, minutes=2, out=tmp_path / "a", watch=heard, **how)
    assert found.found.clean.of == 10
    assert heard.notices == [
        "Corrupted are 10 of 30 pictures: that is about 2 min of work, of --minutes 2."
    ]
    few = corrupt(by_light(), folder, minutes=0.1, out=tmp_path / "b", **how)
    assert few.found.clean.of == 4
    asked = corrupt(by_light(), folder, images=20, out=tmp_path / "c", **how)
    assert asked.found.clean.of == 20
