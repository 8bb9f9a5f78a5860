"""What is wrong with names alone is told before anything is decoded, hashed, fetched or loaded."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from hubel.data import samples
from hubel.networks import weights
from hubel.verbs import load
from tests.conftest import QUICK, Command, paint


@pytest.fixture
def no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever decodes, hashes, fetches or loads fails the test."""

    def refuse(what: str) -> Callable[..., object]:
        def refused(*_arguments: object, **_named: object) -> object:
            raise AssertionError(f"{what} before the cheap checks")

        return refused

    monkeypatch.setattr(samples, "decode", refuse("decoded"))
    monkeypatch.setattr("hubel.data.decoding.read", refuse("decoded"))
    monkeypatch.setattr("hubel.data.decoding.load", refuse("decoded"))
    monkeypatch.setattr(samples, "digest", refuse("hashed"))
    monkeypatch.setattr("hubel.fetch.get", refuse("fetched"))
    monkeypatch.setattr(weights, "load", refuse("loaded"))
    monkeypatch.setattr(load.Classifier, "load", refuse("loaded"))


MODEL = "efficientnet-lite0"
WITH_DATA = {
    "train": ("train",),
    "train from photographs": ("train", "--recipe", "finetune"),
    "restarts": ("train", *QUICK, "--restarts", 2),
    "evaluate": ("evaluate", MODEL),
    "attacks": ("break", MODEL),
    "corruptions": ("break", MODEL, "--by", "corruptions"),
    "shape": ("break", MODEL, "--by", "shape"),
}


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize("verb", WITH_DATA)
def test_an_empty_and_a_single_class(
    hubel_command: Command,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    verb: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (folder / "purple").mkdir()
    answer = hubel_command(*WITH_DATA[verb], folder)
    assert answer.code == 1
    assert "The class 'purple'" in answer.err
    for name in ("purple", "dark", "grey"):
        shutil.rmtree(folder / name)
    answer = hubel_command(*WITH_DATA[verb], folder)
    assert answer.code == 1
    assert "one class only, 'light'" in answer.err
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize(
    "verb", ["train", "restarts", "attacks", "corruptions", "shape", "look", "style", "predict",
             "data show", "augment"],
)  # fmt: skip
def test_an_out_that_cannot_be(
    hubel_command: Command, folder: Path, tmp_path: Path, verb: str
) -> None:
    picture = folder / "dark" / "0.png"
    asked: tuple[object, ...] = {
        "look": ("look", MODEL, picture),
        "style": ("style", picture, picture),
        "predict": ("predict", MODEL, picture),
        "data show": ("data", "show", folder),
        "augment": ("data", "show", folder, "--augment"),
    }.get(verb, (*WITH_DATA.get(verb, ()), folder))
    paint(tmp_path / "mine" / "thesis.png", 0, 9)
    outs = [tmp_path / "mine" / "thesis.png", tmp_path / "mine" / "thesis.png" / "deeper"]
    if verb not in ("data show", "augment"):  # these add to what is there
        outs.append(tmp_path / "mine")
    for out in outs:
        answer = hubel_command(*asked, "--out", out)
        assert answer.code in (1, 2), answer.err
        assert str(out.parent) in answer.err
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.png"]


@pytest.mark.usefixtures("no_work")
def test_pictures_that_are_not_there(hubel_command: Command, folder: Path, tmp_path: Path) -> None:
    gone = tmp_path / "gone.png"
    style = hubel_command("style", folder / "dark" / "0.png", gone, "--out", tmp_path / "s")
    assert style.code == 1
    assert "there is no such file" in style.err
    (tmp_path / "empty").mkdir()
    look = hubel_command("look", MODEL, tmp_path / "empty", "--out", tmp_path / "l")
    assert look.code == 2
    assert "no pictures in the folder" in look.err
    units = hubel_command(
        "look", MODEL, "--units", "stem", "--data", tmp_path / "empty", "--out", tmp_path / "u"
    )
    assert units.code == 1
    assert "no pictures here" in units.err


@pytest.mark.usefixtures("no_work")
def test_a_class_that_is_too_small_to_be_split(
    hubel_command: Command, folder: Path, tmp_path: Path
) -> None:
    paint(folder / "rare" / "0.png", 0, 0)
    answer = hubel_command("train", folder, *QUICK, "--out", tmp_path / "run")
    assert answer.code == 1
    assert "'rare' has 1 picture" in answer.err


@pytest.mark.usefixtures("no_work")
def test_names_that_are_not_utf8(
    hubel_command: Command, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/ph\xe9otos"))
    os.rename(folder, odd)
    monkeypatch.chdir(tmp_path)
    for asked in (*WITH_DATA.values(), ("data", "show")):
        answer = hubel_command(*asked, odd)
        assert answer.code == 2
        assert r"ph\xe9otos' is not UTF-8: rename it" in answer.err
    for name in ("runs", "break", "break-shape", "break-corruptions"):
        assert not (tmp_path / name).exists()
    paint(tmp_path / "good" / "a" / "0.png", 0, 9)
    answer = hubel_command("train", tmp_path / "good", *QUICK, "--out", f"{odd}-run")
    assert answer.code == 2
    assert "run folder" in answer.err
    monkeypatch.chdir(odd)  # and where one is, too
    answer = hubel_command("train", "digits", *QUICK)
    assert answer.code == 2
    assert sorted(path.name for path in odd.iterdir()) == ["dark", "grey", "light"]


def test_it_is_told_without_torch(folder: Path, tmp_path: Path) -> None:
    """Importing it takes seconds: what names alone tell does not wait for that."""
    (folder / "purple").mkdir()
    asked = [["train", folder], ["evaluate", MODEL, folder], ["break", MODEL, folder]]
    code = (
        "import sys; from hubel.cli import main\n"
        f"for asked in {[[str(word) for word in words] for words in asked]!r}:\n"
        "    sys.argv = ['hubel', *asked]\n"
        "    try: main()\n"
        "    except SystemExit as left: assert left.code == 1, left.code\n"
        "assert 'torch' not in sys.modules\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert told.stderr.count("The class 'purple'") == 3
