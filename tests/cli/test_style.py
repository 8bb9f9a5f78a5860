"""hubel style on the command line."""

import io
import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import Command


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where content.png and style.png are."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (30, 20, 3), dtype=np.uint8)).save("content.png")
    Image.fromarray(rng.integers(0, 99, (16, 40, 3), dtype=np.uint8)).save("style.png")
    return tmp_path


def test_files_json_and_mistakes(hubel_command: Command, place: Path) -> None:
    asked = ("style", "content.png", "style.png", "--size", 48, "--weight", "3,40", "--threads", 1)
    answer = hubel_command(*asked, "--steps", 2)
    assert answer.code == 0, answer.err
    assert "those of efficientnet-lite" in answer.out
    assert f"Grid  {place / 'style' / 'grid.png'}" in answer.out
    answer = hubel_command(*asked, "--steps", 3, "--resume", "--json")
    assert answer.code == 0, answer.err
    told = json.loads(answer.out)
    assert [(row["weight"], row["steps"]) for row in told["pictures"]] == [(3, 3), (40, 3)]
    for row in told["pictures"]:
        Image.open(io.BytesIO(Path(row["file"]).read_bytes())).verify()
    page = (place / "style" / "style.html").read_text(encoding="utf-8")
    assert told["page"] == str(place / "style" / "style.html")
    assert page.count("data:image/") == 5  # content, style, two results, curves
    assert "hubel style content.png style.png" in page
    assert str(place) not in page
    facts = json.loads((place / "style" / "style.json").read_text())
    assert (facts["content"], facts["network"]) == ("content.png", "efficientnet-lite0")
    assert str(place) not in json.dumps(facts)
    for words, code, message in (
        (("--weight", "1,much"), 2, "takes numbers, as in 1,10,100; not 'much'"),
        (("--content", "stem,stem"), 2, "--content names stem twice"),
        (("--style-layers", "stem=a"), 2, "--style-layers stem= takes numbers"),
        (("--style-layers", "stem,"), 2, "takes names of layers"),
        (("--content", "blocks.99"), 2, "There is no layer 'blocks.99'. Did you mean 'blocks.9'"),
        (("--device", "gpu"), 2, "--device is auto"),
    ):
        answer = hubel_command(*asked, *words, "--out", "other")
        assert (answer.code, answer.out) == (code, "")
        assert message in answer.err
    answer = hubel_command("style", "none.png", "style.png", "--out", "other")
    assert answer.code == 1
    assert "none.png" in answer.err
    assert not (place / "other").exists()


@pytest.mark.slow
def test_interrupted_the_same_command_goes_on(
    hubel_command: Command, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def press(_self: object, stage: str, done: int, total: int, detail: str = "") -> None:
        if (stage, done) == ("paint", 1):
            os.kill(os.getpid(), signal.SIGINT)

    asked = ("style", "content.png", "style.png", "--size", 32, "--weight", 1, "--steps", 3)
    with monkeypatch.context() as patch:
        patch.setattr("hubel.verbs.watch.Lines.progress", press)
        answer = hubel_command(*asked)
    assert answer.code == 130
    assert "the same command goes on" in answer.err
    assert "after 1 steps" in answer.out
    answer = hubel_command(*asked)
    assert answer.code == 0, answer.err
    assert "Going on at step 1 of style weight 1" in answer.err
    assert "after 3 steps" in answer.out
