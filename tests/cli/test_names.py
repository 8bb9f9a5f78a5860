"""Names that a terminal or a spreadsheet would obey are shown, not obeyed."""

import csv
import unicodedata
from pathlib import Path

import pytest

from hubel.legible import cell, from_cell
from hubel.report.html import _templates
from hubel.run import Run
from tests.conftest import Command, paint

CLASSES = ("=cat\x1b[31m", "@dog\x9b2J\u202e", "data:\x1b[1mfish")


def obeyed(text: str) -> set[str]:
    """What a terminal would act on."""
    return {c for c in text if (unicodedata.category(c) == "Cc" and c != "\n") or c == "\u202e"}


def test_commands_and_logs_show_them(hubel_command: Command, tmp_path: Path) -> None:
    folder = tmp_path / "ph\x1b]0;owned\x07otos"
    for k, name in enumerate(CLASSES):
        for i in range(10):
            paint(folder / name / f"={i}\x1b[7m.png", 100 * k + i, 40 + 80 * k)
    (folder / CLASSES[0] / "+broken\x1b[2J.png").write_bytes(b"no picture")
    run = tmp_path / "run"
    linear = ("--network", "linear", "--recipe", "fast", "--epochs", 1)
    said = [
        hubel_command("train", folder, *linear, "--out", run),
        hubel_command("predict", run, folder),
        hubel_command("predict", run, folder, "--csv"),
        hubel_command("train", tmp_path / "no\x1b[31m"),
    ]
    assert [answer.code for answer in said] == [0, 1, 1, 2]
    for answer in said:
        assert not obeyed(answer.out + answer.err)
    assert "�[31m" in said[1].out
    assert not obeyed((run / "log.txt").read_text(encoding="utf-8"))
    for row in csv.reader(said[2].out.splitlines()):
        assert not any(value.startswith(("=", "+", "-", "@")) for value in row)


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@a", "'=1", "'", "", "cat", "'tis", "\t=1"])
def test_a_cell_says_what_it_was_given(text: str, tmp_path: Path) -> None:
    assert from_cell(cell(text)) == text
    assert not cell(text).startswith(("=", "+", "-", "@", "\t"))
    run = Run.create("x", out=tmp_path / "run")
    run.write_table("names.csv", [{"name": text, "n": -0.5}])
    assert run.read_table("names.csv", dict[str, str]) == [{"name": text, "n": "-0.5"}]


def test_a_name_that_begins_like_a_picture_is_made_legible_on_a_page() -> None:
    page = _templates().from_string("{{ name }}|{{ picture }}")
    picture = "data:image/png;base64,iVBORw0KGgo="
    shown = page.render(name="data:image/png;base64,\x1b\u202e", picture=picture)
    assert shown == f"data:image/png;base64,��|{picture}"
