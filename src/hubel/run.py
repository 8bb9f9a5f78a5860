"""The run folder: one training's whole story on disk, safe against kill -9, full disks and twins.

It takes plain text, bytes and mappings, and knows neither recipes nor networks. A lock keeps two
processes apart; every file is written whole or not at all, and through no link; a checkpoint
carries a manifest of SHA-256 hashes, and the one before it is kept, so that a damaged one is named
and stepped over.
"""

import contextlib
import csv
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
from hubel.lock import LOCK, locked
from hubel.mistakes import Failure, Mistake

MANIFEST = "manifest.json"
T = TypeVar("T")
# Written last when a run begins, or restarts: a folder with neither of them is no run yet.
RECIPE, RESTARTS = "recipe.toml", "restarts.json"
TRIAL = "trial.toml"  # the recipe of each of the restarts
START = "start"  # the folder of a run that keeps the model it began with
# What a training may have left that was killed before it was a run.
BEGUN = {"environment.json", "classes.json", "splits.csv", "status.json", "log.txt", TRIAL, START}


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
        """A folder of its own: `out`, or `runs/<date>-<name>[-n]`; nothing is ever overwritten.

        What a training left that was killed before it was a run is no hindrance.
        """
        try:
            if out is not None:
                check_new(out)
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
        if not (path / RECIPE).is_file():
            begun = " The training was ended before it began: ask for it again." * _is_begun(path)
            raise Mistake(f"{path} is no run folder: it holds no {RECIPE}.{begun}")
        return cls(path.resolve())

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for this process alone. Raises Failure while another one holds it."""
        with locked(self.path):
            atomic.sweep(self.path / "checkpoints", within=self.path)
            yield

    def clear(self) -> None:
        """Remove what a training left here that was ended before it was a run; nothing else."""
        if not is_run(self.path):
            for name in BEGUN - {START}:
                atomic.remove(self.path / name, within=self.path)
            for name in ("model.safetensors", "model.json", "familiar.safetensors"):
                atomic.remove(self.path / START / name, within=self.path)

    def abandon(self) -> None:
        """`clear`, and the folder goes if it is empty then; for the holder of its lock."""
        self.clear()
        with contextlib.suppress(OSError):
            (self.path / "trials").rmdir()
        with contextlib.suppress(OSError):
            if os.listdir(self.path) == [LOCK]:
                (self.path / LOCK).unlink()
                self.path.rmdir()

    def write(self, name: str, content: str | bytes) -> Path:
        return atomic.write(self.path / name, content, within=self.path)

    def write_folder(self, name: str, files: Mapping[str, bytes]) -> Path:
        return atomic.write_folder(self.path / name, files, within=self.path)

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
        with contextlib.suppress(Failure):
            when = time.strftime("%Y-%m-%d %H:%M:%S")
            atomic.append(self.path / "log.txt", f"{when}  {legible(line)}\n")

    def save(self, name: str, files: Mapping[str, bytes], *, keep: str = "") -> Path:
        """Save `checkpoints/<name>` with its manifest; the one before stays as `keep`."""
        hashes = {part: hashlib.sha256(content).hexdigest() for part, content in files.items()}
        manifest = (json.dumps(hashes, indent=2) + "\n").encode()
        return atomic.write_folder(
            self.path / "checkpoints" / name,
            {**files, MANIFEST: manifest},
            keep=keep,
            within=self.path,
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


def check_new(out: Path) -> None:
    """Raises Mistake where no run can begin, Failure where no folder can be made."""
    if out.is_symlink() and not out.exists():
        raise Mistake(f"{out} is a link that leads nowhere: give another --out.")
    if out.exists() and not (out.is_dir() and (_is_begun(out) or not any(out.iterdir()))):
        what = f", or go on with it: hubel train --resume {out}" if is_run(out) else ""
        raise Mistake(
            f"{out} is there already, and a run never overwrites: give another --out{what}."
        )
    atomic.check_place(out)


def is_run(path: Path) -> bool:
    """Whether a folder can be gone on with: a run, or restarts that are not at their end."""
    return (path / RECIPE).is_file() or (path / RESTARTS).is_file()


def newest(parent: Path = Path("runs")) -> Run:
    """The run under `runs/` that was last written to and has a model. Raises Mistake without."""
    models = [facts for facts in parent.glob("*/model/model.json") if facts.is_file()]
    if not models:
        raise Mistake(f"There is no finished run in {parent}/: name a MODEL, or train one first.")
    return Run(max(models, key=lambda facts: facts.stat().st_mtime).parent.parent.resolve())


def _is_begun(path: Path) -> bool:
    """Whether the folder holds what a training leaves that ends before it is a run, and no more."""
    try:
        names = {each.name for each in path.iterdir() if not each.name.endswith(".partial")}
    except OSError:
        return False
    return LOCK in names and names <= BEGUN | {LOCK}


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
