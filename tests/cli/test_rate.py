"""`--lr auto`: a number in the recipe, a sentence that says why, and the very training it gives."""

import json
import re
import tomllib
from pathlib import Path

import pytest
import safetensors.torch
import torch

from tests.conftest import QUICK, Command

MLP = ("train", "digits", "--network", "mlp", "--epochs", 1, "--threads", 1)


def recipe(run: Path) -> dict[str, object]:
    return tomllib.loads((run / "recipe.toml").read_text())


def weights(run: Path) -> dict[str, torch.Tensor]:
    return safetensors.torch.load_file(run / "model" / "model.safetensors")


@pytest.mark.parametrize("optimiser", ["sgd", "adamw", "muon"])
def test_the_rate_is_found_said_and_nothing_else_is_changed(
    hubel_command: Command, tmp_path: Path, optimiser: str
) -> None:
    chosen = ("--set", f"optimiser={optimiser}", "--set", "rotate=5")
    found, named = tmp_path / "found", tmp_path / "named"
    told = hubel_command(*MLP, *chosen, "--lr", "auto", "--out", found)
    assert told.code == 0, told
    rate = recipe(found)["lr"]
    assert isinstance(rate, float)
    assert 1e-5 < rate < 5
    sentence = next(line for line in told.err.splitlines() if line.startswith("lr=auto"))
    assert re.match(rf"lr=auto: {rate:g}, at which the loss had done 95 % of its fall", sentence)
    assert sentence in json.loads((found / "status.json").read_text())["notices"]
    # the rate by its number: the same recipe and bit for bit the same weights
    assert hubel_command(*MLP, *chosen, "--lr", rate, "--out", named).code == 0
    assert recipe(named) == recipe(found)
    mine, theirs = weights(found), weights(named)
    assert all(torch.equal(mine[name], theirs[name]) for name in theirs)
    assert mine.keys() == theirs.keys()


@pytest.mark.slow
def test_another_seed_finds_its_own_and_the_same_seed_the_same(
    hubel_command: Command, tmp_path: Path
) -> None:
    rates = []
    for i, seed in enumerate((0, 0, 5)):
        out = tmp_path / str(i)
        assert hubel_command(*MLP, "--lr", "auto", "--seed", seed, "--out", out).code == 0
        rates.append(recipe(out)["lr"])
    assert rates[0] == rates[1] != rates[2]


@pytest.mark.slow
def test_also_from_a_setting_and_from_a_recipe_file_over_the_full_batch(
    hubel_command: Command, folder: Path, tmp_path: Path
) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text('lr = "auto"\nbatch_size = "all"\n')
    first, second, third = (tmp_path / name for name in ("first", "second", "third"))
    told = hubel_command("train", folder, *QUICK, "--recipe", mine, "--out", first)
    assert told.code == 0, told
    again = hubel_command(
        *("train", folder, *QUICK, "--recipe", "fast", "--set", "lr=auto"),
        *("--batch-size", "all", "--out", second),
    )
    assert again.code == 0, again
    assert isinstance(recipe(first)["lr"], float)
    assert isinstance(recipe(second)["lr"], float)
    # a number on the command line is over the file's
    fixed = hubel_command("train", folder, *QUICK, "--recipe", mine, "--lr", "0.01", "--out", third)
    assert fixed.code == 0
    assert "lr=auto" not in fixed.err
    assert recipe(third)["lr"] == 0.01


@pytest.mark.slow
def test_restarts_have_one_rate_for_all(
    hubel_command: Command, folder: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    told = hubel_command("train", folder, *QUICK, "--restarts", 2, "--lr", "auto", "--out", run)
    assert told.code == 0, told
    assert told.err.count("lr=auto") == 1
    other = next((run / "trials").iterdir())
    assert recipe(run)["lr"] == recipe(other)["lr"] != 0.02
    assert recipe(run)["trial"] != recipe(other)["trial"]


@pytest.mark.slow
def test_a_start_keeps_what_it_learned(
    hubel_command: Command, folder: Path, tmp_path: Path
) -> None:
    begun, found, named = (tmp_path / name for name in ("begun", "found", "named"))
    small = ("--threads", 1, "--set", "size=16", "--set", "batch_size=6")
    network = ("--network", "small", "--epochs", 1, "--set", "arguments.widths=[4, 4, 8]")
    assert hubel_command("train", folder, *small, *network, "--out", begun).code == 0
    going = ("train", folder, "--from", begun, "--epochs", 3, *small)
    told = hubel_command(*going, "--lr", "auto", "--out", found)
    assert told.code == 0, told
    rate = recipe(found)["lr"]
    assert f"lr=auto: {rate:g}" in told.err
    assert hubel_command(*going, "--lr", rate, "--out", named).code == 0
    mine, theirs = weights(found), weights(named)
    assert all(torch.equal(mine[name], theirs[name]) for name in theirs)


BAD = {
    "a word": (("--lr", "fast"), "'fast'", "auto"),
    "a word in a setting": (("--set", "lr=quick"), "'quick'", "auto"),
    "both": (("--lr", "auto", "--set", "lr=0.1"), "lr has a place of its own", "--set"),
    "not a number": (("--lr", "nan"), "nan", "finite"),
    "infinite": (("--lr", "inf"), "inf", "finite"),
    "nothing": (("--lr", ""), "''", "auto"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_no_rate_is_said_in_a_sentence(
    hubel_command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    monkeypatch.chdir(tmp_path)
    words, offending, hint = BAD[case]
    told = hubel_command("train", "digits", "--network", "linear", *words)
    assert told.code == 2, told
    assert offending in told.err
    assert hint in told.err
    assert len(told.err.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_resumed_run_keeps_its_rate(hubel_command: Command, tmp_path: Path) -> None:
    run = tmp_path / "run"
    stopped = hubel_command(
        *(*MLP[:4], "--epochs", 2, "--threads", 1, "--lr", "auto"),
        *("--minutes", 1e-6, "--out", run),
    )
    assert stopped.code == 0, stopped
    rate = recipe(run)["lr"]
    refused = hubel_command("train", "--resume", run, "--lr", "auto")
    assert refused.code == 2
    assert "give only --resume" in refused.err
    told = hubel_command("train", "--resume", run)
    assert told.code == 0
    assert "lr=auto" not in told.err
    assert recipe(run)["lr"] == rate


def test_where_no_rate_helps_it_is_said_and_nothing_is_left(
    hubel_command: Command, tmp_path: Path
) -> None:
    # a penalty so strong that its own steps, far too long, throw the weights about at once
    out = tmp_path / "run"
    told = hubel_command(
        *(*MLP, "--set", "optimiser=sgd", "--set", "l2=1e6", "--lr", "auto", "--out", out)
    )
    assert told.code == 1, told
    assert "No rate from 1e-06 to 10 made the loss any lower" in told.err
    assert not out.exists()
