"""A folder of pictures: train/validation/test/class/*.jpg, or class/*.jpg split by us."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from hubel.data.samples import MOST_HASHED, Files, Splits, stratified
from hubel.mistakes import Failure, Mistake
from hubel.pixels import SUFFIXES

NAMES = {
    "train": ("train", "training"),
    "validation": ("validation", "val", "valid", "dev"),
    "test": ("test", "testing"),
}
# What operating systems leave behind; names that begin with a dot are hidden anyway.
LITTER = frozenset({"__MACOSX", "Thumbs.db", "desktop.ini", "@eaDir"})


def splits(folder: Path, *, validation: float | None, test: float | None, seed: int) -> Splits:
    """The splits of a folder; shares that are None are 0.15 where the folder has no such split.

    Hidden names are ignored, files at any depth below a class belong to it, and a symbolic link is
    followed once. Raises Failure for an empty class, a single class, or classes that differ between
    splits, each with the names.
    """
    found = {name: _split_folder(folder, name) for name in NAMES}
    if found["train"] is None:
        if any(found.values()):
            there = ", ".join(path.name for path in found.values() if path)
            raise Failure(
                f"{folder} has {there}/ but no train/: name the training pictures' folder train."
            )
        return _split_here(folder, validation, test, seed)
    notices = [
        f"Using {path.name}/ as the {name} split."
        for name, path in found.items()
        if path is not None and path.name != name
    ]
    classes = _classes(found["train"])
    everything = train = _files(found["train"], classes, folder)
    parts: dict[str, Files] = {}
    for name in ("validation", "test"):
        path = found[name]
        if path is not None:
            _same_classes(classes, _classes(path), path.relative_to(folder))
            parts[name] = _files(path, classes, folder)
    if "validation" not in parts:
        share = 0.15 if validation is None else validation
        chosen = stratified(everything.labels, {"validation": share}, seed=seed, classes=classes)
        parts["validation"] = everything.subset(chosen["validation"])
        train = everything.subset(chosen["train"])
        notices.append(f"No validation split: {share:.0%} of train/ was split off, by class.")
    elif validation is not None:
        raise Mistake(f"{folder} has a validation split of its own: leave --validation out.")
    if "test" in parts and test:
        raise Mistake(f"{folder} has a test split of its own: leave --test out.")
    if "test" not in parts:
        parts["test"] = everything.subset(np.array([], np.int64))
        notices.append("No test split: nothing will measure the network on new pictures.")
    return Splits(train, parts["validation"], parts["test"], tuple(notices))


def whole(folder: Path) -> Files:
    """All pictures of a folder of classes, unsplit."""
    return _files(folder, _classes(folder), folder)


def _split_here(folder: Path, validation: float | None, test: float | None, seed: int) -> Splits:
    everything = whole(folder)
    shares = {
        "validation": 0.15 if validation is None else validation,
        "test": 0.15 if test is None else test,
    }
    if sum(shares.values()) >= 1:
        raise Mistake(
            f"--validation {shares['validation']:g} and --test {shares['test']:g} leave nothing "
            "to train on: together they must be below 1."
        )
    chosen = stratified(everything.labels, shares, seed=seed, classes=everything.classes)
    parts = {name: everything.subset(indices) for name, indices in chosen.items()}
    return Splits(parts["train"], parts["validation"], parts["test"])


def _split_folder(folder: Path, name: str) -> Path | None:
    """The subfolder for a split, by any of its usual names. Raises Failure if two are there."""
    there = [folder / n for n in NAMES[name] if (folder / n).is_dir()]
    if len(there) > 1:
        both = " and ".join(path.name for path in there)
        raise Failure(f"{folder} has {both}, both for the {name} split: keep one.")
    # a class may be called "test"; a split holds folders, a class holds pictures
    return there[0] if there and any(p.is_dir() for p in _visible(there[0])) else None


def _visible(folder: Path) -> Iterator[Path]:
    try:
        inside = sorted(folder.iterdir(), key=lambda path: path.name)
    except OSError as wrong:
        raise Failure(f"The folder {folder} cannot be read: {wrong.strerror}.") from None
    return (path for path in inside if not path.name.startswith(".") and path.name not in LITTER)


def _classes(folder: Path) -> tuple[str, ...]:
    names = tuple(path.name for path in _visible(folder) if path.is_dir())
    if not names:
        loose = sum(path.suffix.lower() in SUFFIXES for path in _visible(folder))
        raise Failure(
            f"{folder} has no class folders ({loose} pictures lie in it directly): put the "
            "pictures of each class into a folder of its own."
        )
    if len(names) == 1:
        raise Failure(f"{folder} has one class only, {names[0]!r}: there is nothing to tell apart.")
    return names


def _same_classes(ours: tuple[str, ...], theirs: tuple[str, ...], where: Path) -> None:
    missing, strange = sorted(set(ours) - set(theirs)), sorted(set(theirs) - set(ours))
    if missing or strange:
        parts = [f"{', '.join(missing)} missing"] if missing else []
        parts += [f"{', '.join(strange)} not in train/"] if strange else []
        raise Failure(f"The classes of {where}/ are not those of train/: {'; '.join(parts)}.")


def _files(folder: Path, classes: tuple[str, ...], root: Path) -> Files:
    paths: list[Path] = []
    labels: list[int] = []
    for label, name in enumerate(classes):
        own = sorted(_pictures(folder / name), key=os.fspath)
        if not own:
            raise Failure(f"The class {name!r} in {folder} has no pictures: add some or remove it.")
        paths += own
        labels += [label] * len(own)
    names = [path.relative_to(root).as_posix() for path in paths]
    size = sum(path.stat().st_size for path in paths if path.exists())
    return Files(paths, np.array(labels, np.int64), classes, names, hashed=size <= MOST_HASHED)


def _pictures(folder: Path) -> Iterator[Path]:
    """Picture files at any depth; each real folder is visited once, so that loops of links end."""
    seen: set[tuple[int, int]] = set()
    waiting = [folder]
    while waiting:
        current = waiting.pop()
        about = current.stat()
        if (about.st_dev, about.st_ino) in seen:
            continue
        seen.add((about.st_dev, about.st_ino))
        for path in _visible(current):
            if path.is_dir():
                waiting.append(path)
            elif path.suffix.lower() in SUFFIXES:
                yield path
