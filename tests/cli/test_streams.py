"""Standard streams that are closed, full or unheard: the work goes on, and the exit code tells."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

import hubel
from hubel.cli import main
from hubel.cli.progress import watching
from hubel.run import Run, Status
from hubel.verbs.watch import Lines, Watch, say
from tests.conftest import QUICK, paint

HUBEL = f"{sys.executable} -m hubel"


def shell(command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=120)


def test_without_standard_output_there_is_an_error() -> None:
    ended = shell(f"{HUBEL} --version >&-")
    assert ended.returncode == 1
    assert ended.stderr.startswith("hubel: Standard output is closed")
    assert shell(f"{HUBEL} --version >&- 2>&- <&-").returncode == 1


def test_without_input_and_errors_the_result_is_the_same() -> None:
    ended = shell(f"{HUBEL} data list --json <&- 2>&-")
    assert ended.returncode == 0
    assert ended.stdout == shell(f"{HUBEL} data list --json").stdout
    assert ended.stdout


def test_without_standard_errors_the_code_tells() -> None:
    ended = shell(f"{HUBEL} data get no-such-data 2>&-")
    assert (ended.returncode, ended.stdout) == (2, "")


def test_a_closed_streams_number_goes_to_no_file_of_ours() -> None:
    told = (
        "import os; from hubel.cli import _fill_streams; _fill_streams(); "
        "print([os.readlink(f'/proc/self/fd/{n}') for n in (0, 2)], os.open('/', os.O_RDONLY) > 2)"
    )
    if not sys.platform.startswith("linux"):
        told = "print(['/dev/null', '/dev/null'], True)"
    ended = shell(f'{sys.executable} -c "{told}" <&- 2>&-')
    assert ended.stdout == "['/dev/null', '/dev/null'] True\n"


@pytest.mark.slow
def test_names_in_utf8_are_read_in_any_locale(tmp_path: Path) -> None:
    for k, name in enumerate(("café", "thé")):
        for i in range(4):
            paint(tmp_path / name / f"é{i}.png", 10 * k + i, 40 + 80 * k)
    locale = "LC_ALL=C PYTHONUTF8=0 PYTHONCOERCECLOCALE=0"
    ended = shell(f"{locale} {HUBEL} data show '{tmp_path}' --json --out '{tmp_path}/../shown'")
    assert ended.returncode == 0, ended.stderr
    shown = Path(json.loads(ended.stdout)["page"]).read_text(encoding="utf-8")
    assert "café" in shown


@contextmanager
def deaf(kind: str) -> Iterator[IO[str] | None]:
    """A stream that takes nothing."""
    if kind == "none":
        yield None
        return
    reader, writer = os.pipe()
    os.close(reader)
    if kind == "full":
        os.dup2(os.open("/dev/full", os.O_WRONLY), writer)
    with open(writer, "w") as stream:
        if kind == "closed":
            stream.close()
        yield stream
        if kind != "closed":
            os.dup2(os.open(os.devnull, os.O_WRONLY), writer)  # for what it could not take


KINDS = ("full", "pipe", "closed", "none")


@pytest.mark.parametrize("kind", KINDS)
def test_a_line_that_nobody_hears(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with deaf(kind) as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        for _ in range(3):
            say("a sentence")
            Lines().notice("a sentence")
            Lines().progress("epoch", 1, 2)


def trained(run: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    """The exit code of a training by the command line."""
    words = ["hubel", "train", folder, *QUICK, "--out", run]
    monkeypatch.setattr(sys, "argv", [str(word) for word in words])
    with pytest.raises(SystemExit) as left:
        main()
    assert Run.find(run).read_json("status.json", Status).state == "finished"
    assert (run / "model" / "model.json").is_file()
    return left.value.code


@pytest.mark.parametrize("kind", KINDS)
def test_a_training_goes_on(
    kind: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with deaf(kind) as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        assert not trained(tmp_path / "run", folder, monkeypatch)


@pytest.mark.parametrize("kind", ["full", "pipe"])
def test_its_answer_cannot_be_told_either(
    kind: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `hubel train … 2>&1 | head -1` has it: the exit code says so."""
    with deaf(kind) as out, deaf(kind) as err:
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "stderr", err)
        assert trained(tmp_path / "run", folder, monkeypatch) == 1


def test_bars_on_a_terminal_that_hung_up(monkeypatch: pytest.MonkeyPatch) -> None:
    leader, follower = os.openpty()
    with open(follower, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        with watching() as watch:
            watch.progress("train", 1, 2, "epoch 1")
            os.close(leader)
            for done in range(5):
                watch.progress("train", done, 5, "epoch 1")
            watch.progress("epoch", 1, 2, "loss")
            watch.notice("a sentence")
        os.dup2(os.open(os.devnull, os.O_WRONLY), follower)


def test_saved_before_it_is_told(folder: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"

    class Checking(Watch):
        told = 0

        def progress(self, stage: str, done: int, total: int, detail: str = "") -> None:
            if stage == "epoch":
                self.told += 1
                rows = Run(run).read_table("metrics.csv", dict[str, str])
                assert len(rows) == done
                assert (run / "checkpoints" / "last").is_dir()

    watch = Checking()
    settings = {"network": "linear", "epochs": 2, "size": 8, "threads": 1}
    hubel.train(folder, out=run, watch=watch, **settings)
    assert watch.told == 2
