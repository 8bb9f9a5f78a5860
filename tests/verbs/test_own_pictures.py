"""A folder of one's own: copies on one side of a split, leaks told of, looked through."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data as photographs

import hubel
from tests.conftest import QUICK, Command, Heard, paint

SMALL = {
    "network": "small",
    "size": 16,
    "epochs": 1,
    "threads": 1,
    "arguments": {"widths": [4, 8, 8]},
}


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
    assert any("24 pictures are there more than once" in said for said in heard.notices)
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


@pytest.mark.slow
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
    assert "Copies   24 pairs" in plain.out
    assert "here/broken.jpg: it is " in plain.out


@pytest.mark.slow
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
    assert "no copies of each other" in told.err
    apart = hubel_command(
        "train", tmp_path / "same", *QUICK, "--set", "group_duplicates=false",
        "--out", tmp_path / "run2",
    )  # fmt: skip
    assert apart.code == 0
    assert "Leak:" in apart.err


@pytest.mark.slow
def test_what_cannot_be_trained_on_can_be_looked_at(tmp_path: Path, hubel_command: Command) -> None:
    """A class of one picture, an empty class, a single class: told of, and shown."""
    root = tmp_path / "odd"
    for k in range(6):
        paint(root / "many" / f"{k}.png", k, 100, size=40)
    paint(root / "one" / "0.png", 9, 30, size=40)
    (root / "none").mkdir()
    told = hubel_command("data", "show", root, "--out", tmp_path / "out")
    assert told.code == 0, told.err
    assert "Without pictures: none." in told.out
    assert "split off" not in told.out
    assert (tmp_path / "out" / "inspection.html").is_file()
    assert hubel_command("data", "show", root, "--augment", "--out", tmp_path / "drawn").code == 0
    shutil.rmtree(root / "one")
    shutil.rmtree(root / "none")
    told = hubel_command("data", "show", root, "--out", tmp_path / "single")
    assert told.code == 0, told.err
    assert "one class only" in told.out
    shutil.rmtree(root / "many")
    (root / "none").mkdir()
    told = hubel_command("data", "show", root)
    assert (told.code, len(told.err.splitlines())) == (1, 1), told.err


@pytest.mark.slow
def test_a_tiny_class_is_trained_on_where_nothing_is_held_out(tmp_path: Path) -> None:
    """The recipe is chosen by a look at the pictures, which need not be divisible."""
    root = tmp_path / "tiny"
    for name, shade, n in (("dark", 40, 8), ("light", 200, 2)):
        for k in range(n):
            paint(root / name / f"{k}.png", 10 * shade + k, shade)
    run = tmp_path / "run"
    trained = hubel.train(root, test=0.0, epochs=1, size=32, threads=1, out=run)
    assert trained.classifier.classes == ("dark", "light")


@pytest.mark.slow
def test_colour_folders_begin_with_a_network_that_knows_photographs(
    copied: Path, tmp_path: Path
) -> None:
    heard = Heard()
    trained = hubel.train(copied, size=64, epochs=1, out=tmp_path / "run", watch=heard)
    assert trained.classifier.blueprint is not None
    assert trained.classifier.blueprint.name == "efficientnet-lite0"
    assert any("Beginning with efficientnet-lite0" in said for said in heard.notices)
