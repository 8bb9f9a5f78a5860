"""--quick: less of everything, what was asked for by name, and a sentence on what is left out."""

from pathlib import Path
from typing import Any

import pytest

from hubel.cli.quick import LESS
from tests.conftest import Command

COMMANDS = {
    "evaluate": ("evaluate", "hubel.verbs.evaluate.evaluate", {"baselines": False}),
    "look": ("look", "hubel.verbs.look.look", {"trust": False}),
    "look --units": ("look", "hubel.verbs.atlas.atlas", {"most": 16, "images": 1000}),
    "style": (
        "style", "hubel.verbs.style.style", {"style_weights": [10.0], "size": 128, "steps": 60}
    ),
    "break --by attacks": ("break", "hubel.verbs.attack.attack", {"images": 40, "checks": False}),
    "break --by corruptions": (
        "break", "hubel.verbs.corrupt.corrupt", {"images": 100, "severities": [1, 3, 5]}
    ),
    "break --by shape": ("break", "hubel.verbs.shape.shape_bias", {"images": 100, "pairs": 12}),
    "break --by fooling": ("break", "hubel.verbs.fool.fool", {"evaluations": 2000}),
}  # fmt: skip
WORDS = {
    "evaluate": ("model",),
    "look": ("model", "picture.png"),
    "look --units": ("model", "--units", "conv1"),
    "style": ("content.png", "style.png"),
}


class Enough(Exception):
    pass


def test_every_row_is_tried() -> None:
    assert COMMANDS.keys() == LESS.keys()


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> dict[str, Any]:
    """What the verb is called with."""
    heard: dict[str, Any] = {}

    def verb(*_: object, **how: object) -> None:
        heard.update(how)
        raise KeyboardInterrupt

    monkeypatch.setattr(COMMANDS[request.getfixturevalue("command")][1], verb)
    return heard


@pytest.mark.parametrize("command", COMMANDS)
def test_less_is_done_and_said(command: str, hubel_command: Command, given: dict[str, Any]) -> None:
    verb, _, expected = COMMANDS[command]
    words = WORDS.get(command, ("model", *command.split()[1:]))
    told = hubel_command(verb, *words, "--quick")
    assert f"Quick: {LESS[command].left_out}.\n" in told.err
    assert {name: given[name] for name in expected} == expected
    given.clear()
    told = hubel_command(verb, *words)
    assert "Quick" not in told.err
    assert all(given.get(name) != value for name, value in expected.items())


@pytest.mark.parametrize("command", ["break --by attacks"])
def test_what_is_asked_for_by_name_stays(
    command: str, hubel_command: Command, given: dict[str, Any], tmp_path: Path
) -> None:
    told = hubel_command("break", "model", "--quick", "--images", 7, "--out", tmp_path / "b")
    assert (given["images"], given["checks"]) == (7, False)
    assert "(but for what you asked for)" in told.err
