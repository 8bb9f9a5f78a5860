"""Progress on stderr: rich bars at a terminal, a line every so often elsewhere."""

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, cast

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from hubel.legible import legible
from hubel.verbs.watch import EVERY, Lines, Paces, Watch


class Bars(Watch):
    """A bar for each stage, which begins anew where the stage does.

    Notices, finished epochs and how long a stage will take are printed above the bars.
    """

    def __init__(self, progress: Progress, clock: Callable[[], float] = time.monotonic) -> None:
        self._progress, self._paces = progress, Paces(clock)
        self._tasks: dict[str, TaskID] = {}
        self._done: dict[str, float] = {}

    def progress(self, stage: str, done: float, total: int, detail: str = "") -> None:
        if stage == "epoch":
            self._print(f"epoch {done:.0f}/{total}  {detail}")
            return
        if stage not in self._tasks:
            self._tasks[stage] = self._progress.add_task(stage, total=total)
        elif done < self._done[stage]:
            self._progress.reset(self._tasks[stage], total=total)
        self._done[stage] = done
        text = legible(f"{stage} {detail}".strip())
        self._progress.update(self._tasks[stage], completed=done, total=total, description=text)
        promise = self._paces.at(stage, done, total).promise()
        if promise:
            self._print(f"{promise}.")

    def notice(self, sentence: str) -> None:
        self._print(sentence, style="yellow")

    def _print(self, sentence: str, style: str | None = None) -> None:
        self._progress.console.print(legible(sentence), style=style, highlight=False, markup=False)


class _Terminal:
    """stderr for the bars: one that is hung up, or full, ends no work."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


@contextmanager
def watching(quiet: bool = False) -> Iterator[Watch]:
    """The watch that suits stderr."""
    if quiet:
        yield Watch()
    elif sys.stderr is None or sys.stderr.closed or not sys.stderr.isatty():
        with _beating(Lines()) as lines:
            yield lines
    else:
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeRemainingColumn(),
        )
        with Progress(
            *columns, console=Console(file=cast("IO[str]", _Terminal(sys.stderr))), transient=True
        ) as progress:
            yield Bars(progress)


@contextmanager
def _beating(lines: Lines) -> Iterator[Lines]:
    """Inside, a thread sees to it that there are signs of life however long a step takes."""
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(EVERY):
            lines.beat()

    thread = threading.Thread(target=beat, name="signs of life", daemon=True)
    thread.start()
    try:
        yield lines
    finally:
        ended.set()
        thread.join()
