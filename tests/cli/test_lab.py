"""hubel lab: the list, one lab, the calculator, and words that are wrong."""

import json
from pathlib import Path

import pytest

from hubel.labs.lecture import labs
from tests.conftest import Command


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_list_is_in_the_lectures_order(hubel_command: Command) -> None:
    answer = hubel_command("lab")
    assert answer.code == 0
    places = [answer.out.index(f"\n{name} ") for name in labs()]
    assert places == sorted(places)
    rows = json.loads(hubel_command("lab", "--json").out)
    assert [row["lab"] for row in rows] == list(labs())
    assert rows[0]["claims"]["L1"].startswith("ImageNet 2012")


def test_a_lab_is_run_and_told(hubel_command: Command, tmp_path: Path) -> None:
    answer = hubel_command("lab", "networks", "--quick")
    assert answer.code == 0
    assert "verdict   holds" in answer.out
    assert "erratum" in answer.out
    assert (tmp_path / "labs" / "networks" / "networks.png").is_file()
    told = json.loads(hubel_command("lab", "networks", "--quick", "--json").out)
    assert [row["id"] for row in told["findings"]] == ["L1", "L2", "L27", "L28", "L29", "L30"]


def test_the_calculator(hubel_command: Command, tmp_path: Path) -> None:
    layer = "--size 32 --filter 5 --stride 1 --pad 2 --filters 10 --channels 3"
    answer = hubel_command("lab", "convolution", *layer.split())
    assert answer.code == 0
    assert "→ 32×32×10" in answer.out
    assert "760 parameters" in answer.out
    assert "verdict" not in answer.out  # it was asked to calculate
    assert (tmp_path / "labs" / "convolution" / "positions.png").is_file()
    refused = hubel_command("lab", "convolution", "--size", 7, "--filter", 3, "--stride", 3)
    assert refused.code == 2
    assert "2.33" in refused.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("loses",), "Did you mean 'losses'"),
        (("losses", "--full", "--quick"), "exclude each other"),
        (("--full", "losses"), "hubel lab losses --full"),
        (("--full",), "give --all"),
        (("--fresh",), "give --all"),
    ],
)
def test_words_that_are_wrong(hubel_command: Command, words: tuple[str, ...], said: str) -> None:
    answer = hubel_command("lab", *words)
    assert answer.code == 2
    assert said in answer.err
