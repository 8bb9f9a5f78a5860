"""Work ahead in threads: in order, bounded, and nothing left running."""

import threading
import time
from collections.abc import Iterator

import pytest

from hubel.data import ahead as module
from hubel.data.ahead import ahead


def test_in_order_whatever_takes_longest() -> None:
    def slow_first(i: int) -> int:
        time.sleep(0.02 if i % 5 == 0 else 0)
        return i * i

    assert list(ahead(slow_first, range(50))) == [i * i for i in range(50)]
    assert list(ahead(slow_first, [])) == []


def test_no_further_ahead_than_the_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WINDOW", 4)
    asked: list[int] = []

    def items() -> Iterator[int]:
        for i in range(100):
            asked.append(i)
            yield i

    results = ahead(lambda i: i, items())
    assert next(results) == 0
    assert len(asked) == 5
    results.close()  # type: ignore[attr-defined]


def test_an_exception_comes_at_its_turn() -> None:
    def fails(i: int) -> int:
        if i == 3:
            raise ValueError("three")
        return i

    seen = []
    with pytest.raises(ValueError, match="three"):  # noqa: PT012
        for result in ahead(fails, range(1000)):
            seen.append(result)
    assert seen == [0, 1, 2]


def test_left_early_it_stops_working() -> None:
    done: list[int] = []

    def work(i: int) -> int:
        time.sleep(0.005)
        done.append(i)
        return i

    results = ahead(work, range(1000))
    next(results)
    results.close()  # type: ignore[attr-defined]
    time.sleep(0.1)
    count = len(done)
    time.sleep(0.1)
    assert len(done) == count < 1000
    assert not [
        t for t in threading.enumerate() if t.name.startswith("ThreadPool") and t.is_alive()
    ]
