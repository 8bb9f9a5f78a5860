"""Pictures decoded once: rows of uint8 in one file for each geometry, known by their content.

A store holds every picture that was ever asked for at one size and policy, whatever folder it lay
in. A line of `index` gives a picture's digest, its row in `rows`, and the CRC-32 of both: what was
damaged since is decoded anew. Both files only grow, as others may read them: a row that was cut
short is filled up, a line begun anew, and of two lines for one picture the later one counts. Rows
are read one by one and never mapped: what is cut off under a mapping kills the process. They
are written and synced before their lines, under a lock that the kernel drops with the process.
"""

import contextlib
import fcntl
import hashlib
import json
import math
import os
import re
import shutil
import zlib
from collections.abc import Container, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hubel import atomic, reading
from hubel.home import home
from hubel.mistakes import Failure
from hubel.pixels import PixelSpec

VERSION = 3  # of what decoding makes of a file: another one is another store
MOST_ROWS = 1 << 50  # bytes; what is not read takes no memory
MOST_BYTES = 20_000_000_000  # of all stores; HUBEL_CACHE_GB says otherwise, 0 keeps none
ROWS, INDEX, LOCK = "rows", "index", "lock"
LINE = re.compile(rb"([0-9a-f]{64}) ([0-9]{1,12}) ([0-9a-f]{8})")


class Place(NamedTuple):
    """Where a picture is: its row, and the `checksum` of it as it was written."""

    row: int
    checksum: int


