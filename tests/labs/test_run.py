"""Running labs: what is written, nothing half-written, a lecture that goes on where it stopped."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from hubel.findings import Claim, Drawing, Finding, Shown
from hubel.labs import catalogue, page, run
from hubel.labs.lab import Setting
from hubel.labs.lecture import CLAIMS
from hubel.mistakes import Failure, Mistake
from tests.conftest import Heard, written

PNG = (
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x00\x00\x00\x00:~\x9bU"
    b"\x00\x00\x00\nIDATx\x9cc`\x00\x00\x00\x02\x00\x01H\xaf\xa4q\x00\x00\x00\x00IEND\xaeB`\x82"
)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Two labs of the test's own, "one" of two claims and "two", and how often each has run."""
    claims = (
        Claim("L1", "First.", "one", "An erratum."),
        Claim("L2", "Second.", "two"),
        Claim("L3", "Third.", "one"),
        Claim("L4", "Fourth.", None, later="hubel lab four"),
    )
    runs = {"one": 0, "two": 0, "broken": 0}

    def one(setting: Setting, *, factor: float = 1.0) -> Shown:
        runs["one"] += 1
        torch.set_num_threads(1)
        drawn = float(torch.rand(()))
        findings = (
            Finding("L1", f"It is {drawn}.", True, "1 draw", "none"),
            Finding("L3", "It is not.", False, "1 draw"),
        )
        numbers = {"drawn": drawn * factor, "none": float("nan"), "tensor": torch.ones(2)}
        return Shown(findings, (Drawing("dot", PNG, "A dot."),), numbers, ("A line.",))

    def two(setting: Setting) -> Shown:
        runs["two"] += 1
        if runs["broken"]:
            raise Failure("The data are not here.")
        setting.watch.progress("work", 1, 1)
        return Shown((Finding("L2", "Cannot be told.", None, "nothing"),))

    made = {"one": one, "two": two}
    rows = {"one": [claims[0], claims[2]], "two": [claims[1]]}
    for module in (run, page):
        monkeypatch.setattr(module, "CLAIMS", claims)
        monkeypatch.setattr(module, "labs", lambda: rows)
    monkeypatch.setattr(catalogue, "find", lambda name: made[name])
    return runs


def test_what_a_lab_leaves(told: dict[str, int], tmp_path: Path) -> None:
    before, threads = torch.random.get_rng_state(), torch.get_num_threads()
    ran = run.run_lab("one", size="quick", seed=3, out=tmp_path / "lab", options={"factor": 2.0})
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.get_num_threads() == threads
    assert written(ran.folder) == {"dot.png", "lab.html", "numbers.json"}
    facts = json.loads((ran.folder / "numbers.json").read_text())
    assert (facts["lab"], facts["size"], facts["seed"]) == ("one", "quick", 3)
    assert facts["options"] == {"factor": 2.0}
    assert facts["numbers"]["none"] is None
    assert facts["numbers"]["tensor"] == [1.0, 1.0]
    assert facts["findings"][0]["verdict"] == "holds"
    assert facts["findings"][0]["erratum"] == "An erratum."
    assert facts["findings"][1]["verdict"] == "does not hold here"
    again = run.run_lab("one", size="quick", seed=3, out=tmp_path / "lab", options={"factor": 2.0})
    assert again.shown.numbers["drawn"] == ran.shown.numbers["drawn"]  # seeded
    other = run.run_lab("one", size="quick", seed=4, out=tmp_path / "lab")
    assert other.shown.numbers["drawn"] != ran.shown.numbers["drawn"] / 2


