"""What the shell completes: names that are there, in no time, and never an error."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from hubel.cli import completion
from hubel.labs.lecture import labs
from hubel.model import Blueprint, Classifier
from hubel.networks import catalogue
from hubel.pixels import PixelSpec
from hubel.training.presets import RECIPES


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two runs, the second newer and with a model, a folder, a recipe."""
    monkeypatch.chdir(tmp_path)
    for n, name in enumerate(("old", "new")):
        recipe = Path("runs", name, "recipe.toml")
        recipe.parent.mkdir(parents=True)
        recipe.touch()
        os.utime(recipe, (n, n))
    network = torch.nn.Sequential()
    network.add_module("stem", torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3)))
    network.add_module("head", torch.nn.Linear(2, 2))
    Classifier(
        network, classes=("a", "b"), pixels=PixelSpec((4, 4), channels=1), blueprint=Blueprint("x")
    ).save("runs/new/model")
    Path("photos").mkdir()
    Path(".hidden").mkdir()
    Path("own.toml").touch()
    return tmp_path


def context(**given: object) -> Any:
    return SimpleNamespace(params=given)


def test_each_by_what_is_there() -> None:
    assert completion.networks("vgg1")[:2] == ["vgg11", "vgg11-lrn"]
    assert completion.networks("") == list(catalogue.CATALOGUE)
    assert completion.runs("") == ["runs/new", "runs/old"]
    assert completion.runs("runs/o") == ["runs/old"]
    found = completion.models("")
    assert found[:2] == ["runs/new", "runs/old"]
    assert "efficientnet-lite0" in found
    assert "mlp" not in found  # it has no weights to answer with
    assert completion.recipes("") == [*RECIPES, "own.toml"]
    assert completion.data_sets("p") == ["photos/"]
    assert {"digits", "photos/"} < set(completion.data_sets(""))
    assert ".hidden/" not in completion.data_sets("")
    assert completion.published("digi") == ["digits"]


def test_layers_of_the_model_that_is_named_or_of_the_newest_run() -> None:
    for model in ("runs/new", "runs/new/model", None):
        assert sorted(completion.layers(context(model=model), "")) == ["head", "stem", "stem.0"]
    assert completion.layers(context(), "he") == ["head"]
    assert completion.layers(context(model="runs/old"), "") == []


FUNCTIONS: dict[str, Callable[[str], list[str]]] = {
    "networks": completion.networks,
    "runs": completion.runs,
    "models": completion.models,
    "recipes": completion.recipes,
    "data_sets": completion.data_sets,
    "published": completion.published,
    "layers": lambda incomplete: completion.layers(context(), incomplete),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_none_ever_raises(name: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for odd in ("\0", "*", "[", "é", "\udcff", "a" * 10_000):
        assert FUNCTIONS[name](odd) == []
    gone = home / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert isinstance(FUNCTIONS[name](""), list)


def test_of_damaged_weights_no_layers() -> None:
    Path("runs/new/model/model.safetensors").write_bytes(b"\xff" * 40)
    assert completion.layers(context(model="runs/new"), "") == []


ASKED = {
    "hubel predict runs/n": ["runs/new"],
    "hubel evaluate runs/o": ["runs/old"],
    "hubel break runs/new photos --against runs/o": ["runs/old"],
    "hubel break runs/new pho": ["photos/"],
    "hubel look runs/new --units h": ["head"],
    "hubel look --layer stem.": ["stem.0"],
    "hubel train pho": ["photos/"],
    "hubel train --from runs/o": ["runs/old"],
    "hubel train --network vgg16-1": ["vgg16-1x1"],
    "hubel train --recipe ow": ["own.toml"],
    "hubel train --resume runs/n": ["runs/new"],
    "hubel networks vgg16-1": ["vgg16-1x1"],
    "hubel data get digi": ["digits"],
    "hubel data show pho": ["photos/"],
    "hubel style a.png b.png --network runs/n": ["runs/new"],
    "hubel lab backprop --network vgg16-1": ["vgg16-1x1"],
    "hubel lab ": sorted(labs()),
}


def test_through_the_shells_protocol_without_torch() -> None:
    """In one process, which answers one after the other: each start of Python takes a second."""
    program = f"""
import os, sys
from hubel.cli import app
for words in {list(ASKED)}:
    given = words.split()
    at = len(given) - (not words.endswith(" "))
    os.environ |= {{"COMP_WORDS": words, "COMP_CWORD": str(at), "_HUBEL_COMPLETE": "complete_bash"}}
    try:
        app(prog_name="hubel")
    except SystemExit:
        print("end of", words)
assert "torch" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    found: dict[str, list[str]] = {}
    said: list[str] = []
    for line in done.stdout.splitlines():
        if line.startswith("end of "):
            found[line.removeprefix("end of ")], said = said, []
        else:
            said.append(line)
    assert {words: sorted(names) for words, names in found.items()} == ASKED
