"""The way of measuring: fresh processes in turn, honest ratios, rows only when all is done."""

import csv
import importlib
import json
from pathlib import Path
from types import ModuleType

import pytest

HERE = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def measure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """benchmarks/measure.py, with sides and results in a folder of the test's own."""
    monkeypatch.syspath_prepend(str(HERE))
    module = importlib.import_module("measure")
    monkeypatch.setattr(module, "HERE", tmp_path / "benchmarks")
    monkeypatch.setattr(module, "RESULTS", tmp_path / "benchmarks" / "results")
    (tmp_path / "benchmarks" / "sides").mkdir(parents=True)
    return module


@pytest.fixture
def peers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(HERE))
    module = importlib.import_module("peers")
    monkeypatch.setattr(module, "PEERS", tmp_path / "peers")
    return module


def side(measure: ModuleType, name: str, code: str, **arguments: object) -> object:
    (measure.HERE / "sides" / f"{name}.py").write_text(code)
    return measure.Side(name, f"{name}.py", arguments)


def test_a_side_gets_its_arguments_and_a_clean_environment(
    measure: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MALLOC_TOP_PAD_", "1")
    monkeypatch.setenv("OMP_NUM_THREADS", "64")
    code = """
import json, os, sys
print("chatter")
found = {k: v for k, v in os.environ.items() if k.startswith(("MALLOC", "OMP"))}
print(json.dumps({"told": json.loads(sys.argv[1]), "found": found}))
"""
    result = measure.run(side(measure, "one", code, n=3), threads=2)
    assert result["told"] == {"n": 3}
    assert result["found"] == {"OMP_NUM_THREADS": "2"}
    assert result["wall"] > 0


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("raise ValueError('broken')", "exit code 1.*broken"),
        ("print('no json')", "exit code 0"),
        ("", "exit code 0"),
    ],
)
def test_a_side_without_a_result_is_left_out(
    measure: ModuleType, code: str, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = side(measure, "wrong", code)
    right = side(measure, "right", "print('{\"s\": 1.0}')")
    with pytest.raises(measure.SideFailed, match="(?s)" + why):
        measure.run(wrong, threads=1)
    found = measure.interleaved([wrong, right], rounds=2, threads=1, key="s")
    assert set(found) == {"right"}
    assert len(found["right"]) == 2
    assert "left out" in capsys.readouterr().err


def test_sides_are_taken_in_turn(measure: ModuleType, tmp_path: Path) -> None:
    log = tmp_path / "order"
    code = f"open({str(log)!r}, 'a').write(__file__[-4]); print('{{\"s\": 1}}')"
    sides = [side(measure, name, code) for name in ("a", "b")]
    measure.interleaved(sides, rounds=3, threads=1, key="s")
    assert log.read_text() == "ababab"


def test_the_ratio_is_of_medians_and_its_spread_of_pairs(measure: ModuleType) -> None:
    theirs = [{"s": value} for value in (2.0, 4.0, 9.0)]
    ours = [{"s": value} for value in (1.0, 4.0, 3.0)]
    found = measure.ratio(theirs, ours, "s")
    assert (found.n, found.median, found.low, found.high) == (3, 4 / 3, 1.0, 3.0)


def test_rows_are_appended_under_the_same_columns(measure: ModuleType) -> None:
    measure.record("x", [{"a": 1, "b": "two, and"}])
    measure.record("x", [{"a": 3, "b": ""}, {"a": 4}])
    with (measure.RESULTS / "x.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["a"] for row in rows] == ["1", "3", "4"]
    assert rows[0]["b"] == "two, and"
    with pytest.raises(SystemExit, match="no columns"):
        measure.record("x", [{"a": 5, "new": 1}])
    assert len((measure.RESULTS / "x.csv").read_text().splitlines()) == 4


def test_a_copy_without_git_is_told_its_commit(
    measure: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMMIT", "abc1234")
    assert measure.surroundings()["commit"] == "abc1234"  # HERE is in no repository
    monkeypatch.setattr(measure.shutil, "which", lambda _: None)
    assert measure.surroundings()["commit"] == "abc1234"
    monkeypatch.delenv("COMMIT")
    assert measure.surroundings()["commit"] == ""


def test_stopped_it_writes_nothing(measure: ModuleType) -> None:
    def benchmark() -> None:
        raise KeyboardInterrupt

    with pytest.raises(SystemExit, match="no row was written"):
        measure.main(benchmark)
    assert not measure.RESULTS.exists()


def test_more_threads_than_processors_are_left_out(
    measure: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(measure, "matrix_rate", lambda *_: 100.0)
    monkeypatch.setattr(measure.os, "cpu_count", lambda: 1)
    assert list(measure.each_thread_count([1, 2])) == [(1, 100.0)]
    assert "left out: 2 threads" in capsys.readouterr().err


def test_our_setting_for_peers_is_the_entrances_own(measure: ModuleType) -> None:
    from hubel import entrance

    assert {
        "MALLOC_MMAP_MAX_": "0",
        "MALLOC_TOP_PAD_": str(entrance.STRIDE),
        "MALLOC_TRIM_THRESHOLD_": str(entrance.KEPT),
    } == measure.TUNED


def test_a_peer_half_installed_is_not_ready_and_made_anew(
    peers: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (peers.PEERS / "keras" / "bin").mkdir(parents=True)
    (peers.PEERS / "keras" / "bin" / "python").write_text("half")
    assert not peers.ready("keras")
    with pytest.raises(SystemExit, match=r"not set up: python benchmarks/peers\.py keras"):
        peers.python("keras")
    made = []

    def make(name: str) -> None:
        made.append(name)
        (peers.PEERS / name / "ready").write_text(json.dumps({"keras": "3"}))

    monkeypatch.setattr(peers, "make", make)
    peers.main(["keras"])
    peers.main(["keras"])
    assert made == ["keras"]
    assert "keras 3" in capsys.readouterr().out


def test_a_peer_that_cannot_be_installed_is_said_with_the_reason(
    peers: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def make(_: str) -> None:
        raise SystemExit("could not be installed:\nNo matching distribution")

    monkeypatch.setattr(peers, "make", make)
    with pytest.raises(SystemExit, match="Left out of the comparisons: lightning"):
        peers.main(["lightning"])
    assert "No matching distribution" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="No such peer: torch"):
        peers.main(["torch"])


@pytest.mark.parametrize("path", sorted(HERE.glob("*.py")) + sorted((HERE / "sides").glob("*.py")))
def test_every_file_says_what_it_is_for(path: Path) -> None:
    first = path.read_text().splitlines()[0]
    assert first.startswith('"""')
    asks = path.parent == HERE and path.stem not in ("measure", "peers")
    assert first.endswith("?") == asks