def test_the_page_of_a_lab(told: dict[str, int], tmp_path: Path) -> None:
    ran = run.run_lab("one", size="quick", out=tmp_path / "lab")
    text = (ran.folder / "lab.html").read_text(encoding="utf-8")
    for part in ("First.", "Third.", "It is not.", "An erratum.", "does not hold here", "A dot.",
                 "A line.", "n: 1 draw. Spread: none.", "hubel lab two"):  # fmt: skip
        assert text.count(part) >= 1, part
    assert text.count("data:image/png;base64,") == 1
    asked = run.run_lab("one", out=tmp_path / "asked", options={"factor": 2.0})
    text = (asked.folder / "lab.html").read_text(encoding="utf-8")
    assert "factor 2" in text
    assert "A line." in text
    assert "First." not in text  # it was asked to calculate


def test_nothing_of_others_is_overwritten_and_nothing_is_half_written(
    told: dict[str, int], tmp_path: Path
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(Mistake, match="--out"):
        run.run_lab("one", out=tmp_path / "mine")
    with pytest.raises(Mistake, match="is a file"):
        run.run_lab("one", out=tmp_path / "mine" / "thesis.txt")
    (tmp_path / "mine" / "thesis.txt").rename(tmp_path / "thesis.txt")
    (tmp_path / "mine" / "numbers.json").write_text('{"winning": [3, 14, 15]}')
    with pytest.raises(Mistake, match="no lab's"):
        run.run_lab("one", out=tmp_path / "mine")
    assert told["one"] == 0  # before a long lab is run in vain
    told["broken"] = 1
    with pytest.raises(Failure):
        run.run_lab("two", out=tmp_path / "two")
    assert not (tmp_path / "two").exists()


def test_a_lecture_is_not_overwritten_by_a_lab(told: dict[str, int], tmp_path: Path) -> None:
    page.run_all(size="quick", out=tmp_path / "all")
    with pytest.raises(Mistake, match="no lecture"):
        page.run_all(size="quick", out=tmp_path / "all" / "one")
    with pytest.raises(Mistake, match="no lab's"):
        run.run_lab("one", size="quick", out=tmp_path / "all")


@pytest.mark.parametrize("wrong", [KeyboardInterrupt, Failure])
def test_what_stood_there_stands_until_all_is_there(
    told: dict[str, int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    wrong: type[BaseException],
) -> None:
    ran = run.run_lab("one", size="quick", out=tmp_path / "one")
    before = {path.name: path.read_bytes() for path in ran.folder.iterdir()}

    def stopped(setting: Setting) -> Shown:
        torch.rand(3)
        torch.set_num_threads(1)
        raise wrong

    monkeypatch.setattr(catalogue, "find", lambda name: stopped)
    state, threads = torch.random.get_rng_state(), torch.get_num_threads()
    with pytest.raises(wrong):
        run.run_lab("one", size="quick", out=tmp_path / "one")
    assert {path.name: path.read_bytes() for path in ran.folder.iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["one"]
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"size": "fulll"}, "Did you mean 'full'"),
        ({"options": {"factr": 1}}, "Did you mean 'factor'"),
    ],
)
def test_what_a_lab_does_not_have(
    told: dict[str, int], tmp_path: Path, words: dict[str, Any], said: str
) -> None:
    with pytest.raises(Mistake, match=said):
        run.run_lab("one", out=tmp_path / "one", **words)
    with pytest.raises(Mistake, match="no options of its own"):
        run.run_lab("two", out=tmp_path / "two", options={"factor": 1})
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("ids", [("L1", "L2", "L3"), ("L1",), ("L1", "L3", "L3"), ()])
def test_findings_that_are_not_the_labs_are_a_bug(
    told: dict[str, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ids: tuple[str, ...]
) -> None:
    made = Shown(tuple(Finding(id_, "", True, "") for id_ in ids))
    monkeypatch.setattr(catalogue, "find", lambda name: lambda setting, factor=1: made)
    with pytest.raises(RuntimeError, match=r"claims are \['L1', 'L3'\]"):
        run.run_lab("one", out=tmp_path / "one")
    assert not any(tmp_path.iterdir())
    if set(ids) <= {"L1", "L3"} and len(set(ids)) == len(ids):
        run.run_lab("one", out=tmp_path / "one", options={"factor": 2})  # some are enough


def test_a_lecture_goes_on_where_it_stopped(told: dict[str, int], tmp_path: Path) -> None:
    told["broken"] = 1
    heard = Heard()
    lecture = page.run_all(size="quick", out=tmp_path, watch=heard)
    assert lecture.failed == {"two": "The data are not here."}
    assert [notice.partition(":")[0] for notice in heard.notices] == ["1 of 2", "2 of 2"]
    assert heard.notices[1] == "2 of 2: two failed: The data are not here."
    assert [entry.verdict for entry in lecture.entries] == [
        *("holds", "could not be measured", "does not hold here", "later work")
    ]
    told["broken"] = 0
    heard = Heard()
    lecture = page.run_all(size="quick", out=tmp_path, watch=heard)
    assert not lecture.failed
    assert ["as measured before" in notice for notice in heard.notices] == [True, False]
    assert told == {"one": 1, "two": 2, "broken": 0}  # "one" was taken over
    page.run_all(size="quick", seed=1, out=tmp_path)
    assert told["one"] == 2  # another seed
    page.run_all(size="quick", seed=1, out=tmp_path, fresh=True)
    assert told["one"] == 3
    (tmp_path / "one" / "dot.png").unlink()
    assert page.run_all(size="quick", seed=1, out=tmp_path).page.is_file()
    assert told["one"] == 4  # what is damaged is not taken over
    run.run_lab("one", size="quick", seed=1, out=tmp_path / "one", options={"factor": 2})
    page.run_all(size="quick", seed=1, out=tmp_path)
    assert told["one"] == 6  # nor what was measured with options


def test_an_interrupted_lecture_keeps_what_it_has(
    told: dict[str, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = catalogue.find("one")

    def stopped(setting: Setting) -> Shown:
        raise KeyboardInterrupt

    monkeypatch.setattr(catalogue, "find", {"one": made, "two": stopped}.__getitem__)
    heard = Heard()
    with pytest.raises(KeyboardInterrupt):
        page.run_all(size="quick", out=tmp_path, watch=heard)
    assert heard.notices[-1] == f"1 of 2 labs are kept in {tmp_path}; the same call goes on."
    assert written(tmp_path) == {"one", "lecture.json"}
    ran = run.kept("one", tmp_path / "one", size="quick", seed=0)
    assert ran is not None
    again = run.run_lab("one", size="quick", out=tmp_path / "again")
    assert ran.shown.findings == again.shown.findings
    assert ran.shown.drawings == again.shown.drawings
    assert ran.shown.lines == again.shown.lines


def test_pictures_stand_with_the_first_claim_of_a_lab(told: dict[str, int], tmp_path: Path) -> None:
    lecture = page.run_all(size="quick", out=tmp_path)
    one, two, three, four = lecture.entries
    assert [drawing.name for drawing in one.drawings] == ["dot"]
    assert one.lines == ("A line.",)
    assert (three.drawings, three.lines, three.pictured_at) == ((), (), "L1")
    assert (two.drawings, two.pictured_at) == ((), "")
    assert four.finding is None
    text = lecture.page.read_text(encoding="utf-8")
    assert text.count('href="one/lab.html"') == 2
    assert (lecture.page.parent / "one" / "lab.html").is_file()
    assert text.count("data:image/png;base64,") == 1
    assert "hubel lab four" in text


def test_a_claim_that_sums_others_up(
    told: dict[str, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "SUMS", {"L4": ("L1", "L3")})
    entry = page.run_all(size="quick", out=tmp_path).entries[3]
    assert [part.claim.id for part in entry.parts] == ["L1", "L3"]
    assert entry.verdict == "does not hold here"


def test_every_sum_is_of_claims() -> None:
    ids = {row.id for row in CLAIMS}
    assert all({id_, *parts} <= ids for id_, parts in page.SUMS.items())
