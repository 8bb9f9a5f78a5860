"""A folder of one's own: copies on one side, leaks told of; looked through; begun elsewhere."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data as photographs

import hubel
from hubel.run import Run
from hubel.verbs.report import report_again
from hubel.verbs.tested import recall
from hubel.verbs.watch import Watch
from tests.conftest import QUICK, Command, paint

SMALL = {
    "network": "small",
    "size": 16,
    "epochs": 1,
    "threads": 1,
    "arguments": {"widths": [4, 8, 8]},
}


class Heard(Watch):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.notices: list[str] = []

    def notice(self, sentence: str) -> None:
        self.notices.append(sentence)


def pieces(n: int) -> list[np.ndarray]:
    """So many pieces of photographs that nobody would take for each other."""
    sources = [photographs.astronaut(), photographs.coffee(), photographs.chelsea()]
    found = []
    for k in range(n):
        source = sources[k % 3]
        row, column = divmod(k // 3, 4)
        found.append(source[80 * row : 80 * row + 80, 100 * column : 100 * column + 100])
    return found


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """Two classes of twelve pictures, of each of which a mirrored, smaller copy is there too."""
    root = tmp_path / "copied"
    for k, piece in enumerate(pieces(24)):
        own = root / ("here", "there")[k % 2]
        own.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(piece)
        image.save(own / f"{k}.png")
        image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).resize((70, 56)).save(own / f"{k}b.jpg")
    return root


def split_of(run: Path) -> dict[str, str]:
    with (run / "splits.csv").open(newline="") as file:
        return {row["name"]: row["split"] for row in csv.DictReader(file)}


def test_copies_stay_on_one_side_and_it_is_said(copied: Path, tmp_path: Path) -> None:
    heard = Heard()
    trained = hubel.train(copied, out=tmp_path / "run", watch=heard, **SMALL)
    split = split_of(trained.run)
    for k in range(24):
        own = ("here", "there")[k % 2]
        assert split[f"{own}/{k}.png"] == split[f"{own}/{k}b.jpg"]
    assert set(split.values()) == {"train", "validation", "test"}
    assert any("24 picture(s) are there more than once" in said for said in heard.notices)
    # what was split once is never split anew, whatever may be found then
    assert hubel.evaluate(trained.run, baselines=False).n == list(split.values()).count("test")
    again = hubel.train(resume=trained.run)
    assert split_of(again.run) == split


def test_without_grouping_the_leak_is_told_of(copied: Path, tmp_path: Path) -> None:
    heard = Heard()
    told = SMALL | {"group_duplicates": False}
    trained = hubel.train(copied, out=tmp_path / "run", watch=heard, **told)
    split = split_of(trained.run)
    parted = sum(
        split[f"{own}/{k}.png"] != split[f"{own}/{k}b.jpg"]
        for k in range(24)
        for own in [("here", "there")[k % 2]]
    )
    assert parted
    leaks = [said for said in heard.notices if said.startswith("Leak:")]
    assert leaks
    assert "flatters" in leaks[0]


def test_leaks_between_splits_of_the_user_s_own(tmp_path: Path) -> None:
    one, two, *rest = pieces(18)
    root = tmp_path / "photos"
    for split, chosen in (("train", rest[:8]), ("validation", rest[8:12]), ("test", rest[12:])):
        for k, piece in enumerate(chosen):
            own = root / split / ("a", "b")[k % 2]
            own.mkdir(parents=True, exist_ok=True)
            Image.fromarray(piece).save(own / f"{k}.png")
    Image.fromarray(one).save(root / "train/a/x.png")
    Image.fromarray(one[:, ::-1].copy()).save(root / "test/a/x.png")
    Image.fromarray(two).save(root / "train/a/y.png")
    Image.fromarray(two).save(root / "train/b/y.png")
    heard = Heard()
    hubel.train(root, out=tmp_path / "run", watch=heard, **SMALL)
    said = " ".join(heard.notices)
    assert "Leak: 1 of the 5 test pictures" in said
    assert "test/a/x.png is train/a/x.png" in said
    assert "different classes" in said
    assert "train/a/y.png is train/b/y.png" in said


def test_data_show_looks_a_folder_through(
    copied: Path, hubel_command: Command, tmp_path: Path
) -> None:
    (copied / "here" / "broken.jpg").write_bytes(b"\xff\xd8\xff nothing more")
    out = tmp_path / "looked"
    told = hubel_command("data", "show", copied, "--out", out, "--json")
    assert told.code == 0
    found = json.loads(told.out)
    assert sum(found["counts"]["all"].values()) == 49
    assert found["notices"] == []  # what is not split yet leaks nowhere
    assert found["formats"] == {"PNG": 24, "JPEG": 24}
    assert list(found["unreadable"]) == ["here/broken.jpg"]
    assert len(found["copies"]) == 24
    assert all(pair["mirrored"] for pair in found["copies"])
    page = Path(found["page"]).read_text()
    assert "Pictures that are there more than once" in page
    assert "://" not in page
    with Image.open(found["sheet"]) as sheet:
        assert sheet.width > 300
    plain = hubel_command("data", "show", copied, "--out", out)
    assert "Copies   24 pair(s)" in plain.out
    assert "here/broken.jpg: it is none of" in plain.out


def test_data_show_augment_draws_a_row_for_every_effect(
    folder: Path, hubel_command: Command, tmp_path: Path
) -> None:
    told = hubel_command("data", "show", folder, "--augment", "--out", tmp_path / "sheet")
    assert told.code == 0
    with Image.open(told.out.strip()) as sheet:
        assert sheet.height > 10 * sheet.width / 7


def test_all_pictures_alike(tmp_path: Path, hubel_command: Command) -> None:
    """Nothing to split or learn from, and nothing that breaks: one clear sentence."""
    for name in ("a", "b"):
        for k in range(8):
            paint(tmp_path / "same" / name / f"{k}.png", 5, 90)
    shown = hubel_command("data", "show", tmp_path / "same", "--out", tmp_path / "out")
    assert shown.code == 0
    assert "different classes" in shown.out
    told = hubel_command("train", tmp_path / "same", *QUICK, "--out", tmp_path / "run")
    assert told.code == 1
    assert "group(s) of duplicates" in told.err
    apart = hubel_command(
        "train", tmp_path / "same", *QUICK, "--set", "group_duplicates=false",
        "--out", tmp_path / "run2",
    )  # fmt: skip
    assert apart.code == 0
    assert "Leak:" in apart.err


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


def test_a_start_with_another_number_of_channels_is_told_of(first: Path, tmp_path: Path) -> None:
    heard = Heard()
    trained = hubel.train("digits", start=str(first), epochs=1, out=tmp_path / "run", watch=heard)
    assert trained.classifier.pixels.channels == 3
    assert any("3 channel(s)" in said for said in heard.notices)
    grey = hubel.train("digits", network="small", epochs=1, out=tmp_path / "grey")
    for k, name in enumerate(("a", "b")):
        for i in range(10):
            paint(tmp_path / "colour" / name / f"{i}.png", 50 * k + i, 60 + 99 * k)
    hubel.train(
        tmp_path / "colour", start=str(grey.run), epochs=1, out=tmp_path / "on", watch=heard
    )
    assert any("their colour is lost" in said for said in heard.notices)


def test_colour_folders_begin_with_a_network_that_knows_photographs(
    copied: Path, tmp_path: Path
) -> None:
    heard = Heard()
    trained = hubel.train(copied, size=64, epochs=1, out=tmp_path / "run", watch=heard)
    assert trained.classifier.blueprint is not None
    assert trained.classifier.blueprint.name == "efficientnet-lite0"
    assert any("Beginning with efficientnet-lite0" in said for said in heard.notices)


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


def test_restarts_keep_the_best_and_tell_of_all(folder: Path, tmp_path: Path) -> None:
    told = {"network": "linear", "size": 8, "epochs": 2, "threads": 1}
    several = hubel.restart(folder, restarts=3, out=tmp_path / "run", **told)
    rows = several.trials
    best = max(rows, key=lambda row: row.validation_accuracy)
    assert [row.kept for row in rows] == [row is best for row in rows]
    assert several.best.validation.accuracy == best.validation_accuracy
    assert len({row.training_loss for row in rows}) == 3  # other draws
    page = (tmp_path / "run" / "report.html").read_text()
    assert "Its 3 trials" in page
    assert hubel.evaluate(tmp_path / "run", baselines=False).n > 0
    splits = [split_of(path) for path in (tmp_path / "run", *(tmp_path / "run/trials").iterdir())]
    assert all(split == splits[0] for split in splits)  # the same split


def test_stopped_restarts_go_on(folder: Path, tmp_path: Path, hubel_command: Command) -> None:
    run = tmp_path / "run"
    stopped = hubel.restart(
        folder, restarts=2, out=run, minutes=1e-6, network="linear", size=8, epochs=2, threads=1
    )
    assert stopped.best.stopped == "time limit"
    assert not (run / "recipe.toml").exists()
    plan = json.loads((run / "restarts.json").read_text())
    plan["settings"].pop("minutes")
    (run / "restarts.json").write_text(json.dumps(plan))
    told = hubel_command("train", "--resume", run)
    assert told.code == 0
    assert "Kept the best of 2 trials" in told.out
    assert (run / "recipe.toml").is_file()
