"""Progress on stderr: rich bars at a terminal, one line an epoch elsewhere."""

import contextlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, cast

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from hubel.legible import legible
from hubel.verbs.watch import Lines, Watch


class Bars(Watch):
    """A bar for each stage; notices and finished epochs are printed above the bars."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def progress(self, stage: str, done: int, total: int, detail: str = "") -> None:
        if stage == "epoch":
            line = f"epoch {done}/{total}  {legible(detail)}"
            self._progress.console.print(line, highlight=False, markup=False)
            return
        key = stage if stage == "train" else f"{stage} {detail}"
        if key not in self._tasks:
            self._tasks[key] = self._progress.add_task(key, total=total)
        text = legible(f"{stage} {detail}".strip())
        self._progress.update(self._tasks[key], completed=done, total=total, description=text)

    def notice(self, sentence: str) -> None:
        self._progress.console.print(
            legible(sentence), style="yellow", highlight=False, markup=False
        )


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
        yield Lines()
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
