"""A folder of results: hubel replaces its own files and nothing of the user's, whenever killed."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hubel.mistakes import Failure, Mistake
from hubel.output import LISTING, Output, Place, is_ours, kind_of
from hubel.verbs.place import near, place
from tests.conftest import written

FACTS = "look.json"
OLD = {"set/1.png": b"one", "set/2.png": b"two", "look.html": b"page", FACTS: b"{}"}
NEW = {"set/1.png": b"other", "3.png": b"three", "look.html": b"another", FACTS: b"{1}"}
MINE = {
    "mynotes/thesis.txt": b"years", ".git/HEAD": b"ref", "my-own-photo.png": b"me",
    "set/holiday.png": b"sun",
}  # fmt: skip


def make(folder: Path, files: dict[str, bytes]) -> None:
    with Place(folder, FACTS).held() as output:
        output.write_all(files)
        output.finish()


def content(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in ("lock", LISTING)
    }


def put(folder: Path, files: dict[str, bytes]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text)


def test_another_result_replaces_the_files_of_the_first_and_nothing_else(tmp_path: Path) -> None:
    make(tmp_path / "d", OLD)
    put(tmp_path / "d", MINE)
    make(tmp_path / "d", NEW)
    assert content(tmp_path / "d") == NEW | MINE
    (tmp_path / "d" / "set" / "holiday.png").unlink()
    make(tmp_path / "d", {FACTS: b"{}"})
    assert not (tmp_path / "d" / "set").exists()  # a folder of ours alone goes when it is empty


def test_a_file_of_ours_that_was_changed_is_the_users(tmp_path: Path) -> None:
    make(tmp_path / "d", OLD)
    put(tmp_path / "d", {"look.html": b"with my remarks"})
    before = content(tmp_path / "d")
    with pytest.raises(Failure, match=r"look\.html is damaged, or was changed since hubel wrote"):
        make(tmp_path / "d", NEW)
    assert content(tmp_path / "d") == before
    (tmp_path / "d" / "look.html").unlink()
    make(tmp_path / "d", NEW)
    assert content(tmp_path / "d") == NEW


@pytest.mark.parametrize("kind", ["file", "link", "folder"])
def test_a_users_file_in_the_way_is_not_replaced(tmp_path: Path, kind: str) -> None:
    make(tmp_path / "d", OLD)
    mine = tmp_path / "d" / "3.png"
    if kind == "file":
        mine.write_bytes(b"mine")
    elif kind == "link":
        mine.symlink_to(tmp_path / "nowhere")
    else:
        put(mine, {"a.txt": b"mine"})
    before = content(tmp_path / "d")
    with pytest.raises(Failure, match=r"3\.png is not what hubel wrote there"):
        make(tmp_path / "d", NEW)
    assert content(tmp_path / "d") == before  # none of the others either


class KilledError(BaseException):
    pass


@pytest.mark.parametrize("call", range(16))
def test_killed_at_any_write_each_file_is_whole_and_can_be_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    make(tmp_path / "d", OLD)
    put(tmp_path / "d", MINE)
    calls = 0
    with monkeypatch.context() as patch:
        for name in ("fsync", "replace", "unlink"):
            real = getattr(os, name)

            def dying(*given: object, real: object = real, **named: object) -> object:
                nonlocal calls
                calls += 1
                if calls > call:
                    raise KilledError
                return real(*given, **named)  # type: ignore[operator]

            patch.setattr(os, name, dying)
        with pytest.raises(KilledError):
            make(tmp_path / "d", NEW)
    found = content(tmp_path / "d")
    for name in OLD | NEW:
        assert found.get(name) in (OLD.get(name), NEW.get(name))
    make(tmp_path / "d", NEW)
    assert content(tmp_path / "d") == NEW | MINE


def test_a_listing_is_not_trusted(tmp_path: Path) -> None:
    """It may be damaged, or somebody's joke: what it names outside the folder is not touched."""
    make(tmp_path / "d", OLD)
    put(tmp_path, {"victim": b"years"})
    told = hashlib.sha256(b"years").hexdigest()
    lines = [json.dumps([name, told]) for name in ("../victim", str(tmp_path / "victim"), "lock")]
    lines += ["[" * 100_000, "{", "null", '["a"]', '[["a"], 1]', "\x00", '["set/2.png", 1']
    with (tmp_path / "d" / LISTING).open("a") as file:
        file.write("\n".join(["", *lines]))
    make(tmp_path / "d", NEW)
    assert content(tmp_path / "d") == NEW
    assert (tmp_path / "victim").exists()
    (tmp_path / "d" / LISTING).write_bytes(b"\xff")
    with pytest.raises(Mistake, match="holds something that is no look"):
        place(tmp_path / "d", Path("look"), FACTS, "look")


