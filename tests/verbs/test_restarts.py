"""Random restarts: all from one plan, whatever stops them, and the best of them kept."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

import hubel
from hubel.mistakes import Failure, Mistake
from tests.conftest import Command

TOLD: dict[str, Any] = {"network": "linear", "size": 8, "epochs": 2, "threads": 1}


def split_of(run: Path) -> dict[str, str]:
    with (run / "splits.csv").open(newline="") as file:
        return {row["name"]: row["split"] for row in csv.DictReader(file)}


def weights(run: Path) -> list[torch.Tensor]:
    return list(hubel.load(run).state_dict().values())


def test_the_best_is_kept_and_all_are_told_of(folder: Path, tmp_path: Path) -> None:
    several = hubel.restart(folder, restarts=3, out=tmp_path / "run", **TOLD)
    rows = several.trials
    best = max(rows, key=lambda row: row.validation_accuracy)
    assert [row.kept for row in rows] == [row is best for row in rows]
    assert several.best.validation.accuracy == best.validation_accuracy
    assert several.best.run == several.run
    assert len({row.training_loss for row in rows}) == 3  # other draws
    page = (tmp_path / "run" / "report.html").read_text()
    assert "Its 3 trials" in page
    assert hubel.evaluate(tmp_path / "run", baselines=False).n > 0
    splits = [split_of(path) for path in (tmp_path / "run", *(tmp_path / "run/trials").iterdir())]
    assert all(split == splits[0] for split in splits)  # the same split


@pytest.mark.slow
def test_the_lowest_training_error_can_be_kept(folder: Path, tmp_path: Path) -> None:
    told = {**TOLD, "epochs": 1}
    rows = hubel.restart(folder, restarts=4, keep="training", out=tmp_path / "run", **told).trials
    merits = [(row.training_accuracy, -row.training_loss) for row in rows]
    assert [row.kept for row in rows] == [merit == max(merits) for merit in merits]


@pytest.mark.slow
def test_stopped_restarts_go_on_as_they_would_have_gone(
    folder: Path, tmp_path: Path, hubel_command: Command
) -> None:
    whole = hubel.restart(folder, restarts=2, out=tmp_path / "whole", keep="training", **TOLD)
    run = tmp_path / "run"
    begun = (*("--network", "linear", "--set", "size=8", "--epochs", 2), *("--threads", 1))
    told = hubel_command(
        *("train", folder, "--restarts", 2, "--keep", "training", "--out", run, *begun),
        *("--minutes", 1e-6),
    )
    assert told.code == 0
    assert "best so far of 2 trials" in told.out
    report = next(line for line in told.out.splitlines() if line.startswith("Report"))
    assert Path(report.removeprefix("Report").strip()).is_file()
    assert not (run / "recipe.toml").exists()
    # another sitting stops the second trial, or the first once more
    hubel_command("train", "--resume", run, "--minutes", 1e-6)
    told = hubel_command("train", "--resume", run)
    assert told.code == 0
    assert "Kept the best of 2 trials" in told.out
    mine, theirs = weights(run), weights(whole.run)
    assert all(torch.equal(a, b) for a, b in zip(mine, theirs, strict=True))


def test_killed_as_a_trial_began(folder: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    hubel.restart(folder, restarts=2, out=run, minutes=1e-6, **TOLD)
    (run / "trials" / "2").mkdir()
    (run / "trials" / "2" / "lock").touch()  # the first file of all
    (run / "trials" / "2" / "environment.json").write_text("{}")
    assert len(hubel.restart(resume=run).trials) == 2


def test_killed_while_the_kept_trial_became_the_run(folder: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    several = hubel.restart(folder, restarts=2, out=run, **TOLD)
    before = weights(run)
    kept = next(trial.number for trial in several.trials if trial.kept)
    back = run / "trials" / str(kept)
    back.mkdir()
    for name in ("recipe.toml", "environment.json", "checkpoints", "splits.csv", "classes.json"):
        shutil.move(run / name, back / name)
    again = hubel.restart(resume=run)
    assert again.trials == several.trials
    assert all(torch.equal(a, b) for a, b in zip(before, weights(run), strict=True))
    assert not back.exists()


def test_a_wrong_plan_leaves_no_folder(folder: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    with pytest.raises(Mistake, match="network"):
        hubel.restart(folder, restarts=2, out=run, network="liner")
    with pytest.raises(Failure, match="has 10 picture"):
        hubel.restart(folder, restarts=2, out=run, validation=0.55, test=0.4, **TOLD)
    with pytest.raises(Mistake, match="trial"):
        hubel.restart(folder, restarts=2, out=run, trial=1, **TOLD)
    assert not run.exists()


def test_what_is_refused(folder: Path, tmp_path: Path, hubel_command: Command) -> None:
    for said in (("--restarts", 1), ("--restarts", 2, "--keep", "best"), ("--keep", "training")):
        told = hubel_command("train", folder, *said, "--network", "linear")
        assert (told.code, len(told.err.splitlines())) == (2, 1), told.err
    run = tmp_path / "run"
    hubel.restart(folder, restarts=2, out=run, minutes=1e-6, **TOLD)
    for extra in (("--restarts", 3), ("--lr", 0.5), ("--keep", "training"), ("--out", tmp_path)):
        told = hubel_command("train", "--resume", run, *extra)
        assert told.code == 2, told.err
        assert "give only --resume" in told.err
    plan = json.loads((run / "restarts.json").read_text())
    (run / "restarts.json").write_text(json.dumps({**plan, "restarts": "many"}))
    told = hubel_command("train", "--resume", run)
    assert (told.code, "damaged" in told.err) == (1, True), told.err


def test_from_another_folder(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    hubel.restart(folder.name, restarts=2, out="run", minutes=1e-6, **TOLD)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert len(hubel.restart(resume=folder.parent / "run").trials) == 2