@dataclass(frozen=True)
class Store:
    """The decoded pictures of one geometry; `path` may not exist yet."""

    path: Path
    shape: tuple[int, int, int]  # of a row: (C, H, W)

    @property
    def row_bytes(self) -> int:
        return self.shape[0] * self.shape[1] * self.shape[2]

    @contextmanager
    def contents(self) -> Iterator[tuple[dict[str, Place], "Rows"]]:
        """digest → place, and the rows, which can be read inside.

        Nothing where there is no store, or where another process put a new one into its place just
        now: an index is never read with another store's rows.
        """
        with contextlib.ExitStack() as held:
            rows, index = Rows(), b""
            with contextlib.suppress(OSError, Failure):
                file = held.enter_context(reading.opened(self.path / ROWS, most=MOST_ROWS))
                told = reading.content(self.path / INDEX, most=MOST_ROWS)
                about = os.fstat(file.fileno())
                if os.path.samestat(about, (self.path / ROWS).stat()):
                    rows, index = Rows(file, about.st_size // self.row_bytes, self.shape), told
                    os.utime(self.path)  # it was of use: evicted later than others
            found = (LINE.fullmatch(line) for line in index.split(b"\n"))
            yield (
                {
                    line[1].decode(): Place(int(line[2]), int(line[3], 16))
                    for line in found
                    if line is not None and int(line[2]) < len(rows)
                },
                rows,
            )

    @contextmanager
    def writing(self, wrong: list[str]) -> Iterator["Writer | None"]:
        """Add rows, alone; None where another process does so, or nothing can be written.

        Why not, if so, is added to `wrong`.
        """
        with contextlib.ExitStack() as held:
            writer = None
            try:
                self.path.mkdir(parents=True, exist_ok=True)
                lock = held.enter_context(open(self.path / LOCK, "ab", opener=atomic.alone))
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                rows = held.enter_context(
                    open(self.path / ROWS, "ab", buffering=0, opener=atomic.alone)
                )
                index = held.enter_context(
                    open(self.path / INDEX, "ab", buffering=0, opener=atomic.alone)
                )
                with self.contents() as (known, _):
                    pass
                n = -(-os.fstat(rows.fileno()).st_size // self.row_bytes)
                rows.truncate(n * self.row_bytes)  # to the end of a row that was cut short
                if index.tell():
                    index.write(b"\n")  # what is behind half a line is none of it
                writer = Writer(self, rows, index, n, known)
            except BlockingIOError:
                pass  # another process adds what it decodes
            except OSError as refused:
                wrong.append(refused.strerror or str(refused))
            try:
                yield writer
            finally:
                if writer is not None:
                    writer.flush()
                    wrong += [writer.wrong] if writer.wrong else []


class Writer:
    """Rows on their way into a store; a batch of them is synced before their digests are told.

    wrong: why no more can be written, empty as long as they can.
    """

    BATCH = 64

    def __init__(
        self, store: Store, rows: FileIO, index: FileIO, n: int, known: Container[str]
    ) -> None:
        """n: how many rows there are. known: the digests that have one."""
        self.wrong = ""
        self._known, self._n = known, n
        self._added: set[str] = set()
        self._most = most_bytes() // store.row_bytes  # rows
        self._rows, self._index = rows, index
        self._waiting: dict[str, NDArray[np.uint8]] = {}

    def add(self, digest: str, picture: NDArray[np.uint8], *, mend: bool = False) -> None:
        """A picture (C, H, W) of the store's geometry, which nobody changes any more.

        A copy of one that is there is left out. mend: the one that is there is damaged.
        """
        there = digest in self._known and not mend
        if self.wrong or there or digest in self._waiting or digest in self._added:
            return
        if self._n + len(self._waiting) >= self._most:
            self.flush()
            self.wrong = f"HUBEL_CACHE_GB allows {most_bytes() / 1e9:g} GB"
            return
        self._waiting[digest] = np.ascontiguousarray(picture)
        if len(self._waiting) >= self.BATCH:
            self.flush()

    def flush(self) -> None:
        waiting, self._waiting = self._waiting, {}
        if self.wrong or not waiting:
            return
        lines = [
            f"{digest} {row} {checksum(digest, picture):08x}\n"
            for row, (digest, picture) in enumerate(waiting.items(), self._n)
        ]
        try:
            _write(self._rows, *(picture.data for picture in waiting.values()))
            _write(self._index, "".join(lines).encode("ascii"))
        except OSError as wrong:
            self.wrong = os.strerror(wrong.errno or 0)
            return
        self._n += len(waiting)
        self._added.update(waiting)


@dataclass(frozen=True)
class Rows:
    """The rows of a store's file, n of (C, H, W); none without a file."""

    file: BinaryIO | None = None
    n: int = 0
    shape: tuple[int, int, int] = (0, 0, 0)

    def __len__(self) -> int:
        return self.n

    def whole(self, digest: str, place: Place | None) -> NDArray[np.uint8] | None:
        """The picture (C, H, W) of a place; None where there is none, or not as it was written."""
        if place is None or self.file is None:
            return None
        size = math.prod(self.shape)
        try:
            found = os.pread(self.file.fileno(), size, place.row * size)
        except OSError:
            return None
        if len(found) < size:  # cut off since
            return None
        row = np.frombuffer(found, np.uint8).reshape(self.shape)
        return row if checksum(digest, row) == place.checksum else None


def checksum(digest: str, row: NDArray[np.uint8]) -> int:
    """CRC-32 of a picture's digest and its row: one that is another picture's is damaged, too."""
    return zlib.crc32(row.data, zlib.crc32(digest.encode()))


def store(spec: PixelSpec, background: float) -> Store:
    """The store of a geometry: all that decides what `decode` and `fit` make of a file."""
    facts = [VERSION, spec.size, spec.channels, spec.resize, spec.crop_fraction, spec.background]
    key = hashlib.sha256(json.dumps([*facts, background]).encode()).hexdigest()[:16]
    height, width = spec.size
    name = f"{height}x{width}-{key}"
    return Store(home() / "pictures" / name, (spec.channels, height, width))


def most_bytes() -> float:
    """What all stores may take together. $HUBEL_CACHE_GB that is no number is not heard."""
    with contextlib.suppress(ValueError):
        return float(os.environ.get("HUBEL_CACHE_GB", "")) * 1e9
    return MOST_BYTES


def make_room(full: Store) -> None:
    """Remove a store that has reached the bound, for another to begin in its place."""
    with full.contents() as (_, rows):
        n = len(rows)
    if most_bytes() < (n + 1) * full.row_bytes and not _in_use(full.path):
        shutil.rmtree(full.path, ignore_errors=True)


def evict(keep: Store) -> list[str]:
    """Remove the stores that were longest of no use, until the rest fits; the names of those gone.

    `keep` stays. A store that another process has open stays readable for that process.
    """
    folder = keep.path.parent
    found = []
    for path in folder.iterdir() if folder.is_dir() else ():
        with contextlib.suppress(OSError):
            size = sum(file.stat().st_size for file in path.iterdir())
            found.append((path.stat().st_mtime, path, size))
    total = sum(size for _, _, size in found)
    gone = []
    for _, path, size in sorted(found):
        if total <= most_bytes():
            break
        if path != keep.path and not _in_use(path):
            shutil.rmtree(path, ignore_errors=True)
            total -= size
            gone.append(path.name)
    return gone


def _in_use(path: Path) -> bool:
    """Whether some process is writing there."""
    try:
        with (path / LOCK).open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _write(file: FileIO, *data: bytes | memoryview) -> None:
    """All of the data, down to the disk; a file may take a part of it where the disk gets full."""
    for piece in data:
        view = memoryview(piece).cast("B")
        while view:
            view = view[file.write(view) :]
    getattr(os, "fdatasync", os.fsync)(file.fileno())  # Apple's systems have the slower alone
