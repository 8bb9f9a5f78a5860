"""What in a folder is a picture, what is passed over, and what is left out aloud."""

import os
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest

from hubel.data.listing import among, class_name, left_out, listed
from hubel.data.sources import open_splits, open_undivided
from hubel.mistakes import Failure, Mistake
from hubel.output import LISTING, SIGNS, is_ours
from hubel.run import Run
from tests.conftest import paint

WROTE = b'{"hubel": "0", "result": "look.json"}'


def inside(paths: list[Path], root: Path) -> list[str]:
    return [path.relative_to(root).as_posix() for path in paths]


def test_what_systems_leave_behind_is_passed_over(folder: Path) -> None:
    before = listed(folder)
    for name in (".thumbnails/a.png", "__MACOSX/a.png", "dark/._a.PNG", "dark/@eaDir/a.png"):
        paint(folder / name, 0, 9)
    (folder / "dark" / "Thumbs.db").write_bytes(b"x")
    assert listed(folder) == before
    assert len(before.pictures) == 30
    assert not left_out([before], folder)


def test_what_is_no_picture_is_named_and_what_it_is(folder: Path) -> None:
    (folder / "dark" / "photo.heic").write_bytes(b"\0\0\0\x18ftypheic")
    (folder / "grey" / "notes.txt").write_bytes(b"x")
    (told,) = left_out([listed(folder)], folder)
    assert told.startswith(
        "Left out 2 files in photos/ that cannot be read as pictures here (1 × .heic"
    )
    assert "dark/photo.heic (it is HEIC" in told
    assert "grey/notes.txt" in told
    for i in range(9):
        (folder / "light" / f"{i}.txt").write_bytes(b"x")
    assert "; and 8 more." in left_out([listed(folder)], folder)[0]


def test_links_are_followed_once_and_what_is_there_twice_is_named(folder: Path) -> None:
    (folder / "dark" / "again").symlink_to(folder / "dark")
    (folder / "dark" / "a-link").symlink_to(folder / "dark" / "z-real")  # sorts before the real one
    (folder / "dark" / "elsewhere").symlink_to(folder.parent / "other")
    paint(folder / "dark" / "z-real" / "x.png", 1, 40)
    paint(folder.parent / "other" / "y.png", 2, 40)
    os.mkfifo(folder / "dark" / "pipe.png")
    found = listed(folder / "dark")
    names = inside(found.pictures, folder / "dark")
    assert names == sorted([*(f"{i}.png" for i in range(10)), "elsewhere/y.png", "z-real/x.png"])
    assert inside(found.links, folder / "dark") == ["a-link", "again"]
    assert any("2 links" in told for told in left_out([found], folder))


def results(root: Path) -> list[Path]:
    """Folders as hubel leaves them: a run, restarts, a model, and what a verb wrote."""
    made = []
    for n, names in enumerate([*SIGNS, (LISTING,)]):
        path = root / str(n)
        paint(path / "a.png", 0, 9)
        paint(path / "deep" / "b.png", 0, 9)
        for name in names:
            (path / name).write_text('{"result": "look.json"}')
        made.append(path)
    return made


def test_every_folder_that_hubel_wrote_is_known_by_what_stands_in_it(folder: Path) -> None:
    before = listed(folder)
    for path in results(folder / "dark" / "look"):
        assert is_ours(path)
    found = listed(folder)
    assert found.pictures == before.pictures
    assert len(found.own) == len(SIGNS) + 1
    # a file of that name alone is not enough, and what is named itself is looked into
    (folder / "grey" / "look.json").write_bytes(b'{"a": 1}')
    assert not is_ours(folder / "grey")
    assert len(listed(folder / "dark" / "look" / "0").pictures) == 2


def test_runs_and_looks_in_a_folder_are_no_classes(folder: Path) -> None:
    before = open_splits(str(folder))
    run = Run.create("x", parent=folder / "runs")
    run.write("environment.json", WROTE)
    run.write("recipe.toml", "")
    Run.create("killed-at-once", parent=folder / "runs")
    paint(folder / "look" / "1-map.png", 0, 9)
    (folder / "look" / LISTING).write_bytes(WROTE)
    after = open_splits(str(folder))
    assert after.train.classes == before.train.classes
    assert after.train.names == before.train.names
    assert after.notices == before.notices == ()
    assert open_undivided(str(folder))[1] == ()


