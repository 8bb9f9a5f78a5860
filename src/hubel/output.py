"""A folder of results: what hubel wrote into it, which alone it ever replaces or removes.

`hubel-files.jsonl` in the folder says so: its first line names the kind of result, by the file that
holds its facts; each further one is the name of a file and the SHA-256 of what hubel put there,
written before the file itself. A file that is not in it, or not what it says, is the user's.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path, PurePosixPath

from hubel import atomic, reading
from hubel.lock import LOCK, locked
from hubel.mistakes import Failure

LISTING = "hubel-files.jsonl"
# What else makes a folder hubel's own: a run, restarts, a model.
SIGNS = (
    ("recipe.toml", "environment.json"),
    ("restarts.json", "trial.toml"),
    ("model.json", "model.safetensors"),
)
MOST = 10_000  # folders or files of one series
PAGES = (".html", ".md")  # of a file's name, before which its number stands
MOST_LETTERS = 1000  # of the listing's first line


def is_ours(folder: Path) -> bool:
    """Whether hubel made this folder: a result of a verb or a lab, a run, restarts, or a model.

    So is one that holds a lock alone: it is to become one.
    """
    if _is_held_only(folder) or kind_of(folder) is not None:
        return True
    return any(all((folder / name).is_file() for name in names) for names in SIGNS)


def _is_held_only(folder: Path) -> bool:
    try:
        return os.listdir(folder) == [LOCK]
    except OSError:
        return False


def kind_of(folder: Path) -> str | None:
    """The name of the facts of the result that a folder holds; None where it holds none."""
    try:
        with open(folder / LISTING, encoding="utf-8", opener=atomic.no_link) as file:
            kind = json.loads(file.readline(MOST_LETTERS))["result"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return kind if isinstance(kind, str) else None


@dataclass(frozen=True)
class Place:
    """Where a result goes: into a folder, or into the next free one of a series.

    kind: the name of the file with the result's facts. numbered: whether `folder` begins a series
    folder, folder-2, …, of which no earlier one is replaced.
    """

    folder: Path
    kind: str
    numbered: bool = False

    @contextmanager
    def held(self, goes_on: Callable[[Path], bool] = lambda _: False) -> Iterator["Output"]:
        """The folder, made and held for this process alone; gone again if nothing was written.

        goes_on: of a series, whether its last result is to be gone on with. Raises Failure while
        another process writes there, and for a file of hubel's that was changed.
        """
        folder, made = self._chosen(goes_on) if self.numbered else (self.folder, _made(self.folder))
        with locked(folder, made=made):
            output = Output(folder, self.kind)
            output.check()
            yield output

    def _chosen(self, goes_on: Callable[[Path], bool]) -> tuple[Path, bool]:
        last: Path | None = None
        paths = _series(self.folder)
        while True:
            path = next(paths)
            if os.path.lexists(path):
                last = path
                continue
            if last is not None and kind_of(last) == self.kind and goes_on(last):
                return last, False
            if _made(path):
                return path, True
            last = path  # another process made it just now


class Output:
    """A folder that is held, to write into. Raises Failure rather than write over a user's file."""

    def __init__(self, path: Path, kind: str) -> None:
        self.path = path
        self._known = _read(path)
        self._kind, self._begun, self._names = kind, kind_of(path) is not None, set[str]()

    def check(self) -> None:
        """Raises Failure for a file of hubel's that was changed since."""
        for name in self._known:
            if not self._is_ours_or_free(name):
                raise Failure(
                    f"{self.path / name} is damaged, or was changed since hubel wrote it, and is "
                    "left alone: move it away, or give another folder with --out."
                )

    def write(self, name: str, content: bytes | str) -> Path:
        """Put a file there, in one step."""
        self.write_all({name: content})
        return self.path / name

    def write_all(self, files: Mapping[str, bytes | str]) -> None:
        """Put files there, one after another; none where one of them would replace a user's."""
        data = {n: c.encode() if isinstance(c, str) else c for n, c in files.items()}
        sums = {name: hashlib.sha256(content).hexdigest() for name, content in data.items()}
        for name, told in sums.items():
            check_free(self.path / name, {*self._known.get(name, ()), told})
        self._list(sums)
        for name, content in data.items():
            atomic.write(self.path / name, content, within=self.path)
            self._names.add(name)

    def write_beside(self, name: str, content: bytes | str) -> Path:
        """Put a file there under its name, or where that is a user's file now, as name-2, …."""
        free = (path for path in _series(self.path / name) if self._is_ours_or_free(path.name))
        return self.write(next(free).name, content)

    def latest(self, name: str) -> Path:
        """The file that `write_beside` wrote last of these."""
        there = takewhile(os.path.lexists, _series(self.path / name))
        ours = (path for path in there if self._is_ours_or_free(path.name))
        return next(ours, self.path / name)

    def keep(self, name: str) -> None:
        """A file of an earlier result belongs to this one as well."""
        self._names.add(name)

    def finish(self) -> None:
        """Remove what hubel wrote there before and this result does not have; nothing else."""
        for name in self._known.keys() - self._names:
            path = self.path / name
            if os.path.lexists(path) and _sum(path) in self._known[name]:
                atomic.remove(path, within=self.path)

    def _is_ours_or_free(self, name: str) -> bool:
        path = self.path / name
        return not os.path.lexists(path) or _sum(path) in self._known.get(name, ())

    def _list(self, sums: Mapping[str, str]) -> None:
        new = {name: told for name, told in sums.items() if told not in self._known.get(name, ())}
        # the empty line ends one that a kill cut short
        lines = ["", *(json.dumps([name, told]) for name, told in new.items())]
        if not self._begun:
            atomic.write(self.path / LISTING, json.dumps({"result": self._kind}))
            self._begun = True
        if new:
            atomic.append(self.path / LISTING, "\n".join(lines), synced=True)
        for name, told in new.items():
            self._known.setdefault(name, set()).add(told)


