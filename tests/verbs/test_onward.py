"""How pages end: commands that there are, with what is known, and links to what is there."""

import shlex
from pathlib import Path
from string import Formatter
from typing import Any
from urllib.parse import unquote

import pytest
import typer.main

from hubel.cli import app
from hubel.labs import page as lecture
from hubel.labs import run as lab
from hubel.networks.catalogue import CATALOGUE
from hubel.training.presets import RECIPES
from hubel.training.recipe import Recipe
from hubel.verbs import (
    atlas,
    attack,
    corrupt,
    fooling,
    gallery,
    look,
    report,
    shape,
)
from hubel.verbs.onward import NEXT, PAGES, onward, spelled

EVERY = sorted({command for rows in NEXT.values() for command, _ in rows})


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run's folder as far as it is looked at, in the current one."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "runs" / "my run"
    folder.mkdir(parents=True)
    (folder / "recipe.toml").write_text(Recipe(data="digits").as_toml())
    return folder


@pytest.mark.parametrize("words", EVERY)
def test_every_command_is_one(words: str) -> None:
    fields = [name for _, name, _, _ in Formatter().parse(words) if name]
    first, name, *rest = shlex.split(words.format_map(dict.fromkeys(fields, "losses")))
    group: Any = typer.main.get_command(app)
    assert first == "hubel"
    command = group.commands[name]
    if name == "lab":
        rest = [each for each in rest if each not in ("losses", "NAME")]
        command = command if rest == ["--all"] else command.commands["losses"]
        if rest and rest[0] in lab.labs():
            return
    with command.make_context(name, rest, resilient_parsing=True) as context:
        assert not context.args
    known = {option for each in command.params for option in each.opts}
    assert {word for word in rest if word.startswith("--")} <= known
    if "--recipe" in rest:
        assert rest[rest.index("--recipe") + 1] in RECIPES
    if "--network" in rest and name == "style":
        assert rest[rest.index("--network") + 1] in CATALOGUE
    if "--set" in rest:
        assert rest[rest.index("--set") + 1].partition("=")[0] in Recipe.model_fields


def test_every_page_about_a_model_can_be_linked() -> None:
    modules = (report, look, atlas, attack, corrupt, shape, fooling, gallery)
    assert {module.PAGE for module in modules} == set(PAGES)
    assert {lab.PAGE, lecture.PAGE}.isdisjoint(PAGES)


def test_a_run_is_named_as_it_is_typed(run: Path) -> None:
    commands = [words for words, _ in onward("attack", run).commands]
    assert commands[0] == "hubel break 'runs/my run' --by corruptions"
    assert commands[-1] == "hubel train digits --recipe adversarial-fast"
    assert shlex.split(commands[0])[2] == "runs/my run"


def test_a_run_elsewhere_is_named_without_its_path(
    run: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "other"))
    monkeypatch.chdir(tmp_path / "other")
    found = onward("attack", run.resolve())
    assert found.above == "my run"
    assert found.commands[0][0] == "hubel break 'my run' --by corruptions"
    assert str(tmp_path) not in str(found)


def test_what_is_not_known_is_not_advised(run: Path) -> None:
    def words(*args: Any, **known: str | None) -> list[str]:
        return [command for command, _ in onward(*args, **known).commands]

    assert words("report", run, untested="")[0] == "hubel evaluate 'runs/my run'"
    assert "evaluate" not in " ".join(words("report", run, untested=None))
    assert words("look", "vgg16", layer="conv1_1") == [
        "hubel look vgg16 --units conv1_1 --data FOLDER", "hubel break vgg16",
    ]  # fmt: skip
    assert "train" not in " ".join(words("attack", "vgg16"))
    assert words("lab", name="losses") == ["hubel lab losses --full", "hubel lab --all"]
    assert words("style", content=None, style="a.png") == []


def test_links_lead_to_pages_that_are_there(run: Path, tmp_path: Path) -> None:
    page = run / "break" / "attack.html"
    assert onward("attack", run, page).pages == []
    for name in ("report.html", "look/look.html", "two words/corruptions.html", "look/notes.html",
                 "break-2/attack.html"):  # fmt: skip
        (run / name).parent.mkdir(exist_ok=True)
        (run / name).write_text("")
    found = onward("attack", run, page).pages
    assert [name for _, name in found] == [
        "its training",
        "what its answers rest on",
        "corruptions",
    ]
    assert found[0][0] == "../report.html"
    for address, _ in found:
        assert (page.parent / unquote(address)).resolve().is_file()
    assert onward("report", run, run / "report.html").pages[0][0] == "look/look.html"
    assert onward("attack", run, tmp_path / "elsewhere" / "attack.html").pages == []


def test_how_paths_are_spelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("home/my run", "here", "else"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "here")
    assert spelled(tmp_path / "home" / "my run") == "~/'my run'"
    assert spelled(tmp_path / "here") == "."
    assert spelled(tmp_path / "else") is None
    assert spelled("resnet18") == "resnet18"
