"""The class folders of a folder: which folders are which class, and what lies in them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hubel.data.listing import (
    Listing,
    class_name,
    is_utf8,
    left_out,
    listed,
    loose,
    named,
    subfolders,
    within,
)
from hubel.data.samples import MOST_HASHED, Files
from hubel.mistakes import Failure
from hubel.pixels import written


@dataclass(frozen=True)
class Part:
    """A folder of class folders. classes: each one's own folders, in natural order of the names."""

    path: Path
    classes: Mapping[str, tuple[tuple[Path, Listing], ...]]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.classes)

    @property
    def listings(self) -> list[Listing]:
        return [listing for own in self.classes.values() for _, listing in own]


def part_of(folder: Path) -> Part:
    """The classes of a folder. Raises Failure where there are none, or one cannot be written down.

    What holds nothing but folders that hubel wrote (`runs`) is no class.
    """
    found: dict[str, list[tuple[Path, Listing]]] = {}
    for path in subfolders(folder):
        listing = listed(path)
        if listing.own and not listing.pictures:
            continue
        if not is_utf8(path.name):
            raise Failure(
                f"The class folder '{written(path.name)}' in {written(folder)} has a name that is "
                "not UTF-8: rename it."
            )
        found.setdefault(class_name(written(path.name)), []).append((path, listing))
    if not found:
        raise Failure(
            f"{written(folder)} has no class folders ({len(loose(folder))} pictures lie in it "
            "directly): put the pictures of each class into a folder of its own."
        )
    return Part(folder, {name: tuple(found[name]) for name in sorted(found, key=natural)})


def natural(name: str) -> tuple[list[str | int], str]:
    """A key that sorts numbers within names by value; names that differ never tie."""
    return [int(s) if s.isdecimal() else s for s in re.split(r"(\d+)", name)], name


def files_of(part: Part, classes: tuple[str, ...], root: Path) -> Files:
    """All pictures of the part, named by their place below the root, labelled by `classes`."""
    paths: list[Path] = []
    labels: list[int] = []
    for label, name in enumerate(classes):
        own = [path for _, listing in part.classes.get(name, ()) for path in listing.pictures]
        paths += own
        labels += [label] * len(own)
    names = [within(path, root) for path in paths]
    size = sum(path.stat().st_size for path in paths if path.exists())
    return Files(paths, np.array(labels, np.int64), classes, names, hashed=size <= MOST_HASHED)


def oddities(part: Part) -> list[str]:
    """Notices: class names to look at, and what is left out."""
    alike: dict[str, list[str]] = {}
    for name in part.names:
        alike.setdefault(name.casefold(), []).append(name)
    told = [
        f"{' and '.join(names)} differ in the case of their letters alone, and are taken for "
        f"{len(names)} classes: make them one folder if they are one."
        for names in alike.values()
        if len(names) > 1
    ]
    told += [
        f"{' and '.join(repr(written(path.name)) for path, _ in own)} are taken for one class, "
        f"{name!r}: their names differ in nothing that can be seen."
        for name, own in part.classes.items()
        if len(own) > 1
    ]
    return [*told, *loose_told(part.path), *left_out(part.listings, part.path)]


def loose_told(folder: Path) -> list[str]:
    """A notice about pictures that lie beside the folders that they should lie in."""
    there = loose(folder)
    if not there:
        return []
    return [
        f"Left out {len(there)} picture{'s' * (len(there) > 1)} in "
        f"{written(folder.resolve().name)}/ itself, of no class: {named(there, folder)}."
    ]