def _series(first: Path) -> Iterator[Path]:
    """page.html, page-2.html, …, or folder, folder-2, …. Raises Failure when there are too many.

    >>> [path.name for _, path in zip(range(2), _series(Path("d/page.html")))]
    ['page.html', 'page-2.html']
    """
    end = first.suffix if first.suffix in PAGES else ""
    yield first
    for n in range(2, MOST):
        yield first.with_name(f"{first.name.removesuffix(end)}-{n}{end}")
    raise Failure(f"There are {MOST - 1:,} named {first.name}, {first.name}-2, …: move some away.")


def check_free(path: Path, sums: set[str]) -> None:
    """Raises Failure for a file that is there and has none of these SHA-256 sums."""
    if os.path.lexists(path) and _sum(path) not in sums:
        raise Failure(
            f"{path} is not what hubel wrote there, so it is not replaced: move it away, or give "
            "another folder with --out."
        )


def _made(folder: Path) -> bool:
    """Make a folder; whether it was not there."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir()
    except FileExistsError:
        return False
    except OSError as wrong:
        raise atomic.cannot_write(folder, wrong) from wrong
    return True


def _read(folder: Path) -> dict[str, set[str]]:
    """Name → sums, from the listing of a folder; lines that say nothing are left out."""
    known: dict[str, set[str]] = {}
    try:
        lines = reading.text(folder / LISTING).splitlines()
    except Failure:
        return {}
    for line in lines[1:]:
        try:
            name, told = json.loads(line)
            if _is_below(name):
                known.setdefault(name, set()).add(told)
        except (ValueError, TypeError, RecursionError):
            continue
    return known


def _is_below(name: str) -> bool:
    """Whether a name leads to a file in the folder, and to nothing else of it.

    >>> [_is_below(name) for name in ("a.png", "set/a.png", "../a.png", "/a.png", "", "lock")]
    [True, True, False, False, False, False]
    """
    path = PurePosixPath(name)
    inside = bool(path.parts) and not path.is_absolute() and ".." not in path.parts
    return inside and name not in (LOCK, LISTING)


def _sum(path: Path) -> str:
    """The SHA-256 of a regular file; of anything else, or what cannot be read, none."""
    try:
        with open(path, "rb", opener=atomic.no_link) as file:
            if not path.is_file():
                return ""
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""
