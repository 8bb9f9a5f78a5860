"""hubel lab: the list, one lab, the calculator, and words that are wrong."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from hubel.labs import page, run
from hubel.labs.lecture import CLAIMS, labs
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
    answer = hubel_command("lab", "losses", "--quick", "--seed", 3)
    assert answer.code == 0
    told = json.loads((tmp_path / "labs" / "losses" / "numbers.json").read_text())
    assert (told["lab"], told["size"], told["seed"], told["options"]) == ("losses", "quick", 3, {})
    words = " ".join(answer.out.split())  # lines are wrapped
    assert [row["id"] for row in told["findings"]] == ["L12", "L14"]
    for row in told["findings"]:
        assert f"{row['id']} {row['claim']} measured {row['measured']} on {row['n']}" in words
        assert f"verdict {row['verdict']} erratum {row['erratum']}" in words
    for name in told["drawings"]:
        assert f"Picture  {tmp_path}/labs/losses/{name}.png\n" in answer.out
        assert (tmp_path / "labs" / "losses" / f"{name}.png").is_file()
    assert max(map(len, answer.out.splitlines())) <= 110
    assert hubel_command("lab", "losses", "--json", "--out", "other").out == (
        tmp_path / "other" / "numbers.json"
    ).read_text(encoding="utf-8")


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


def test_backpropagation_of_an_expression(hubel_command: Command, tmp_path: Path) -> None:
    answer = hubel_command("lab", "backprop", "(x + y) * z", "x=-2", "y=5", "z=-4")
    assert answer.code == 0
    assert "= −12" in answer.out
    told = json.loads((tmp_path / "labs" / "backprop" / "numbers.json").read_text())
    gradients = {name: row["gradient"] for name, row in told["numbers"].items()}
    assert {name: gradients[name] for name in "xyz"} == {"x": -4, "y": -4, "z": 3}
    signed = hubel_command("lab", "backprop", "-x * y", "x=2", "y=5", "--json")  # no option
    assert json.loads(signed.out)["options"]["expression"] == "-x * y"


def test_the_whole_lecture(
    hubel_command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = {"losses": labs()["losses"]}
    claims = tuple(
        claim if claim.lab in ("losses", None) else replace(claim, lab=None, later="hubel lab")
        for claim in CLAIMS
    )
    for module in (page, run):
        monkeypatch.setattr(module, "labs", lambda: losses)
    monkeypatch.setattr(page, "CLAIMS", claims)
    answer = hubel_command("lab", "--all", "--quick", "--out", "lecture")
    assert answer.code == 0
    assert "1 of 1: losses" in answer.err
    assert f"Page    {tmp_path}/lecture/lecture.html" in answer.out
    told = json.loads(hubel_command("lab", "--all", "--quick", "--out", "lecture", "--json").out)
    assert list(told["verdicts"]) == [claim.id for claim in CLAIMS]
    assert told["verdicts"]["L12"] == told["verdicts"]["L14"] == "holds"
    assert told["verdicts"]["L3"] == told["verdicts"]["L52"] == "later work"
    assert told["failed"] == {}
    Path("lecture/losses/numbers.json").write_text("{}")  # another's
    answer = hubel_command("lab", "--all", "--quick", "--out", "lecture")
    assert answer.code == 1
    assert "losses failed: " in answer.err
    assert "could not be measured" in answer.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("loses",), "Did you mean 'losses'"),
        (("dropout",), "it will show L37"),
        (("transfer",), "L40 and L41"),
        (("losses", "--out", "file"), "is a file"),
        (("--all", "--out", "file"), "is a file"),
        (("backprop", "--network", "lenet5", "a.png", "b.png"), "one picture, not 2"),
        (("losses", "--full", "--quick"), "exclude each other"),
        (("--full", "losses"), "hubel lab losses --full"),
        (("--full",), "give --all"),
        (("--fresh",), "give --all"),
    ],
)
def test_words_that_are_wrong(hubel_command: Command, words: tuple[str, ...], said: str) -> None:
    Path("file").touch()
    answer = hubel_command("lab", *words)
    assert answer.code == 2
    assert said in answer.err
