"""Work done in processes of our own, each at the end of its own pipe.

The standard pools share one queue between their processes: where one is killed early, 3.11's
breaks in ways of its own (gh-94777) and may leave others waiting for ever. Here nothing is shared;
a process that dies closes its pipe, and that is noticed at once.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from multiprocessing import get_context
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import TypeVar

from hubel import entrance
from hubel.data.ahead import ahead

Item = TypeVar("Item")
Result = TypeVar("Result")
CHUNK = 16  # items sent to a process at a time


class Killed(Exception):
    """A process ended before it had answered, or could not be started."""


def in_processes(
    work: Callable[[Item], Result], items: Iterable[Item], processes: int
) -> Iterator[Result]:
    """work(item) for each item, in order, by so many processes; `work` is importable there.

    Raises Killed where a process dies or cannot start, and at its turn what `work` raises.
    """
    context = get_context("spawn")  # a fork of a process with threads may hang
    free: SimpleQueue[Connection] = SimpleQueue()
    started = []
    try:
        for _ in range(processes):
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs, work), daemon=True)
            try:
                process.start()
            except OSError:
                raise Killed from None
            started.append(process)
            theirs.close()  # else our own copy would keep the pipe of a dead process open
            free.put(ours)
        remaining = iter(items)
        chunks = iter(lambda: list(islice(remaining, CHUNK)), [])
        ask = partial(_ask, free)
        for answer in ahead(ask, chunks, threads=processes, window=2 * processes):
            yield from answer
    finally:
        for process in started:  # they hold nothing that could be lost; who waits for one is told
            process.kill()
        for process in started:
            process.join()


def _ask(free: "SimpleQueue[Connection]", chunk: list[Item]) -> list[Result]:
    """The answer of whichever process is free; there are as many as threads that ask."""
    end = free.get()
    try:
        end.send(chunk)
        answer: list[Result] | Exception = end.recv()
    except (EOFError, OSError):
        raise Killed from None
    finally:
        free.put(end)
    if isinstance(answer, Exception):
        raise answer
    return answer


def _serve(end: Connection, work: Callable[[Item], Result]) -> None:
    """In the process: answer until the other end closes."""
    entrance.hush()
    with contextlib.suppress(EOFError, OSError, KeyboardInterrupt):
        while True:
            chunk = end.recv()
            try:
                answer: list[Result] | Exception = [work(item) for item in chunk]
            except Exception as wrong:  # raised again by the one who asked
                answer = wrong
            end.send(answer)
