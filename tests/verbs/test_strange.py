"""Strangeness from a training to an answer: of a linear network, whose features are the pixels.

So that what is strange hangs on the pictures, and on no training's luck.
"""

import csv
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import hubel
from hubel import Classifier
from hubel.data.samples import Row
from hubel.model import FACTS, FAMILIAR
from hubel.run import Run
from hubel.strangeness import NEIGHBOURS
from tests.conftest import Command, paint

SETTINGS = {"network": "linear", "epochs": 1, "size": 8, "validation": 0.2, "threads": 1}
STRIPES = "unlike the training pictures: farther from them than"


def data(root: Path) -> Path:
    """Two classes of 70 pictures; enough for 20 to be held out to measure by."""
    for k, name in enumerate(("dark", "light")):
        for i in range(70):
            paint(root / name / f"{i}.png", 100 * k + i, 40 + 170 * k)
    return root


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("strange")
    hubel.train(data(root / "photos"), out=root / "run", **SETTINGS)  # type: ignore[arg-type]
    rows = np.indices((12, 12))[0] % 4 < 2
    Image.fromarray(np.uint8(255 * rows)).convert("RGB").save(root / "stripes.png")
    return root / "run"


def features(classifier: Classifier, paths: list[Path]) -> np.ndarray:
    """Normalised pixels of unit length, one row a picture."""
    spec = classifier.pixels
    rows = [
        ((classifier.read(path).double().numpy() - np.reshape(spec.mean, (-1, 1, 1)))
         / np.reshape(spec.std, (-1, 1, 1))).ravel()
        for path in paths
    ]  # fmt: skip
    return np.array([row / np.linalg.norm(row) for row in rows])


def names(run: Path, split: str) -> list[Path]:
    rows = Run(run).read_table("splits.csv", Row)
    return [run.parent / "photos" / row["name"] for row in rows if row["split"] == split]


def test_what_is_kept_is_the_distance_of_every_validation_picture(run: Path) -> None:
    classifier = hubel.load(run)
    assert classifier.reference is not None
    training, validation = (features(classifier, names(run, s)) for s in ("train", "validation"))
    assert len(validation) >= 20
    apart = np.linalg.norm(validation[:, None] - training, axis=2)
    slowly = np.sort(np.sort(apart, axis=1)[:, NEIGHBOURS - 1])
    assert classifier.reference.distances.tolist() == pytest.approx(slowly, abs=2e-3)


def test_of_larger_training_pictures_their_middle_counts(tmp_path: Path) -> None:
    """As the network sees them when it answers; pictures of just the larger size are not scaled."""
    settings = SETTINGS | {"margin": 4, "resize": "crop"}
    trained = hubel.train(data(tmp_path / "photos"), out=tmp_path / "run", **settings)  # type: ignore[arg-type]
    known = trained.classifier.reference
    assert known is not None
    found = features(trained.classifier, names(tmp_path / "run", "train"))
    assert np.abs(found @ known.features.double().numpy().T).max(1) == pytest.approx(1, abs=1e-3)


def test_strangeness_beside_each_answer(run: Path, hubel_command: Command) -> None:
    stripes, own = run.parent / "stripes.png", names(run, "train")[0]
    against = len(names(run, "validation"))
    strange, usual = hubel.predict(run, [stripes, own])
    assert (strange.strangeness, strange.strange) == (1.0, True)
    assert usual.strangeness is not None
    assert not usual.strange
    said = f"{STRIPES} {against} of {against} validation pictures"
    answer = hubel_command("predict", run, stripes, own, "--top", 1)
    lines = answer.out.splitlines()
    assert lines[0] == f"{stripes}  {said}"
    assert lines[2] == str(own)
    assert lines[-1].split() == ["1", "of", "these", "are", "unlike", "the", "training", "pictures"]
    table = csv.DictReader(io.StringIO(hubel_command("predict", run, stripes, "--csv").out))
    assert {row["strangeness"] for row in table} == {"1.0000"}
    (told,) = json.loads(hubel_command("predict", run, stripes, "--json").out)
    assert (told["strangeness"], told["strange"]) == (1.0, True)


def test_the_gallery_says_it(run: Path, tmp_path: Path, hubel_command: Command) -> None:
    stripes, own = run.parent / "stripes.png", names(run, "train")[0]
    answer = hubel_command("predict", run, stripes, own, "--json", "--out", tmp_path / "answers")
    told = json.loads(answer.out)
    assert told["strange"] == 1
    page = (tmp_path / "answers" / "predict.html").read_text()
    assert page.count(STRIPES) == 1
    assert "1 is unlike the training pictures" in page
    assert json.loads((tmp_path / "answers" / "predict.json").read_text())["strange"] == 1


def test_evaluate_counts_what_predict_calls_strange(run: Path, hubel_command: Command) -> None:
    answers = hubel.predict(run, names(run, "test"))
    found = hubel.evaluate(run, baselines=False)
    assert found.strange == sum(each.strange for each in answers)
    assert json.loads((run / "test.json").read_text())["strange"] == found.strange
    said = hubel_command("evaluate", run, "--no-baselines").out
    assert f"Unlike the training pictures: {found.strange} of {found.n} (" in said
    for name in ("README.md", "report.html"):
        told = (run / name).read_text().replace("\xa0", " ")
        assert "than 99 % of" in told
        assert f"Of the {found.n} test pictures {found.strange} do" in told


def test_it_outlives_calibration_resuming_and_copying(run: Path, tmp_path: Path) -> None:
    before = (run / "model" / FAMILIAR).read_bytes()
    hubel.train(resume=run, threads=1)
    assert (run / "model" / FAMILIAR).read_bytes() == before
    hubel.calibrate(run)
    assert (run / "model" / FAMILIAR).read_bytes() == before
    shutil.copytree(run / "model", tmp_path / "copy")
    stripes = run.parent / "stripes.png"
    assert hubel.predict(tmp_path / "copy", stripes)[0].strange
    again = hubel.load(tmp_path / "copy").save(tmp_path / "again")
    assert hubel.predict(again, stripes)[0].strange


def test_a_model_without_says_nothing(run: Path, tmp_path: Path, hubel_command: Command) -> None:
    stripes = run.parent / "stripes.png"
    shutil.copytree(run / "model", tmp_path / "old")
    facts = json.loads((tmp_path / "old" / FACTS).read_text())
    del facts["familiar"]
    (tmp_path / "old" / FACTS).write_text(json.dumps(facts))
    (found,) = hubel.predict(tmp_path / "old", stripes)
    assert (found.strangeness, found.strange, found.unlike) == (None, False, "")
    assert found.classes == hubel.predict(run, stripes)[0].classes
    assert "strangeness" not in found.as_json()
    assert STRIPES not in hubel_command("predict", tmp_path / "old", stripes).out
    rows = hubel_command("predict", tmp_path / "old", stripes, "--csv").out.splitlines()
    assert all(row.endswith(",") for row in rows[1:])
    evaluated = hubel.evaluate(tmp_path / "old", run.parent / "photos")
    assert evaluated.strange is None
