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
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from hubel import atomic
from hubel.mistakes import Failure, Mistake

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Checkpoint:
    """Files as they were saved, the name they were found under, and what was stepped over."""

    name: str
    files: dict[str, bytes]
    damaged: tuple[str, ...] = ()


@dataclass(frozen=True)
class Run:
    """A run folder; `create` makes a new one, `find` opens one that is there."""

    path: Path

    @classmethod
    def create(cls, name: str, *, out: Path | None = None, parent: Path = Path("runs")) -> "Run":
        """A folder of its own: `out`, or `runs/<date>-<name>[-n]`; nothing is ever overwritten."""
        try:
            if out is not None:
                check_new(out)
                out.mkdir(parents=True, exist_ok=True)
                return cls(out.resolve())
            stem = f"{date.today().isoformat()}-{name}"
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

    def read_json(self, name: str) -> dict[str, Any]:
        """A JSON object that was written here. Raises Failure when it is missing or damaged."""
        try:
            facts = json.loads((self.path / name).read_text(encoding="utf-8"))
        except (OSError, ValueError) as wrong:
            raise Failure(f"{self.path / name} cannot be read: {wrong}.") from None
        if not isinstance(facts, dict):
            raise Failure(f"{self.path / name} is damaged: it holds no object.")
        return facts

    def write_table(self, name: str, rows: Sequence[Mapping[str, Any]]) -> Path:
        """A CSV file, written anew: the columns are all that occur, in order of appearance."""
        columns = list(dict.fromkeys(key for row in rows for key in row))
        text = io.StringIO(newline="")
        table = csv.DictWriter(text, columns, lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
        return self.write(name, text.getvalue())

    def read_table(self, name: str) -> list[dict[str, str]]:
        try:
            with (self.path / name).open(newline="", encoding="utf-8") as file:
                return list(csv.DictReader(file))
        except (OSError, ValueError, csv.Error) as wrong:
            raise Failure(f"{self.path / name} cannot be read: {wrong}.") from None

    def status(self, state: str, **facts: Any) -> None:
        """`status.json`: running, finished, stopped or failed, with the time and the facts."""
        now = time.strftime("%Y-%m-%dT%H:%M:%S%z")
        self.write_json("status.json", {"state": state, "time": now, **facts})

    def log(self, line: str) -> None:
        """One more line in `log.txt`; a log that cannot be written stops nothing."""
        try:
            with (self.path / "log.txt").open("a", encoding="utf-8") as file:
                file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')}  {line}\n")
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


def check_new(out: Path) -> None:
    """Raises Mistake where something is there already, Failure where nothing can be written."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise Mistake(
            f"{out} is there already, and a run never overwrites: give another --out, "
            f"or go on with it: hubel train --resume {out}."
        )
    atomic.check_place(out)


def newest(parent: Path = Path("runs")) -> Run:
    """The run under `runs/` that was last written to and has a model. Raises Mistake without."""
    models = [facts for facts in parent.glob("*/model/model.json") if facts.is_file()]
    if not models:
        raise Mistake(f"There is no finished run in {parent}/: name a MODEL, or train one first.")
    return Run(max(models, key=lambda facts: facts.stat().st_mtime).parent.parent.resolve())


def _read_checked(folder: Path) -> dict[str, bytes]:
    """A checkpoint's files after their hashes were compared. Raises Failure naming the file."""
    try:
        hashes = json.loads((folder / MANIFEST).read_text())
        files = {name: (folder / name).read_bytes() for name in hashes}
    except (OSError, ValueError, TypeError) as wrong:
        raise Failure(f"{folder} is damaged: {wrong}.") from None
    for name, content in files.items():
        if hashlib.sha256(content).hexdigest() != hashes[name]:
            raise Failure(f"{folder / name} is damaged: its SHA-256 is not the manifest's.")
    return files
