"""Trainings that begin with what was learned elsewhere, and what is measured of them."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import hubel
from hubel.run import Run
from hubel.verbs import start as starts
from hubel.verbs.report import report_again
from hubel.verbs.tested import recall
from tests.conftest import Command, Heard, paint

SMALL = {
    "network": "small",
    "size": 16,
    "epochs": 1,
    "threads": 1,
    "arguments": {"widths": [4, 8, 8]},
}


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on small pictures, to begin others with."""
    root = tmp_path_factory.mktemp("first")
    for k, name in enumerate(("dark", "grey", "light")):
        for i in range(12):
            paint(root / "photos" / name / f"{i}.png", 100 * k + i, 40 + 85 * k)
    return hubel.train(root / "photos", out=root / "run", **SMALL | {"epochs": 3}).run


def test_from_a_run_the_head_is_replaced_and_what_was_learned_is_kept(
    first: Path, tmp_path: Path
) -> None:
    for k, name in enumerate(("night", "day")):
        for i in range(12):
            paint(tmp_path / "photos" / name / f"{i}.png", 500 * k + i, 50 + 140 * k)
    heard = Heard()
    trained = hubel.train(
        tmp_path / "photos", start=str(first), epochs=1, out=tmp_path / "run", watch=heard
    )
    said = " ".join(heard.notices)
    assert "Beginning with run" in said
    assert "last layer is replaced by one for 2 classes" in said
    assert trained.classifier.classes == ("day", "night")
    assert trained.validation.accuracy == 1
    before, after = hubel.load(first).network, trained.classifier.network
    same = [
        bool((value == before.state_dict()[name]).all())
        for name, value in after.state_dict().items()
        if value.shape == before.state_dict()[name].shape
    ]
    assert all(same)  # the first epoch trains the head alone
    assert trained.classifier.pixels.mean == hubel.load(first).pixels.mean
    assert hubel.load(trained.run).classes == ("day", "night")


def test_pictures_are_seen_as_the_start_sees_them(first: Path) -> None:
    start = hubel.load(first)
    start.pixels = replace(start.pixels, crop_fraction=0.875)
    recipe = hubel.Recipe(network="small", start=str(first))
    assert starts.pixels(recipe, start) == start.pixels
    whole = starts.pixels(recipe.model_copy(update={"resize": "pad"}), start)
    assert whole == replace(start.pixels, resize="pad")


@pytest.mark.slow
def test_a_stopped_fine_tuning_goes_on_bit_equal_without_its_start(
    first: Path, folder: Path, tmp_path: Path
) -> None:
    told = {"start": str(first), "epochs": 4, "threads": 1, "class_weights": "auto"}
    whole = hubel.train(folder, out=tmp_path / "whole", **told)
    stopped = hubel.train(folder, out=tmp_path / "parts", minutes=1e-6, **told)
    assert stopped.stopped == "time limit"
    moved = first.with_name("moved")
    first.rename(moved)
    try:
        for _ in range(20):
            stopped = hubel.train(resume=tmp_path / "parts", minutes=1e-6)
            if stopped.stopped != "time limit":
                break
    finally:
        moved.rename(first)
    assert stopped.stopped == "finished"
    for name, value in whole.classifier.network.state_dict().items():
        assert (stopped.classifier.network.state_dict()[name] == value).all(), name


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        (["--network", "resnet20"], "leave out --network resnet20"),
        (["--from", "efficientnet-lite1"], "efficientnet-lite0"),
        (["--set", "thaw=1.5"], "thaw"),
        (["--set", "arguments.widths=[8,8,8]"], "widths"),
    ],
)
def test_a_start_that_does_not_fit(
    first: Path, folder: Path, tmp_path: Path, hubel_command: Command,
    settings: list[str], part: str,
) -> None:  # fmt: skip
    start = [] if "--from" in settings else ["--from", first]
    told = hubel_command("train", folder, *start, *settings, "--out", tmp_path / "run")
    assert told.code == 2
    assert part in told.err


