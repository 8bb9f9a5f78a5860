"""hubel networks: the list, one network with its picture, and the check against its paper."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from hubel.networks import papers
from tests.conftest import Command


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_one_network_layer_by_layer_and_its_picture(hubel_command: Command, tmp_path: Path) -> None:
    answer = hubel_command("networks", "alexnet-2012")
    assert answer.code == 0
    lines = answer.out.splitlines()
    conv1 = next(line for line in lines if line.startswith("conv1 "))
    assert conv1.split() == [
        *("conv1", "Conv2d", "11×11/4", "96×55×55", "34,944", "105,415,200", "1.1", "MiB", "11×11")
    ]
    assert "40.7 % top-1, 18.2 % top-5 error" in answer.out
    assert "five networks averaged" in answer.out
    assert f"Drawn in {tmp_path / 'alexnet-2012.png'}" in answer.err
    (tmp_path / "alexnet-2012.png").write_text("mine")
    answer = hubel_command("networks", "alexnet-2012")
    assert "left as it is" in answer.err
    assert (tmp_path / "alexnet-2012.png").read_text() == "mine"


def test_googlenets_roundings_are_marked(hubel_command: Command) -> None:
    answer = hubel_command("networks", "googlenet-2014", "--out", "pictures")
    assert "27.5 → 28" in answer.out
    assert "The picture meets 6,998,552 of the parameters; the rest is in aux1, aux2." in answer.out
    assert Path("pictures/googlenet-2014.png").stat().st_size > 10_000
    page = Path("pictures/googlenet-2014.html").read_text(encoding="utf-8")
    assert str(Path("pictures/googlenet-2014.html").resolve()) in answer.err
    for part in ("27.5 → 28", "aux1, aux2", "inception3a.branch1.conv", "13,378,280",
                 "data:image/png;base64,", "hubel networks googlenet-2014 --verify"):  # fmt: skip
        assert part in page, part


def test_a_page_replaces_nothing(hubel_command: Command, tmp_path: Path) -> None:
    (tmp_path / "linear.html").write_text("mine")
    answer = hubel_command("networks", "linear", "--out", "linear.png")
    assert answer.code == 2
    assert "linear.html is there already" in answer.err
    assert [path.name for path in tmp_path.iterdir()] == ["linear.html"]
    assert (tmp_path / "linear.html").read_text() == "mine"


def test_one_network_as_json(hubel_command: Command, tmp_path: Path) -> None:
    [found] = json.loads(hubel_command("networks", "resnet20", "--json").out)
    assert found["parameters"] == 269_722
    assert found["depth"] == 20
    assert found["layers"][0] == {
        "name": "conv1", "kind": "Conv2d", "detail": "3×3", "shape": [16, 32, 32],
        "parameters": 432, "multiply_adds": 442_368, "memory": 65_536, "inputs": [-1],
        "weighted": True, "rounding": "",
        "field": {side: {"size": 3, "jump": 1.0, "low": -1.0, "high": 1.0, "exact": True}
                  for side in ("height", "width")},
    }  # fmt: skip
    assert "picture" not in found
    assert not list(tmp_path.iterdir())  # scripts get no picture that they do not ask for
    [found] = json.loads(hubel_command("networks", "resnet20", "--json", "--out", "x.png").out)
    assert found["picture"] == str(tmp_path / "x.png")


def test_verify(hubel_command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = hubel_command("networks", "alexnet-2012", "--verify")
    assert answer.code == 0
    assert "659,272" in answer.out
    assert "54.25" in answer.out
    assert answer.out.rstrip().endswith("agree.")
    wrong = replace(papers.PAPERS["lenet5-1998"], exact=60_001, layers=7)
    monkeypatch.setitem(papers.PAPERS, "lenet5-1998", wrong)
    answer = hubel_command("networks", "lenet5-1998", "--verify")
    assert answer.code == 1
    assert "2 of 17 differ: parameters of its layers, weighted layers." in answer.out
    assert "NO" in answer.out
    [found] = json.loads(hubel_command("networks", "lenet5-1998", "--verify", "--json").out)
    assert found["agrees"] is False
    assert {"what": "weighted layers", "stated": "7", "counted": "4", "agrees": False} in (
        found["checks"]
    )


def test_the_list_and_verifying_all(
    hubel_command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = ("lenet5-1998", "resnet20")
    for name in [name for name in papers.PAPERS if name not in few]:
        monkeypatch.delitem(papers.PAPERS, name)
    out = hubel_command("networks").out
    rows = [line.split()[:7] for line in out.splitlines()]
    assert ["resnet20", "269,722", "40.6", "M", "20", "81", "8.75"] in rows
    answer = hubel_command("networks", "--verify")
    assert answer.code == 0
    assert "All 16 agree" in answer.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("resnet51",), "'resnet50'"),
        (("small", "--verify"), "no paper"),
        (("--out", "x.png"), "name the network"),
        (("small", "--out", "x.jpg"), "does not end in .png"),
    ],
)
def test_mistakes(hubel_command: Command, words: tuple[str, ...], said: str) -> None:
    answer = hubel_command("networks", *words)
    assert answer.code == 2
    assert said in answer.err
    assert len(answer.err.strip().splitlines()) == 1
