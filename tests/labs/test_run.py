"""Running labs: what is written, nothing half-written, a lecture that goes on where it stopped."""

import json
from pathlib import Path

import pytest
import torch

from hubel.findings import Claim, Drawing, Finding, Shown
from hubel.labs import catalogue, page, run
from hubel.labs.lab import Setting
from hubel.mistakes import Failure, Mistake
from tests.conftest import Heard

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
    assert sorted(path.name for path in ran.folder.iterdir()) == ["dot.png", "numbers.json"]
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


def test_nothing_of_others_is_overwritten_and_nothing_is_half_written(
    told: dict[str, int], tmp_path: Path
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(Mistake, match="--out"):
        run.run_lab("one", out=tmp_path / "mine")
    with pytest.raises(Mistake, match="is a file"):
        run.run_lab("one", out=tmp_path / "mine" / "thesis.txt")
    assert told["one"] == 0  # before a long lab is run in vain
    told["broken"] = 1
    with pytest.raises(Failure):
        run.run_lab("two", out=tmp_path / "two")
    assert not (tmp_path / "two").exists()


def test_a_finding_of_another_lab_is_a_bug(
    told: dict[str, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Shown((Finding("L2", "", True, ""),))
    monkeypatch.setattr(catalogue, "find", lambda name: lambda setting: made)
    with pytest.raises(RuntimeError, match="L2"):
        run.run_lab("one", out=tmp_path / "one")


def test_a_lecture_goes_on_where_it_stopped(told: dict[str, int], tmp_path: Path) -> None:
    told["broken"] = 1
    heard = Heard()
    lecture = page.run_all(size="quick", out=tmp_path, watch=heard)
    assert lecture.failed == {"two": "The data are not here."}
    assert heard.notices == ["The lab two failed: The data are not here."]
    told["broken"] = 0
    lecture = page.run_all(size="quick", out=tmp_path)
    assert not lecture.failed
    assert told == {"one": 1, "two": 2, "broken": 0}  # "one" was taken over
    page.run_all(size="quick", seed=1, out=tmp_path)
    assert told["one"] == 2  # another seed
    page.run_all(size="quick", seed=1, out=tmp_path, fresh=True)
    assert told["one"] == 3
    (tmp_path / "one" / "numbers.json").write_text("{")
    assert page.run_all(size="quick", seed=1, out=tmp_path).page.is_file()
    assert told["one"] == 4  # what is damaged is not taken over


def test_the_page_has_every_claim_its_verdict_and_its_picture_once(
    told: dict[str, int], tmp_path: Path
) -> None:
    text = page.run_all(size="quick", out=tmp_path).page.read_text(encoding="utf-8")
    for id_, verdict in (
        ("L1", "holds"),
        ("L2", "cannot be shown without data that must be fetched"),
        ("L3", "does not hold here"),
        ("L4", "later work"),
    ):
        entry = text.partition(f'<section id="{id_}"')[2].partition("</section>")[0]
        assert verdict in entry
    assert text.count("data:image/png;base64,") == 1
    assert 'see <a href="#L1">' in text
    assert "hubel lab four" in text
    assert "An erratum." in text
    assert "<script" not in text