def test_where_a_result_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = tmp_path / "runs" / "x"
    put(run, {"recipe.toml": b""})
    assert near(str(run), "look") == run / "look"
    assert near("efficientnet-lite0", "look") == Path("look")
    put(tmp_path, {"look-2": b"a file of the user's"})
    for name in ("look", "look-3", "look-4"):  # nothing is replaced unasked
        with place(None, Path("look"), FACTS, "look").held() as output:
            output.write(FACTS, "{}")
        assert output.path == tmp_path / name
    with place(None, Path("look"), FACTS, "look").held(lambda last: True) as output:
        assert output.path == tmp_path / "look-4"
    with place(None, Path("look"), "atlas.json", "atlas").held(lambda last: True) as output:
        assert output.path == tmp_path / "look-5"  # the last one is of another kind
    assert not (tmp_path / "look-5").exists()  # nothing came of it


def test_what_cannot_be_a_place(tmp_path: Path) -> None:
    make(tmp_path / "d", OLD)
    put(tmp_path, {"file": b"", "mine/thesis.txt": b"years"})
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for out, data, said in (
        ("file", None, "is a file"),
        ("file/below", None, "is a file"),
        ("mine", None, r"holds something that is no look \(thesis.txt\)"),
        ("link", None, "leads nowhere"),
        ("d", tmp_path / "d" / "set", "lies in .*, where the look goes"),
    ):
        with pytest.raises(Mistake, match=said):
            place(tmp_path / out, Path("look"), FACTS, "look", data=data)
    with pytest.raises(Mistake, match="no atlas"):
        place(tmp_path / "d", Path("look"), "atlas.json", "atlas")
    (tmp_path / "linked").symlink_to(tmp_path / "d")
    assert place(tmp_path / "linked", Path("look"), FACTS, "look").folder == tmp_path / "d"
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / "lock").touch()  # killed as it began
    make(tmp_path / "begun", NEW)
    assert written(tmp_path / "begun") == {"set", "3.png", "look.html", FACTS}


def test_what_is_ours(tmp_path: Path) -> None:
    make(tmp_path / "result", OLD)
    put(tmp_path / "run", {"recipe.toml": b"", "environment.json": b""})
    put(tmp_path / "restarts", {"restarts.json": b"", "trial.toml": b""})
    put(tmp_path / "model", {"model.json": b"", "model.safetensors": b""})
    put(tmp_path / "photos", {"recipe.toml": b"", "model.json": b"", LISTING: b"[]", "a.png": b""})
    (tmp_path / "empty").mkdir()
    ours = {path.name for path in tmp_path.iterdir() if is_ours(path)}
    assert ours == {"result", "run", "restarts", "model"}
    assert not is_ours(tmp_path / "nowhere")
    assert kind_of(tmp_path / "result") == FACTS


HOLDER = """
import sys
from pathlib import Path
from hubel.output import Place
with Place(Path(sys.argv[1]), "look.json").held():
    print("ready", flush=True)
    sys.stdin.read()
"""


def test_two_processes_are_kept_apart(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path / "d")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"ready\n"
        with pytest.raises(Failure, match=f"in use by another process .pid {holder.pid}"):
            make(tmp_path / "d", NEW)
        holder.kill()  # its lock goes with it
        holder.wait()
        make(tmp_path / "d", NEW)


def test_two_threads_are_kept_apart(tmp_path: Path) -> None:
    with Place(tmp_path / "d", FACTS).held() as output:
        with pytest.raises(Failure, match="in use"):
            make(tmp_path / "d", NEW)
        output.write(FACTS, "{}")
    assert isinstance(output, Output)
