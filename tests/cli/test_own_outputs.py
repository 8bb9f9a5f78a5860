"""In the folder of the pictures itself: what hubel writes there is never data."""

import json
from pathlib import Path

import pytest

from tests.conftest import QUICK, Command, paint


def test_trained_looked_at_and_shown_where_the_pictures_are(
    hubel_command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    first = hubel_command("train", ".", *QUICK)
    assert first.code == 0, first.err
    run = next((folder / "runs").iterdir())
    answer = hubel_command("predict", run, "dark", "--out", "answers")
    assert answer.code == 0, answer.err
    assert (folder / "answers" / "predict.html").is_file()
    answer = hubel_command("break", run, "--by", "corruptions", "--corruption", "brightness",
                           "--severity", 1, "--out", "broken")  # fmt: skip
    assert answer.code == 0, answer.err
    # what is measured, gone on with, and trained anew is what it was
    assert hubel_command("evaluate", run, "--no-baselines").code == 0
    assert hubel_command("train", "--resume", run).code == 0
    again = hubel_command("train", ".", *QUICK)
    assert again.code == 0, again.err
    runs = sorted((folder / "runs").iterdir())
    assert len(runs) == 2
    listed = [(path / "splits.csv").read_text() for path in runs]
    assert listed[0] == listed[1]
    assert json.loads((runs[1] / "classes.json").read_text()) == {
        "classes": ["dark", "grey", "light"]
    }
    # pictures that hubel made are no pictures to answer for, but where they are named
    every = json.loads(hubel_command("predict", run, ".", "--json").out)
    assert len(every) == 30
    globbed = json.loads(hubel_command("predict", run, "**/*.png", "--json").out)
    assert len(globbed) == 30
    refused = hubel_command("predict", run, "runs")
    assert refused.code == 2
    assert "but for what hubel itself wrote" in refused.err


def test_predict_names_what_it_leaves_out(
    hubel_command: Command, folder: Path, tmp_path: Path
) -> None:
    trained = hubel_command("train", folder, *QUICK, "--out", tmp_path / "run")
    assert trained.code == 0, trained.err
    for litter in (".thumbnails/a.png", "__MACOSX/b.png", "dark/._a.PNG"):
        paint(folder / litter, 0, 9)
    paint(tmp_path / "elsewhere" / "c.png", 0, 9)
    (folder / "linked").symlink_to(tmp_path / "elsewhere")
    (folder / "photo.heic").write_bytes(b"\0\0\0\x18ftypheic")
    answer = hubel_command("predict", tmp_path / "run", folder, "--top", 1, "--json")
    assert answer.code == 0, answer.err
    names = [each["image"] for each in json.loads(answer.out)]
    assert len(names) == 31
    assert str(folder / "linked" / "c.png") in names
    assert "photo.heic (it is HEIC" in answer.err


def test_totals_and_a_gallery(hubel_command: Command, folder: Path, tmp_path: Path) -> None:
    many = (*QUICK[:3], 20, *QUICK[4:])
    trained = hubel_command("train", folder, *many, "--out", tmp_path / "run")
    assert trained.code == 0, trained.err
    (folder / "dark" / "bad & broken.png").write_bytes(b"no picture")
    answer = hubel_command("predict", tmp_path / "run", folder, "--top", 1)
    assert answer.code == 1  # one could not be read
    told = answer.out[answer.out.index("Totals of 30 pictures") :].splitlines()[1:]
    counts = {line.split()[1]: int(line.split()[0]) for line in told}
    assert sum(counts.values()) == 30
    assert list(counts.values()) == sorted(counts.values(), reverse=True)
    out = tmp_path / "answers"
    found = json.loads(
        hubel_command("predict", tmp_path / "run", folder, "--out", out, "--json").out
    )
    assert found["totals"] == counts
    assert found["page"] == str(out / "predict.html")
    kept = json.loads((out / "predict.json").read_text())
    assert kept["pictures"] == found["pictures"]
    page = (out / "predict.html").read_text()
    assert page.count("<img") == 30
    assert "bad &amp; broken.png" in page
    # it is replaced by another, and nothing else is
    paint(tmp_path / "mine" / "thesis.png", 0, 9)
    refused = hubel_command("predict", tmp_path / "run", folder, "--out", tmp_path / "mine")
    assert refused.code == 2
    assert (tmp_path / "mine" / "thesis.png").is_file()
    assert hubel_command("predict", tmp_path / "run", folder / "dark", "--out", out).code == 1


def test_the_gallery_of_many_shows_the_surest_and_the_least_sure() -> None:
    from hubel.results import Prediction
    from hubel.verbs.gallery import _surest

    found = [Prediction(str(i), (("a", i / 100),)) for i in range(50)]
    found[7] = Prediction("7", (("b", 0.9),))
    assert _surest(found, "a", 5) == [49, 48, 2, 1, 0]
    assert len(_surest(found, "a", 60)) == 49
    assert _surest(found, "b", 5) == [7]
