"""Work in processes: in order; the death of one at any moment is one exception, never a hang."""

import multiprocessing
import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hubel.data.processes import Killed, in_processes


def square(i: int) -> int:
    return i * i


def fails_at_forty(i: int) -> int:
    if i == 40:
        raise ValueError("forty")
    return i


def dies_at_forty(i: int) -> int:
    if i == 40:
        os.kill(os.getpid(), signal.SIGKILL)
    return i


def slow(i: int) -> int:
    time.sleep(0.001)
    return i


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    yield
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("count", [1, 3])
def test_in_order(count: int) -> None:
    assert list(in_processes(square, range(100), count)) == [i * i for i in range(100)]
    assert list(in_processes(square, [], count)) == []


def test_an_exception_comes_at_its_turn() -> None:
    results = in_processes(fails_at_forty, range(100), 2)
    assert [next(results) for _ in range(32)] == list(range(32))  # the chunks before it
    with pytest.raises(ValueError, match="forty"):
        next(results)


def test_left_early() -> None:
    results = in_processes(slow, range(10_000), 2)
    assert next(results) == 0
    results.close()  # type: ignore[attr-defined]


def test_one_that_dies_at_work() -> None:
    with pytest.raises(Killed):
        list(in_processes(dies_at_forty, range(1000), 2))


def test_none_can_start(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(_: object) -> None:
        raise BlockingIOError("no more processes")

    monkeypatch.setattr(multiprocessing.process.BaseProcess, "start", start)
    with pytest.raises(Killed):
        list(in_processes(square, range(10), 2))


@pytest.mark.parametrize("after", [0, 0.002, 0.01, 0.05, 0.2])
def test_one_killed_from_outside(after: float) -> None:
    def kill() -> None:
        while not multiprocessing.active_children():
            time.sleep(0.0005)
        time.sleep(after)
        random.choice(multiprocessing.active_children()).kill()

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(Killed):
        list(in_processes(slow, range(3000), 3))
    killer.join()


def test_they_end_with_the_one_that_asked(tmp_path: Path) -> None:
    """Killed without a word, the parent leaves nobody behind."""
    context = multiprocessing.get_context("spawn")
    parent = context.Process(target=_ask_for_ever, args=(tmp_path / "pids",))
    parent.start()
    deadline = time.monotonic() + 60
    while not (tmp_path / "pids").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    children = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert len(children) == 2
    parent.kill()
    parent.join()
    while any(Path(f"/proc/{pid}").exists() for pid in children):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _ask_for_ever(told: Path) -> None:
    for i, _ in enumerate(in_processes(slow, range(10**9), 2)):
        if i == 0:
            pids = " ".join(str(child.pid) for child in multiprocessing.active_children())
            (told.parent / "part").write_text(pids)
            (told.parent / "part").rename(told)
