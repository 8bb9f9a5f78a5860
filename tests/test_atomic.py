"""Every write is whole or not there, follows no link, and loses nothing of anybody's."""

import ast
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from hubel import atomic
from hubel.data.cache import INDEX, LOCK, ROWS, Store
from hubel.lock import locked
from hubel.mistakes import Failure
from hubel.output import LISTING, Output
from hubel.run import Run

SOURCE = Path(atomic.__file__).parent


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    path = tmp_path / "home" / "victim"
    path.write_text("years of work")
    return path


@pytest.fixture
def run(tmp_path: Path) -> Run:
    (tmp_path / "run").mkdir()
    return Run(tmp_path / "run")


def lock(run: Run) -> None:
    with run.locked():
        pass


# what is a link in a run folder → what writes there
WRITES: dict[str, Callable[[Run], object]] = {
    "lock": lock,
    "log.txt": lambda run: run.log("a line"),
    "status.json": lambda run: run.status("running"),
    "metrics.csv": lambda run: run.write_table("metrics.csv", [{"epoch": 1}]),
    LISTING: lambda run: Output(run.path, "look.json").write("a.png", b"a"),
    "a.png": lambda run: Output(run.path, "look.json").write("a.png", b"a"),
}


@pytest.mark.parametrize("name", WRITES)
def test_no_link_is_followed(run: Run, victim: Path, name: str) -> None:
    (run.path / name).symlink_to(victim)
    if name == "log.txt":
        WRITES[name](run)  # a log that cannot be written stops nothing
    else:
        with pytest.raises(
            Failure, match=r"is a link, and nothing is written through|is not what hubel"
        ):
            WRITES[name](run)
    assert victim.read_text() == "years of work"
    assert (run.path / name).is_symlink()
    (run.path / name).unlink()
    WRITES[name](run)  # the positive control
    assert (run.path / name).stat().st_size > 0


@pytest.mark.parametrize("name", WRITES)
def test_nothing_is_written_through_a_hard_link(run: Run, victim: Path, name: str) -> None:
    """As in a copy of a run that was made with `cp -al`: the run goes on, the copy stays."""
    os.link(victim, run.path / name)
    if name == "a.png":  # a picture that it did not write is the user's
        with pytest.raises(Failure, match="is not what hubel wrote there"):
            WRITES[name](run)
    else:
        WRITES[name](run)
    assert victim.read_text() == "years of work"
    assert os.path.samefile(run.path / name, victim) == (name == "a.png")
    if name == "log.txt":
        assert re.fullmatch("years of work.* a line\n", (run.path / name).read_text())


def test_a_lock_with_two_names_still_keeps_two_apart(run: Run, tmp_path: Path) -> None:
    with run.locked():
        os.link(run.path / "lock", tmp_path / "copy")
        with pytest.raises(Failure, match=f"in use by another process .pid {os.getpid()}"):
            lock(run)
    with run.locked(), pytest.raises(Failure, match="in use by another process"):
        lock(run)
    assert not (run.path / "lock").samefile(tmp_path / "copy")


# what is a link to a folder of somebody's → what writes into it
FOLDERS: dict[str, Callable[[Run], object]] = {
    "checkpoints": lambda run: run.save("last", {"a": b"1"}, keep="previous"),
    "checkpoints/last": lambda run: run.save("last", {"a": b"1"}, keep="previous"),
    "checkpoints/previous": lambda run: run.save("last", {"a": b"1"}, keep="previous"),
    "model": lambda run: run.write_folder("model", {"victim": b"1"}),
    "set": lambda run: Output(run.path, "attack.json").write("set/new", b"1"),
}


@pytest.mark.parametrize("name", FOLDERS)
def test_no_link_to_a_folder_is_followed_below_the_one_that_was_named(
    run: Run, victim: Path, name: str
) -> None:
    (run.path / name).parent.mkdir(exist_ok=True)
    (run.path / name).symlink_to(victim.parent)
    with pytest.raises(Failure, match="is a link"):
        FOLDERS[name](run)
    lock(run)  # which sweeps
    assert [path.name for path in victim.parent.iterdir()] == ["victim"]
    assert victim.read_text() == "years of work"
    (run.path / name).unlink()
    FOLDERS[name](run)


def test_the_folder_that_is_named_may_be_a_link(run: Run, tmp_path: Path) -> None:
    (tmp_path / "there").symlink_to(run.path)
    atomic.write(tmp_path / "there" / "file", "content")
    assert (run.path / "file").read_text() == "content"


@pytest.mark.parametrize("link", [os.symlink, os.link])
@pytest.mark.parametrize("name", [ROWS, INDEX, LOCK])
def test_the_cache_follows_no_link(
    tmp_path: Path, victim: Path, name: str, link: Callable[[Path, Path], None]
) -> None:
    store = Store(tmp_path / "store", (1, 2, 2))
    store.path.mkdir()
    link(victim, store.path / name)
    wrong: list[str] = []
    with store.writing(wrong) as writer:
        assert writer is None
    assert wrong
    assert victim.read_text() == "years of work"


