"""hubel look --units: the atlas of a layer, what it keeps, and the user's mistakes."""

import io
import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from typer.testing import CliRunner

import hubel
from hubel.cli import app
from hubel.mistakes import Failure, Mistake
from hubel.model import Classifier, evaluating
from hubel.networks import catalogue
from hubel.pixels import PixelSpec
from hubel.training.initialisation import initialise
from hubel.understanding.probes import recording
from hubel.verbs import units as work
from hubel.verbs.watch import Watch

LAYER = "conv2.relu"


class Told(Watch):
    """Keeps the notices and the stages; may press Ctrl-C at one, when so much of it is done."""

    def __init__(self, interrupt_at: str = "", after: float = 1) -> None:
        self.notices: list[str] = []
        self.stages: list[str] = []
        self.interrupt_at, self.after = interrupt_at, after

    def notice(self, sentence: str) -> None:
        self.notices.append(sentence)

    def progress(self, stage: str, done: float, total: int, detail: str = "") -> None:
        self.stages.append(stage)
        if stage == self.interrupt_at and done >= self.after:
            self.interrupt_at = ""
            os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HUBEL_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(work, "STEPS", 3)


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    network = catalogue.build("small", classes=3, channels=3, size=(24, 24))
    initialise(network, "he", seed=0)
    return Classifier(network, classes=("a", "b", "c"), pixels=PixelSpec((24, 24), 3))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for i in range(20):
        path = tmp_path / "pictures" / ("cat & co" if i % 3 else "dog") / f"{i:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (24, 24, 3), dtype=np.uint8)).save(path)
    return tmp_path / "pictures"


def test_the_page_holds_every_unit(classifier: Classifier, folder: Path, tmp_path: Path) -> None:
    found = hubel.atlas(classifier, LAYER, folder, out=tmp_path / "atlas")
    told = json.loads((tmp_path / "atlas" / "atlas.json").read_text())
    page = found.page.read_text()
    assert page.count("data:image/jpeg") == len(told["units"]) == told["of"] == len(found.units)
    assert "cat &amp; co" in page
    assert "http" not in page.split("</style>")[1]
    for unit in told["units"]:
        Image.open(tmp_path / "atlas" / unit["file"]).verify()
    # the patches are those of all pictures' maps, sorted
    names = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*.png"))
    pixels = torch.stack([classifier.read(folder / name) for name in names])
    with evaluating(classifier) as own, recording(own, [LAYER]) as maps:
        own(pixels)
    peaks = maps[LAYER].amax((2, 3))
    for unit in told["units"][:5]:
        values, pictures = peaks[:, unit["unit"]].sort(descending=True, stable=True)
        assert unit["pictures"] == [names[i] for i in pictures[:9].tolist()]
        np.testing.assert_allclose(unit["activations"], values[:9], rtol=1e-4, atol=1e-5)
        assert unit["classes"] == [name.split("/")[0] for name in unit["pictures"]]


def test_one_unit_of_linear_layers_too(
    classifier: Classifier, folder: Path, tmp_path: Path
) -> None:
    found = hubel.atlas(classifier, "head", folder, unit=1, out=tmp_path / "atlas")
    [unit] = found.units
    assert unit.number == 1
    assert len(unit.activations) == 9
    with Image.open(io.BytesIO(unit.sheet)) as sheet:
        assert sheet.width > 3 * sheet.height


def test_patches_are_looked_for_once(classifier: Classifier, folder: Path, tmp_path: Path) -> None:
    first, second, other = Told(), Told(), Told()
    hubel.atlas(classifier, LAYER, folder, unit=0, out=tmp_path / "atlas", watch=first)
    hubel.atlas(classifier, "conv3.relu", folder, unit=0, out=tmp_path / "atlas", watch=second)
    assert "top patches" in first.stages
    assert "top patches" not in second.stages
    [kept] = (tmp_path / "home" / "patches").iterdir()
    kept.write_bytes(kept.read_bytes()[:100])
    hubel.atlas(classifier, LAYER, folder, unit=0, out=tmp_path / "atlas", watch=other)
    assert "top patches" in other.stages
    assert any("damaged" in sentence for sentence in other.notices)


def test_a_stop_loses_nothing(
    classifier: Classifier, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "TOGETHER", 4)
    found = hubel.atlas(
        classifier, LAYER, folder, out=tmp_path / "atlas", watch=Told("units", after=4.5)
    )
    assert found.stopped  # in the middle of the fifth to the eighth, which are left out
    assert len(found.units) == 4
    assert found.page.read_text().count("data:image/jpeg") == 4
    with pytest.raises(KeyboardInterrupt):
        hubel.atlas(
            classifier, LAYER, folder, out=tmp_path / "none", watch=Told("units", after=0.5)
        )
    assert not (tmp_path / "none").exists()
    # while patches are looked for, what was found is kept
    monkeypatch.setattr("hubel.verbs.patches.PIXELS", 1)
    monkeypatch.setenv("HUBEL_HOME", str(tmp_path / "second"))
    with pytest.raises(KeyboardInterrupt):
        hubel.atlas(
            classifier, LAYER, folder, out=tmp_path / "no", watch=Told(interrupt_at="top patches")
        )
    assert not (tmp_path / "no").exists()
    resumed = hubel.atlas(classifier, LAYER, folder, unit=0, out=tmp_path / "yes")
    assert resumed.units[0].pictures == found.units[0].pictures