def test_siblings_of_train_are_named(tmp_path: Path) -> None:
    root = tmp_path / "vehicles"
    for k, name in enumerate(("train/steam", "train/diesel", "car", "plane", "holdout/steam")):
        for i in range(6):
            paint(root / name / f"{i}.png", 10 * k + i, 90)
    paint(root / "stray.png", 0, 9)
    paint(root / "train" / "stray.png", 0, 9)
    for told in (open_splits(str(root)).notices, open_undivided(str(root))[1]):
        assert any(
            s.startswith("Left out of vehicles/: car/, holdout/, plane/.")
            and "if what lies in train/ is a class" in s
            for s in told
        )
        assert any("1 picture in vehicles/ itself" in s for s in told)
        assert any("1 picture in train/ itself" in s for s in told)


def test_validate_is_a_name_for_validation(tmp_path: Path) -> None:
    for part in ("train", "validate"):
        for name in ("a", "b"):
            paint(tmp_path / part / name / "0.png", 0, 90)
    splits = open_splits(str(tmp_path))
    assert len(splits.validation) == 2
    assert "Using validate/ as the validation split." in splits.notices


def test_a_class_called_test_is_a_class_or_is_asked_about(folder: Path) -> None:
    paint(folder / "test" / "0.png", 0, 90)
    assert "test" in open_undivided(str(folder))[0]["all"].classes
    paint(folder / "test" / "old" / "0.png", 0, 90)
    with pytest.raises(Failure, match=r"or, if test is a class, give its folder another name"):
        open_splits(str(folder))
    told = open_undivided(str(folder))[1]
    assert any("dark/, grey/, light/" in sentence for sentence in told)


def test_names_that_look_alike_are_one_class(tmp_path: Path) -> None:
    composed = "caf\u00e9"
    split = unicodedata.normalize("NFD", composed)
    assert class_name(split) == class_name(composed + " ") == composed
    assert class_name(" ") == " "
    for part, spelt in (("train", (composed, split)), ("test", (split + " ",))):
        for name in spelt:
            for i in range(8):
                paint(tmp_path / part / name / f"{i}.png", i, 40)
        for i in range(8):
            paint(tmp_path / part / "tea" / f"{i}.png", 50 + i, 200)
    splits = open_splits(str(tmp_path))
    assert splits.train.classes == splits.test.classes == (composed, "tea")
    assert (splits.test.labels == 0).sum() == 8
    assert any("are taken for one class" in sentence for sentence in splits.notices)


def test_names_that_are_not_utf8_are_refused_by_name(folder: Path) -> None:
    odd = Path(os.fsdecode(os.fsencode(folder.parent) + b"/ph\xe9otos"))
    os.rename(folder, odd)
    for opened in (open_splits, open_undivided):
        with pytest.raises(Mistake, match=r"ph\\xe9otos' is not UTF-8: rename it"):
            opened(str(odd))


@pytest.mark.parametrize("encoding", ["PYTHONUTF8=1", "PYTHONUTF8=0"])
def test_valid_names_are_valid_in_any_locale(folder: Path, encoding: str) -> None:
    os.rename(folder / "dark", folder / "caf\u00e9")
    code = (
        "from hubel.data.sources import open_splits\n"
        "print(ascii(open_splits('photos').train.classes))"
    )
    variable, _, value = encoding.partition("=")
    surroundings = os.environ | {
        variable: value, "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"
    }  # fmt: skip
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=folder.parent, env=surroundings, capture_output=True,
        text=True, check=True,
    )  # fmt: skip
    assert told.stdout.strip() == r"('caf\xe9', 'grey', 'light')"


def test_a_glob_keeps_to_the_same_rules(folder: Path) -> None:
    (folder / "look").mkdir()
    (folder / "look" / LISTING).write_bytes(WROTE)
    for name in ("look/a.png", "__MACOSX/b.png", "dark/._c.png"):
        paint(folder / name, 0, 9)
    every = sorted(folder.rglob("*.png"))
    assert len(every) == 33
    assert len(list(among(every, folder))) == 30
    own = [folder / "look" / "a.png"]
    assert list(among(own, folder / "look")) == own  # named itself


def test_a_folder_that_may_not_be_looked_into(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_path: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(Failure, match=r"photos cannot be read: Permission denied"):
        listed(folder)