def test_a_pipe_is_not_waited_for(run: Run) -> None:
    os.mkfifo(run.path / "log.txt")
    run.log("a line")


def test_what_is_not_ours_is_moved_along(run: Run) -> None:
    last, previous = run.path / "checkpoints" / "last", run.path / "checkpoints" / "previous"
    run.save("last", {"a": b"1"}, keep="previous")
    (last / "notes.txt").write_text("mine")
    (last / ".git").mkdir()
    (last / ".git" / "HEAD").write_text("ref")
    for content in (b"2", b"3", b"4"):
        run.save("last", {"a": content}, keep="previous")
        assert (last / "a").read_bytes() == content
        assert (previous / "notes.txt").read_text() == "mine"
        assert (previous / ".git" / "HEAD").read_text() == "ref"
    assert sorted(path.name for path in last.iterdir()) == ["a", "manifest.json"]
    (run.path / "model").mkdir()
    (run.path / "model" / "card.md").write_text("mine")
    run.write_folder("model", {"weights": b"1"})
    assert (run.path / "model" / "card.md").read_text() == "mine"


class KilledError(BaseException):
    pass


@pytest.mark.parametrize("keep", ["", "previous"])
@pytest.mark.parametrize("call", range(12))
def test_killed_anywhere_the_old_or_the_new_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keep: str, call: int
) -> None:
    """As kill -9 does it, before each rename and each removal."""
    folder = tmp_path / "last"
    for content in (b"1", b"2"):
        atomic.write_folder(folder, {"a": content}, keep=keep)
    (folder / "notes.txt").write_text("mine")
    calls = 0

    def dying(real: Callable[..., object]) -> Callable[..., object]:
        def called(*given: object, **named: object) -> object:
            nonlocal calls
            calls += 1
            if calls == call + 1:
                raise KilledError
            return real(*given, **named)

        return called

    with monkeypatch.context() as patch:
        for name in ("rename", "unlink", "rmdir", "fsync"):
            patch.setattr(os, name, dying(getattr(os, name)))
        try:
            atomic.write_folder(folder, {"a": b"3"}, keep=keep)
        except KilledError:
            pass
        else:
            assert calls < call + 1
    atomic.sweep(tmp_path)
    found = (folder / "a" if folder.exists() else tmp_path / "previous" / "a").read_bytes()
    assert found in (b"2", b"3")
    if folder.exists() and keep:
        assert (tmp_path / "previous" / "a").read_bytes() in (b"1", b"2")
    assert [path.read_text() for path in tmp_path.rglob("notes.txt")] == ["mine"]
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]
    atomic.write_folder(folder, {"a": b"4"}, keep=keep)
    assert (folder / "a").read_bytes() == b"4"


def test_sweeping_leaves_what_others_named(run: Run) -> None:
    for name in (".mine.partial", ".old", "x.1.old", ".notes.old"):
        (run.path / name).write_text("mine")
    lock(run)
    assert len(list(run.path.iterdir())) == 5


def test_an_empty_folder_goes_again(tmp_path: Path) -> None:
    for made in (False, True):
        folder = tmp_path / str(made)
        folder.mkdir()
        with locked(folder, made=made):
            pass
        assert folder.exists() != made


# Files that write by themselves, and why they may.
OWN = {
    "atomic.py": "the module itself",
    "lock.py": "removes its own lock",
    "run.py": "folders, made new; its own lock",
    "output.py": "folders, made new",
    "fetch.py": "downloads, appended to by no_link",
    "data/cache.py": "rows, appended to by no_link; stores of its own are removed",
    "data/decoding.py": "a nameless file",
    "cli/__init__.py": "streams",
}
WRITERS = {
    "write_text", "write_bytes", "unlink", "rmtree", "rmdir", "mkdir", "makedirs", "rename",
    "touch", "symlink_to", "copyfile", "copytree", "removedirs", "save_file", "savetxt", "tofile",
}  # fmt: skip


def test_nobody_else_writes() -> None:
    """A new writer goes through `hubel.atomic`, or says above why not."""
    found = set()
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            opens = name == "open" and any(
                isinstance(each, ast.Constant)
                and isinstance(each.value, str)
                and len(each.value) <= 3
                and set(each.value) & set("wax+")
                for each in (*node.args, *(word.value for word in node.keywords))
            )
            if opens or name in WRITERS or (name == "replace" and _is_os(node.func)):
                found.add(path.relative_to(SOURCE).as_posix())
    assert found <= OWN.keys()
    assert "atomic.py" in found


def _is_os(called: ast.expr) -> bool:
    inside = getattr(called, "value", None)
    return isinstance(inside, ast.Name) and inside.id == "os"
