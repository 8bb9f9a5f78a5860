"""What in a folder is a picture: the one rule by which every verb looks into folders.

Passed over in silence: hidden names (`.thumbnails`, AppleDouble's `._a.png`), what operating
systems leave behind, and whatever hubel itself wrote. Links to folders are followed, and each
folder is looked through once. Left out and named: files that are no pictures read here, and links
that lead back to a folder that is looked through anyway.
"""

import os
import sys
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from hubel.foreign import what_it_is
from hubel.mistakes import Failure, Mistake
from hubel.opening import head_of
from hubel.output import is_ours
from hubel.pixels import HEIC_SUFFIXES, SUFFIXES, written

# What operating systems leave behind; names that begin with a dot are hidden anyway.
LITTER = frozenset(
    (
        *("__MACOSX", "Thumbs.db", "desktop.ini", "@eaDir"),
        *("$RECYCLE.BIN", "System Volume Information", "lost+found"),
    )
)
NAMED = 3  # files that a sentence names


@dataclass(frozen=True)
class Listing:
    """What lies below a folder, at any depth, each sorted by its path.

    pictures: files to be read; a broken link to one, too, so that it can be named. others: files
    that are no pictures read here. links: to folders that are looked through anyway. own: folders
    that hubel wrote, which were passed over.
    """

    pictures: list[Path] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)
    links: list[Path] = field(default_factory=list)
    own: list[Path] = field(default_factory=list)


def listed(folder: Path) -> Listing:
    """What lies below the folder, which may itself be hubel's own: whoever names it means it.

    Raises Failure for a folder that cannot be looked into.
    """
    found = Listing()
    top = folder.resolve()
    seen: set[tuple[int, int]] = set()
    # what lies here before what is linked here, so that a picture has the name of its own place
    waiting, linked = [folder], list[Path]()
    while waiting or linked:
        link = not waiting
        current = linked.pop() if link else waiting.pop()
        inside, identity = _visible(current), _identity(current)
        if identity in seen or (link and top.is_relative_to(current.resolve())):
            found.links.append(current)
            continue
        seen.add(identity)
        if current != folder and is_ours(current):
            found.own.append(current)
            continue
        for entry in inside:
            path = current / entry.name
            if entry.is_dir():
                (linked if entry.is_symlink() else waiting).append(path)
            elif _may_be_read(entry.name) and (entry.is_file() or not path.exists()):
                found.pictures.append(path)
            else:  # a pipe among them, which would be waited on for ever
                found.others.append(path)
    for paths in (found.pictures, found.others, found.links, found.own):
        paths.sort(key=os.fspath)
    return found


def loose(folder: Path) -> list[Path]:
    """The pictures that lie in the folder itself."""
    return [
        folder / entry.name
        for entry in _visible(folder)
        if not entry.is_dir() and _may_be_read(entry.name)
    ]


def subfolders(folder: Path) -> list[Path]:
    """The folders in a folder, but for those that hubel wrote."""
    inside = [folder / entry.name for entry in _visible(folder) if entry.is_dir()]
    return [path for path in inside if not is_ours(path)]


def among(paths: Iterable[Path], root: Path) -> Iterator[Path]:
    """Those of the paths below the root, or of a glob, that `listed` would not pass over."""
    known: dict[Path, bool] = {}
    for path in paths:
        between = [above for above in path.parents if above != root and root in above.parents]
        for above in between:
            if above not in known:
                known[above] = is_ours(above)
        names = [path.name, *(above.name for above in between)]
        if not any(map(_is_litter, names)) and not any(known[above] for above in between):
            yield path


def class_name(folder: str) -> str:
    """The class that a folder's name means: in composed letters, without blanks at its ends.

    The same name can be spelt with é as one letter or as e and an accent, which nobody sees.

    >>> class_name("cafe\\u0301 ") == "caf\\u00e9"
    True
    """
    composed = unicodedata.normalize("NFC", folder)
    return composed.strip() or composed


def check_name(path: Path, what: str) -> None:
    """Raises Mistake for a path that cannot be written down, as its name is not UTF-8."""
    if not is_utf8(path):
        raise Mistake(f"The name of the {what} '{written(path)}' is not UTF-8: rename it.")
    if os.fspath(path) != written(path):
        raise Mistake(
            f"Names are read as {sys.getfilesystemencoding()} here, and the {what} "
            f"'{written(path)}' is named in UTF-8: choose a UTF-8 locale, as with LC_ALL=C.UTF-8."
        )


def is_utf8(path: str | os.PathLike[str]) -> bool:
    """Whether a name's bytes are UTF-8, whatever the locale reads them as."""
    try:
        os.fsencode(path).decode()
    except UnicodeDecodeError:
        return False
    return True


def left_out(listings: Sequence[Listing], root: Path) -> list[str]:
    """Sentences about what of a folder is not looked at."""
    name = written(root.resolve().name)
    others = [path for listing in listings for path in listing.others]
    links = [path for listing in listings for path in listing.links]
    told = []
    if others:
        endings = Counter(path.suffix.lower() or "no ending" for path in others)
        kinds = ", ".join(f"{n} × {written(ending)}" for ending, n in endings.most_common(5))
        told.append(
            f"Left out {len(others)} file{'s' * (len(others) > 1)} in {name}/ that cannot be read "
            f"as pictures here ({kinds}): "
            f"{named(others, root, _why)}."
        )
    if links:
        told.append(
            f"Left out {len(links)} link{'s' * (len(links) > 1)} in {name}/ to folders that are "
            f"looked through anyway: {named(links, root)}."
        )
    return told


def within(path: Path, root: Path) -> str:
    """A path below the root as text."""
    return written(path.relative_to(root).as_posix())


def named(paths: Sequence[Path], root: Path, name: Callable[[Path, Path], str] = within) -> str:
    """The first of the paths below the root, for a sentence."""
    more = f"; and {len(paths) - NAMED} more" if len(paths) > NAMED else ""
    return "; ".join(name(path, root) for path in paths[:NAMED]) + more


def _why(path: Path, root: Path) -> str:
    """A file that is no picture by name, and what it is instead where that is known."""
    name = within(path, root)
    try:
        known = what_it_is(head_of(path)) if path.is_file() else "it is no file"
    except OSError:
        return name
    return name if known.startswith("it is none of") else f"{name} ({known})"


def _may_be_read(name: str) -> bool:
    """Whether a file of that name is taken for a picture that is read here."""
    suffix = Path(name).suffix.lower()
    return suffix in SUFFIXES or (suffix in HEIC_SUFFIXES and find_spec("pillow_heif") is not None)


def _is_litter(name: str) -> bool:
    return name.startswith(".") or name in LITTER


def _visible(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            inside = [entry for entry in entries if not _is_litter(entry.name)]
    except OSError as wrong:
        raise _unreadable(folder, wrong) from None
    return sorted(inside, key=lambda entry: entry.name)


def _identity(folder: Path) -> tuple[int, int]:
    """What is the same however a folder is reached."""
    try:
        about = folder.stat()
    except OSError as wrong:
        raise _unreadable(folder, wrong) from None
    return about.st_dev, about.st_ino


def _unreadable(folder: Path, wrong: OSError) -> Failure:
    return Failure(f"The folder {written(folder)} cannot be read: {wrong.strerror}.")
