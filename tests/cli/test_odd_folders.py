"""Folders as they come: odd names, odd sizes, too many, changing under our hands."""

import os
from pathlib import Path

import pytest
from PIL import Image

from hubel.data import decoding
from hubel.verbs import duplicates, inspection
from tests.conftest import QUICK, Command, paint


def test_classes_that_differ_in_case_alone_are_told_of(
    hubel_command: Command, folder: Path, tmp_path: Path
) -> None:
    for i in range(8):
        paint(folder / "Dark" / f"{i}.png", 900 + i, 70)
    answer = hubel_command("train", folder, *QUICK, "--out", tmp_path / "run")
    assert answer.code == 0, answer.err
    assert "Dark and dark differ in the case of their letters alone" in answer.err


@pytest.mark.slow
def test_names_in_any_script(hubel_command: Command, folder: Path, tmp_path: Path) -> None:
    names = ["a b.png", "två\nrader.png", "кот.png", "猫.png", "🐈.png", "قط.png"]
    for i, name in enumerate(names):
        paint(folder / "dark" / name, 700 + i, 40)
    trained = hubel_command("train", folder, *QUICK, "--out", tmp_path / "run")
    assert trained.code == 0, trained.err
    shown = hubel_command("data", "show", folder, "--out", tmp_path / "looked")
    assert shown.code == 0, shown.err
    assert hubel_command("evaluate", tmp_path / "run").code == 0
    listed = (tmp_path / "run" / "splits.csv").read_text()
    assert all(name in listed for name in names)


@pytest.mark.slow
def test_the_smallest_and_too_large_pictures(
    hubel_command: Command, folder: Path, tmp_path: Path
) -> None:
    Image.new("RGB", (1, 1)).save(folder / "dark" / "one.png")
    Image.new("1", (20_000, 20_000)).save(folder / "grey" / "huge.png")
    shown = hubel_command("data", "show", folder, "--out", tmp_path / "looked")
    assert shown.code == 0
    assert "from 1×1 to 12×12" in shown.out
    assert "grey/huge.png: it has more than 100,000,000 pixels" in shown.out
    for i in range(12):  # so that one bad picture is within the share that is borne
        paint(folder / "grey" / f"more{i}.png", 300 + i, 120)
    trained = hubel_command("train", folder, *QUICK, "--seed", 1, "--out", tmp_path / "run")
    assert trained.code == 0, trained.err
    assert "grey/huge.png" in trained.err


def test_too_many_to_compare_are_trained_on_and_it_is_said(
    hubel_command: Command, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duplicates, "MOST", 20)
    monkeypatch.setattr(inspection, "MOST", 20)
    trained = hubel_command("train", folder, *QUICK, "--out", tmp_path / "run")
    assert trained.code == 0
    assert "Copies were not looked for among 30 pictures" in trained.err
    shown = hubel_command("data", "show", folder, "--out", tmp_path / "looked")
    assert "Of the 30 pictures 20 were looked at." in shown.out


def test_a_class_of_three_beside_a_large_one(
    hubel_command: Command, folder: Path, tmp_path: Path
) -> None:
    for i in range(60):
        paint(folder / "light" / f"more{i}.png", 400 + i, 210)
    for i in range(3):
        paint(folder / "rare" / f"{i}.png", 800 + i, 5)
    answer = hubel_command(
        "train", folder, *QUICK, "--set", "class_weights=auto", "--out", tmp_path / "run"
    )
    assert answer.code == 0, answer.err
    assert "rare 1: a picture weighs the more" in answer.err
    two = folder / "rare" / "2.png"
    two.unlink()
    answer = hubel_command("train", folder, *QUICK, "--out", tmp_path / "run2")
    assert answer.code == 1
    assert "'rare' has 2 pictures" in answer.err


def test_links_and_loops_of_links(hubel_command: Command, folder: Path, tmp_path: Path) -> None:
    (folder / "dark" / "again").symlink_to(folder / "dark")
    (folder / "dark" / "up").symlink_to(folder)
    (folder / "dark" / "elsewhere").symlink_to(tmp_path / "other")
    paint(tmp_path / "other" / "x.png", 77, 40)
    (folder / "dark" / "nowhere.png").symlink_to(tmp_path / "gone.png")
    shown = hubel_command("data", "show", folder, "--out", tmp_path / "looked")
    assert shown.code == 0
    assert "dark/nowhere.png: there is no such file" in shown.out
    assert "dark         12" in shown.out or "dark   12" in " ".join(shown.out.split("\n"))


@pytest.mark.parametrize("how", ["vanish", "change"])
def test_files_that_go_while_they_are_looked_through(
    hubel_command: Command, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """What was split and then is gone is named; the training goes on, or says why it cannot."""
    for i in range(20):
        paint(folder / "dark" / f"more{i}.png", 600 + i, 40)
    victim = folder / "dark" / "more7.png"
    real = decoding._decode

    def meddled(*arguments: object, **named: object) -> object:
        if victim.exists():
            if how == "vanish":
                os.unlink(victim)
            else:
                victim.write_bytes(b"something else")
        return real(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(decoding, "_decode", meddled)
    answer = hubel_command("train", folder, *QUICK, "--seed", 1, "--out", tmp_path / "run")
    assert answer.code == 0, answer.err
    assert "dark/more7.png" in answer.err
