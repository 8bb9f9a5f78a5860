"""The run folder: never overwritten, never shared, never half-written."""

import hashlib
import json
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hubel import atomic
from hubel.mistakes import Failure, Mistake
from hubel.run import Run, newest


def test_names_count_up_and_nothing_is_overwritten(tmp_path: Path) -> None:
    made = [Run.create("digits-small", parent=tmp_path).path.name for _ in range(3)]
    assert [name[11:] for name in made] == ["digits-small", "digits-small-2", "digits-small-3"]
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "precious").touch()
    with pytest.raises(Mistake, match="never overwrites"):
        Run.create("x", out=tmp_path / "full")
    assert Run.create("x", out=tmp_path / "empty").path.is_dir()


def test_find_wants_a_recipe(tmp_path: Path) -> None:
    with pytest.raises(Mistake, match=r"recipe\.toml"):
        Run.find(tmp_path)
    (tmp_path / "recipe.toml").touch()
    assert Run.find(tmp_path).path == tmp_path.resolve()


def _hold(path: Path, ready: str) -> None:
    with Run(path).locked():
        Path(ready).touch()
        time.sleep(60)


def test_two_processes_are_kept_apart_and_a_dead_ones_lock_is_gone(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    holder = multiprocessing.get_context("spawn").Process(target=_hold, args=(tmp_path, str(ready)))
    holder.start()
    try:
        while not ready.exists():
            time.sleep(0.01)
        with pytest.raises(Failure, match=f"pid {holder.pid}"), Run(tmp_path).locked():
            pass
    finally:
        os.kill(holder.pid or 0, signal.SIGKILL)
        holder.join()
    with Run(tmp_path).locked():
        pass


def test_checkpoints_round_trip_and_the_one_before_is_kept(tmp_path: Path) -> None:
    run = Run(tmp_path)
    assert run.load("last", "previous") is None
    run.save("last", {"a": b"1"}, keep="previous")
    run.save("last", {"a": b"2"}, keep="previous")
    found = run.load("last", "previous")
    assert found is not None
    assert (found.name, found.files, found.damaged) == ("last", {"a": b"2"}, ())
    assert (tmp_path / "checkpoints" / "previous" / "a").read_bytes() == b"1"


@pytest.mark.parametrize("damage", ["flip", "cut", "remove", "no manifest"])
def test_a_damaged_checkpoint_is_named_and_stepped_over(tmp_path: Path, damage: str) -> None:
    run = Run(tmp_path)
    run.save("last", {"weights": b"old weights"}, keep="previous")
    run.save("last", {"weights": b"new weights"}, keep="previous")
    victim = tmp_path / "checkpoints" / "last" / "weights"
    if damage == "flip":
        victim.write_bytes(b"new weightz")
    elif damage == "cut":
        victim.write_bytes(b"new")
    elif damage == "remove":
        victim.unlink()
    else:
        (victim.parent / "manifest.json").write_text("")
    found = run.load("last", "previous")
    assert found is not None
    assert (found.name, found.files) == ("previous", {"weights": b"old weights"})
    assert "checkpoints/last" in found.damaged[0]
    (tmp_path / "checkpoints" / "previous" / "weights").write_bytes(b"")
    with pytest.raises(Failure, match="No checkpoint"):
        run.load("last", "previous")


@pytest.mark.parametrize("name", ["../../secret", "/dev/zero", "pipe", "zero", "weights/"])
def test_a_manifest_names_files_of_its_folder_only(tmp_path: Path, name: str) -> None:
    run = Run(tmp_path)
    folder = run.save("last", {"weights": b"weights"})
    (tmp_path / "secret").write_bytes(b"secret")
    os.mkfifo(folder / "pipe")
    (folder / "zero").symlink_to("/dev/zero")
    hashes = {"weights": hashlib.sha256(b"weights").hexdigest()}
    (folder / "manifest.json").write_text(json.dumps(hashes | {name: "0" * 64}))
    with pytest.raises(Failure, match=r"manifest\.json is damaged: it does not name the files"):
        run.load("last")
    for other in {"pipe", "zero"} - {name}:
        (folder / other).unlink()
    if name in ("pipe", "zero"):
        with pytest.raises(Failure, match=f"{name} cannot be read: expected a file"):
            run.load("last")


def test_a_write_that_the_system_cuts_short_leaves_the_old_content(tmp_path: Path) -> None:
    """A real failure of the kernel in the middle of a write: the file-size limit of a process."""
    path = tmp_path / "file"
    atomic.write(path, b"old")
    program = (
        "import sys, pathlib; from hubel import atomic\n"
        "from hubel.mistakes import Failure\n"
        "try: atomic.write(pathlib.Path(sys.argv[1]), b'x' * 100_000)\n"
        "except Failure as wrong: print(wrong); sys.exit(1)"
    )
    limit = (20_000, 20_000)
    done = subprocess.run(
        [sys.executable, "-B", "-c", program, str(path)],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, done.stderr
    assert str(path) in done.stdout
    assert "untouched" in done.stdout
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
    atomic.write(path, b"new")  # the positive control
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize(
    ("number", "said"), [(28, "disk is full"), (30, "read-only"), (13, "no permission")]
)
def test_the_sentence_for_each_refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, said: str
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    run = Run(tmp_path)
    run.save("last", {"a": b"old"}, keep="previous")
    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(Failure, match=said):
        run.save("last", {"a": b"new"}, keep="previous")
    monkeypatch.undo()
    found = run.load("last")
    assert found is not None
    assert found.files == {"a": b"old"}
    assert [p.name for p in (tmp_path / "checkpoints").iterdir()] == ["last"]


def test_tables_have_every_column(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.write_table("metrics.csv", [{"epoch": 1, "loss": 0.5}, {"epoch": 2, "accuracy": 1.0}])
    assert run.read_table("metrics.csv", dict[str, str]) == [
        {"epoch": "1", "loss": "0.5", "accuracy": ""},
        {"epoch": "2", "loss": "", "accuracy": "1.0"},
    ]


def test_newest_is_the_last_one_with_a_model(tmp_path: Path) -> None:
    with pytest.raises(Mistake, match="no finished run"):
        newest(tmp_path)
    for when, name in ((100, "old"), (300, "new"), (200, "middle")):
        facts = tmp_path / name / "model" / "model.json"
        facts.parent.mkdir(parents=True)
        facts.touch()
        os.utime(facts, (when, when))
    (tmp_path / "unfinished").mkdir()
    assert newest(tmp_path).path.name == "new"


def test_the_lock_holder_sweeps_what_a_killed_process_left(tmp_path: Path) -> None:
    (tmp_path / "checkpoints" / ".last.99.partial").mkdir(parents=True)
    (tmp_path / ".metrics.csv.99.partial").touch()
    with Run(tmp_path).locked():
        assert list((tmp_path / "checkpoints").iterdir()) == []
        assert not (tmp_path / ".metrics.csv.99.partial").exists()