@pytest.mark.slow
def test_a_run_is_shown_its_own_validation_pictures(tmp_path: Path) -> None:
    run = hubel.train("digits", network="small", epochs=1, out=tmp_path / "run").run
    runner = CliRunner()
    done = runner.invoke(
        app, ["look", str(run), "--units", "pool1", "--unit", "2", "--out", str(tmp_path / "o")]
    )
    assert done.exit_code == 0, done.output
    assert "Units 1 of pool1" in done.output
    assert list((run / "patches").iterdir())
    told = json.loads((tmp_path / "o" / "atlas.json").read_text())
    assert told["data"] == "its validation pictures"
    assert len(told["units"][0]["pictures"]) == 9


def test_fewer_than_nine_pictures(classifier: Classifier, folder: Path, tmp_path: Path) -> None:
    found = hubel.atlas(
        classifier, LAYER, folder / "dog", unit=0, rule="deconvnet", out=tmp_path / "atlas"
    )
    assert len(found.units[0].activations) == 7
    assert not found.units[0].classes


def test_mistakes(classifier: Classifier, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "atlas"
    with pytest.raises(Mistake, match=r"no layer of maps or units 'conv2\.rela'\. Did you mean"):
        hubel.atlas(classifier, "conv2.rela", folder, out=out)
    with pytest.raises(Mistake, match="has no unit 99999"):
        hubel.atlas(classifier, LAYER, folder, unit=99999, out=out)
    with pytest.raises(Mistake, match="name pictures, --data"):
        hubel.atlas(classifier, LAYER, out=out)
    with pytest.raises(Mistake, match="no data set or folder 'nowhere'"):
        hubel.atlas(classifier, LAYER, "nowhere", out=out)
    with pytest.raises(Mistake, match="Did you mean 'guided'"):
        hubel.atlas(classifier, LAYER, folder, rule="guidde", out=out)
    (tmp_path / "empty").mkdir()
    with pytest.raises(Failure, match="There are no pictures here"):
        hubel.atlas(classifier, LAYER, tmp_path / "empty", out=out)
    assert not out.exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(Mistake, match="holds something that is no atlas"):
        hubel.atlas(classifier, LAYER, folder, out=tmp_path / "mine")
    broken = catalogue.build("small", classes=2, channels=3, size=(24, 24))
    nn.init.constant_(next(broken.parameters()), torch.nan)
    bad = Classifier(broken, classes=("a", "b"), pixels=PixelSpec((24, 24), 3))
    with pytest.raises(Failure, match="not finite"):
        hubel.atlas(bad, LAYER, folder, out=out)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Name pictures to look at"),
        (["--units", "pool1", "cat.jpg"], "not both"),
        (["--units", "pool1", "--layer", "pool1"], "belong to pictures"),
        (["cat.jpg", "--data", "digits"], "--data belongs to --units"),
    ],
)
def test_options_that_do_not_go_together(arguments: list[str], message: str) -> None:
    done = CliRunner().invoke(app, ["look", "efficientnet-lite0", *arguments])
    assert isinstance(done.exception, Mistake)
    assert message in str(done.exception)


def test_what_does_not_excite_a_unit_is_not_shown_as_if_it_did(
    folder: Path, tmp_path: Path
) -> None:
    """Unit 0 is dead; unit 1 answers to bright pictures, of which there are two."""
    network = nn.Sequential(
        nn.Conv2d(3, 2, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 2)
    )
    with torch.no_grad():
        network[0].weight.copy_(torch.tensor([0.0, 1.0]).view(2, 1, 1, 1).expand(2, 3, 1, 1))
        network[0].bias.copy_(torch.tensor([-1.0, -2.9]))
    for i in range(2):
        Image.new("RGB", (24, 24), "white").save(folder / "dog" / f"white-{i}.png")
    for path in folder.rglob("[0-9]*.png"):
        Image.new("RGB", (24, 24), "grey").save(path)
    model = Classifier(network, classes=("a", "b"), pixels=PixelSpec((24, 24), 3)).eval()
    dead, bright = hubel.atlas(model, "1", folder, out=tmp_path / "atlas").units
    assert (dead.activations, dead.pictures, dead.image) == ([], [], 0.0)
    assert bright.activations == pytest.approx([0.1, 0.1], abs=1e-4)
    assert bright.pictures == ["dog/white-0.png", "dog/white-1.png"]
    page = (tmp_path / "atlas" / "atlas.html").read_text()
    assert "No picture makes it active; no image was found." in page
    with Image.open(io.BytesIO(dead.sheet)) as sheet:
        assert np.asarray(sheet).min() > 250  # all of it empty
