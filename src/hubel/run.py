"""The run folder: one training's whole story on disk, safe against kill -9, full disks and twins.

It takes plain text, bytes and mappings, and knows neither recipes nor networks. A lock (`flock`,
which the kernel drops with the process: never a stale pid file) keeps two processes apart; every
file is written whole or not at all; a checkpoint carries a manifest of SHA-256 hashes, and the one
before it is kept, so that a damaged one is named and stepped over.
"""

import csv
import fcntl
import hashlib
import io
import json
import math
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

from hubel import atomic, reading
from hubel.legible import cell, legible
from hubel.mistakes import Failure, Mistake

MANIFEST = "manifest.json"
T = TypeVar("T")


@dataclass(frozen=True)
class Checkpoint:
    """Files as they were saved, the name they were found under, and what was stepped over."""

    name: str
    files: dict[str, bytes]
    damaged: tuple[str, ...] = ()


@dataclass(frozen=True)
class Status:
    """What `status.json` says of a training that came to an end, or did not."""

    state: str = "unknown"
    best_epoch: int = 0
    seconds: float = 0.0
    notices: Sequence[str] = ()

    def __post_init__(self) -> None:
        if self.best_epoch < 0 or not 0 <= self.seconds < math.inf:
            raise ValueError("best_epoch and seconds are 0 or more")


@dataclass(frozen=True)
class Run:
    """A run folder; `create` makes a new one, `find` opens one that is there."""

    path: Path

    @classmethod
    def create(cls, name: str, *, out: Path | None = None, parent: Path = Path("runs")) -> "Run":
        """A folder of its own: `out`, or `runs/<date>-<name>[-n]`; nothing is ever overwritten."""
        try:
            if out is not None:
                if out.exists() and (not out.is_dir() or any(out.iterdir())):
                    raise Mistake(
                        f"{out} is there already, and a run never overwrites: give another --out, "
                        f"or go on with it: hubel train --resume {out}."
                    )
                out.mkdir(parents=True, exist_ok=True)
                return cls(out.resolve())
            stem = f"{date.today().isoformat()}-{legible(name)}"
            for n in range(1, 10_000):
                path = parent / (stem if n == 1 else f"{stem}-{n}")
                path.parent.mkdir(parents=True, exist_ok=True)
                try:
                    path.mkdir()
                except FileExistsError:
                    continue
                return cls(path.resolve())
        except OSError as wrong:
            raise atomic.cannot_write(out or parent / name, wrong) from wrong
        raise Failure(f"There are 9,999 runs named {stem} in {parent}; move some away.")

    @classmethod
    def find(cls, path: Path) -> "Run":
        """The run folder at a path. Raises Mistake when it is none."""
        if not (path / "recipe.toml").is_file():
            raise Mistake(f"{path} is no run folder: it holds no recipe.toml.")
        return cls(path.resolve())

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for this process alone. Raises Failure while another one holds it."""
        path = self.path / "lock"
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as wrong:
            raise atomic.cannot_write(path, wrong) from wrong
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = os.read(descriptor, 20).decode().strip() or "unknown"
                raise Failure(
                    f"{self.path} is in use by another process (pid {holder}): wait for it, "
                    "or stop it."
                ) from None
            os.truncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
            for folder in (self.path, self.path / "checkpoints"):
                atomic.sweep(folder)
            yield
        finally:
            os.close(descriptor)

    def write(self, name: str, content: str | bytes) -> Path:
        return atomic.write(self.path / name, content)

    def write_json(self, name: str, facts: Mapping[str, Any]) -> Path:
        return self.write(name, json.dumps(facts, indent=2, ensure_ascii=False) + "\n")

    def read_json(self, name: str, kind: type[T]) -> T:
        """The facts that were written here, as `hubel.reading.typed` makes them.

        Raises Failure when the file is missing or damaged, naming it and the field.
        """
        return reading.record(self.path / name, kind)

    def write_table(self, name: str, rows: Sequence[Mapping[str, Any]]) -> Path:
        """A CSV file, written anew: the columns are all that occur, in order of appearance."""
        columns = list(dict.fromkeys(key for row in rows for key in row))
        text = io.StringIO(newline="")
        table = csv.DictWriter(text, columns, lineterminator="\n")
        table.writeheader()
        table.writerows(
            {key: cell(value) if isinstance(value, str) else value for key, value in row.items()}
            for row in rows
        )
        return self.write(name, text.getvalue())

    def read_table(self, name: str, kind: type[T]) -> list[T]:
        """The rows of a table that was written here, each a `kind`. Raises as `read_json` does."""
        return reading.table(self.path / name, kind)

    def status(self, state: str, **facts: Any) -> None:
        """`status.json`: running, finished, stopped or failed, with the time and the facts."""
        now = time.strftime("%Y-%m-%dT%H:%M:%S%z")
        self.write_json("status.json", {"state": state, "time": now, **facts})

    def log(self, line: str) -> None:
        """One more line in `log.txt`; a log that cannot be written stops nothing."""
        try:
            with (self.path / "log.txt").open("a", encoding="utf-8") as file:
                file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')}  {legible(line)}\n")
        except OSError:
            pass

    def save(self, name: str, files: Mapping[str, bytes], *, keep: str | None = None) -> Path:
        """Save `checkpoints/<name>` with its manifest; the one before stays as `keep`."""
        hashes = {part: hashlib.sha256(content).hexdigest() for part, content in files.items()}
        manifest = (json.dumps(hashes, indent=2) + "\n").encode()
        folder = self.path / "checkpoints"
        return atomic.write_folder(
            folder / name, {**files, MANIFEST: manifest}, keep=folder / keep if keep else None
        )

    def load(self, *names: str) -> Checkpoint | None:
        """The first of the named checkpoints that is whole; None when none was ever saved.

        A damaged one is stepped over and named in the result. Raises Failure when all are damaged.
        """
        damaged: list[str] = []
        for name in names:
            folder = self.path / "checkpoints" / name
            if folder.is_dir():
                try:
                    return Checkpoint(name, _read_checked(folder), tuple(damaged))
                except Failure as wrong:
                    damaged.append(str(wrong))
        if damaged:
            raise Failure(f"No checkpoint of {self.path} is whole. {' '.join(damaged)}")
        return None


def newest(parent: Path = Path("runs")) -> Run:
    """The run under `runs/` that was last written to and has a model. Raises Mistake without."""
    models = [facts for facts in parent.glob("*/model/model.json") if facts.is_file()]
    if not models:
        raise Mistake(f"There is no finished run in {parent}/: name a MODEL, or train one first.")
    return Run(max(models, key=lambda facts: facts.stat().st_mtime).parent.parent.resolve())


def _read_checked(folder: Path) -> dict[str, bytes]:
    """A checkpoint's files after their hashes were compared. Raises Failure naming the file."""
    hashes = reading.record(folder / MANIFEST, dict[str, str])
    # what it names is not looked for elsewhere, and what it does not name was not saved with it
    there = {path.name for path in folder.iterdir() if path.name[0] != "."} - {MANIFEST}
    if other := sorted(there ^ hashes.keys()):
        raise reading.damaged(
            folder / MANIFEST, f"it does not name the files of its folder ({other[0][:60]!r})"
        )
    files: dict[str, bytes] = {}
    for name, digest in hashes.items():
        files[name] = reading.content(folder / name)
        if hashlib.sha256(files[name]).hexdigest() != digest:
            raise reading.damaged(folder / name, f"its SHA-256 is not the one in {MANIFEST}")
    return files