@pytest.mark.slow
def test_a_start_with_another_number_of_channels_is_told_of(first: Path, tmp_path: Path) -> None:
    heard = Heard()
    trained = hubel.train("digits", start=str(first), epochs=1, out=tmp_path / "run", watch=heard)
    assert trained.classifier.pixels.channels == 3
    assert any("3 channels" in said for said in heard.notices)
    grey = hubel.train("digits", network="small", epochs=1, out=tmp_path / "grey")
    for k, name in enumerate(("a", "b")):
        for i in range(10):
            paint(tmp_path / "colour" / name / f"{i}.png", 50 * k + i, 60 + 99 * k)
    hubel.train(
        tmp_path / "colour", start=str(grey.run), epochs=1, out=tmp_path / "on", watch=heard
    )
    assert any("their colour is lost" in said for said in heard.notices)


def test_evaluate_measures_baselines_once_and_compares_runs(
    first: Path, tmp_path: Path, hubel_command: Command
) -> None:
    found = hubel.evaluate(first, flips=True, against=first)
    names = [row.name for row in found.besides]
    assert "HOG + linear SVM" in names
    assert found.against is not None
    assert (found.against.name, found.against.p) == ("run", 1)
    assert found.mirrored is not None
    assert found.calibration is not None
    before = (first / "baselines.json").stat().st_mtime_ns
    told = hubel_command("evaluate", first, "--no-baselines")
    kept = recall(Run(first))
    assert kept is not None
    assert kept.besides  # what was measured once of this model stays
    assert kept.mirrored == found.mirrored
    assert kept.against is None  # no property of the run
    told = hubel_command("evaluate", first)
    assert (first / "baselines.json").stat().st_mtime_ns == before
    assert "On the same pictures:" in told.out
    page = (first / "report.html").read_text()
    assert "Whether something simpler would do" in page
    assert "Whether its probabilities can be believed" in page


def test_calibrating_is_saved_with_the_model_and_changes_no_answer(
    first: Path, hubel_command: Command
) -> None:
    before = hubel.evaluate(first, baselines=False)
    told = hubel_command("evaluate", first, "--calibrate", "--no-baselines")
    assert "Temperature" in told.err
    after = hubel.evaluate(first, baselines=False)
    classifier = hubel.load(first)
    assert classifier.temperature != 1
    assert (after.confusion == before.confusion).all()
    assert after.loss != before.loss


@pytest.mark.slow
def test_beginning_with_a_run_on_the_same_classes_is_no_worse(tmp_path: Path) -> None:
    """Also where the network is one layer: all of it is the head."""
    told = {"threads": 1, "validation": 0.2}
    one = hubel.train("digits", network="linear", epochs=4, out=tmp_path / "one", **told)
    other = hubel.train("digits", start=str(one.run), epochs=2, out=tmp_path / "other", **told)
    assert other.history[0]["validation_accuracy"] >= one.validation.accuracy


def test_features_are_the_same_in_every_run(first: Path, tmp_path: Path) -> None:
    """And so is the head: whatever size of batch was remembered, or measured, or is there."""
    told = {"start": str(first), "epochs": 1, "threads": 1}
    runs = [
        hubel.train(first.parent / "photos", out=tmp_path / name, **told) for name in ("a", "b")
    ]
    states = [run.classifier.state_dict() for run in runs]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_figures_of_an_earlier_model_are_forgotten(first: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(first, tmp_path / "run"))
    hubel.evaluate(run, baselines=False)
    assert recall(Run(run)) is not None
    model = hubel.load(run)
    model.temperature = 3.0  # other probabilities: the test's calibration error was another model's
    model.save(run / "model")
    assert recall(Run(run)) is None
    assert "were not looked at yet" in report_again(Run(run)).read_text()


def test_measured_on_pictures_that_it_learned_from(first: Path) -> None:
    heard = Heard()
    hubel.evaluate(first, first.parent / "photos", watch=heard)
    assert any("learned from" in said for said in heard.notices)
