"""A folder of pictures: train/validation/test/class/*.jpg, or class/*.jpg split by us."""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hubel.data.samples import MOST_HASHED, Files, Splits, stratified
from hubel.mistakes import Failure, Mistake
from hubel.pixels import SUFFIXES, written

NAMES = {
    "train": ("train", "training"),
    "validation": ("validation", "val", "valid", "dev"),
    "test": ("test", "testing"),
}
# (all pictures, name of a part → its share, seed) → the indices of each part, and of "train"
Divide = Callable[[Files, Mapping[str, float], int], dict[str, NDArray[np.int64]]]
USUAL = 0.15  # share of a split that nobody spoke of
# What operating systems leave behind; names that begin with a dot are hidden anyway.
LITTER = frozenset({"__MACOSX", "Thumbs.db", "desktop.ini", "@eaDir"})


def by_class(files: Files, shares: Mapping[str, float], seed: int) -> dict[str, NDArray[np.int64]]:
    """The usual `Divide`: drawn, with the same shares of every class."""
    return stratified(files.labels, shares, seed=seed, classes=files.classes)


def splits(
    folder: Path,
    *,
    validation: float | None,
    test: float | None,
    seed: int,
    divide: Divide = by_class,
) -> Splits:
    """The splits of a folder, by their usual names in any case; what is missing is split off.

    Shares that are None: 0.15 each of a folder of classes; of a folder with a train split 0.15 for
    validation, and nothing for a test that its owner left out. divide: how. Hidden names are
    ignored, files at any depth below a class belong to it, and a symbolic link is followed once.
    Classes are in natural order: 2 before 10. Raises Failure for an empty class, a single class, or
    classes that differ between splits, each with the names.
    """
    found = {name: _split_folder(folder, name) for name in NAMES}
    if found["train"] is None:
        if any(found.values()):
            there = ", ".join(path.name for path in found.values() if path)
            raise Failure(
                f"{folder} has {there}/ but no train/: name the training pictures' folder train."
            )
        return _split_here(folder, validation, test, seed, divide)
    notices = [
        f"Using {path.name}/ as the {name} split."
        for name, path in found.items()
        if path is not None and path.name != name
    ]
    notices += [
        f"{flat.name}/ holds no class folders: it is no split, and was left out."
        for name in NAMES
        if found[name] is None
        for flat in _named(folder, name)
    ]
    train = found["train"]
    notices += [line for path in found.values() if path is not None for line in _left_out(path)]
    classes = _classes(train)
    _check_number(classes, train)
    parts: dict[str, Files] = {}
    shares: dict[str, float] = {}
    for name, asked, usual in (("validation", validation, USUAL), ("test", test, 0.0)):
        path = found[name]
        if path is None:
            shares[name] = usual if asked is None else asked
            notices.append(_split_off(name, shares[name], train))
        elif asked is not None:
            raise Mistake(f"{folder} has a {name} split of its own: leave --{name} out.")
        else:
            _same_classes(classes, _classes(path), path.relative_to(folder))
            parts[name] = _filled(_files(path, classes, folder), path)
    everything = _filled(_files(train, classes, folder), train)
    parts = _held_out(everything, shares, seed, divide) | parts
    return Splits(parts["train"], parts["validation"], parts["test"], tuple(notices))


def undivided(folder: Path) -> tuple[dict[str, Files], tuple[str, ...]]:
    """The splits that a folder brings, or "all" of a folder of classes, and what is odd about them.

    To be looked at, not to be trained on: a class that is alone, or has no pictures, is a notice
    here. Raises Failure where there is no picture at all.
    """
    found = {name: _split_folder(folder, name) for name in NAMES}
    places = {name: path for name, path in found.items() if path is not None} or {"all": folder}
    classes = tuple(
        sorted({name for path in places.values() for name in _classes(path)}, key=_natural)
    )
    parts = {name: _files(path, classes, folder) for name, path in places.items()}
    if not any(len(files) for files in parts.values()):
        raise Failure(f"The class folders of {folder} have no pictures: there is nothing to show.")
    told = [line for path in places.values() for line in _left_out(path)]
    if len(classes) == 1:
        told.append(f"There is one class only, {classes[0]!r}: nothing to tell apart.")
    for name, files in parts.items():
        none = [classes[k] for k in np.flatnonzero(_counts(files) == 0)]
        if none:
            where = "" if name == "all" else f" in {name}"
            told.append(f"Without pictures{where}: {', '.join(none)}.")
    return parts, tuple(told)


def own_splits(folder: Path) -> tuple[str, ...]:
    """The splits that a folder brings itself, by their names here."""
    return tuple(name for name in NAMES if _split_folder(folder, name) is not None)


def whole(folder: Path) -> Files:
    """All pictures of a folder of classes, unsplit. Raises Failure for a folder of splits."""
    classes = _classes(folder)
    if {name.lower() for name in classes} <= {name for names in NAMES.values() for name in names}:
        raise Failure(
            f"{folder} holds {', '.join(classes)}, which are splits, where class folders were "
            "expected: put a folder for each class inside them, or name one of them as the data."
        )
    _check_number(classes, folder)
    return _filled(_files(folder, classes, folder), folder)


def _split_here(
    folder: Path, validation: float | None, test: float | None, seed: int, divide: Divide
) -> Splits:
    shares = {
        "validation": USUAL if validation is None else validation,
        "test": USUAL if test is None else test,
    }
    parts = _held_out(whole(folder), shares, seed, divide)
    notices = tuple(_left_out(folder))
    return Splits(parts["train"], parts["validation"], parts["test"], notices)


def _held_out(
    everything: Files, shares: Mapping[str, float], seed: int, divide: Divide
) -> dict[str, Files]:
    """The pictures in parts by their shares; what is left is "train"."""
    if sum(shares.values()) >= 1:
        asked = " and ".join(f"--{name} {share:g}" for name, share in shares.items())
        raise Mistake(f"{asked} leave nothing to train on: together they must be below 1.")
    if not shares:
        return {"train": everything}
    chosen = divide(everything, shares, seed)
    return {name: everything.subset(indices) for name, indices in chosen.items()}


def _split_off(name: str, share: float, train: Path) -> str:
    """The notice for a split that is not there."""
    if share:
        return f"No {name} split: {share:.0%} of {train.name}/ was split off, by class."
    lost = {
        "validation": "nothing will tell how training goes",
        "test": "nothing will measure the network on new pictures",
    }
    return f"No {name} split: {lost[name]}."


def _split_folder(folder: Path, name: str) -> Path | None:
    """The subfolder for a split, by any of its usual names. Raises Failure if two are there."""
    there = _named(folder, name)
    if len(there) > 1:
        both = " and ".join(path.name for path in there)
        raise Failure(f"{folder} has {both}, both for the {name} split: keep one.")
    # a class may be called "test"; a split holds folders, a class holds pictures
    return there[0] if there and any(p.is_dir() for p in _visible(there[0])) else None


def _named(folder: Path, split: str) -> list[Path]:
    return [p for p in _visible(folder) if p.name.lower() in NAMES[split] and p.is_dir()]


def _visible(folder: Path) -> Iterator[Path]:
    try:
        inside = sorted(folder.iterdir(), key=lambda path: path.name)
    except OSError as wrong:
        raise Failure(f"The folder {folder} cannot be read: {wrong.strerror}.") from None
    return (path for path in inside if not path.name.startswith(".") and path.name not in LITTER)


def _classes(folder: Path) -> tuple[str, ...]:
    names = sorted((path.name for path in _visible(folder) if path.is_dir()), key=_natural)
    if not names:
        loose = sum(path.suffix.lower() in SUFFIXES for path in _visible(folder))
        raise Failure(
            f"{folder} has no class folders ({loose} pictures lie in it directly): put the "
            "pictures of each class into a folder of its own."
        )
    for name in names:
        if name != written(name):
            raise Failure(
                f"The class folder '{written(name)}' in {folder} has a name that is not UTF-8: "
                "rename it."
            )
    return tuple(names)


def _natural(name: str) -> tuple[list[str | int], str]:
    """A key that sorts numbers within names by value; names that differ never tie."""
    return [int(s) if s.isdecimal() else s for s in re.split(r"(\d+)", name)], name


def _check_number(classes: tuple[str, ...], where: Path) -> None:
    if len(classes) == 1:
        raise Failure(
            f"{where} has one class only, {classes[0]!r}: there is nothing to tell apart."
        )


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
        there = (folder / name).is_dir()
        own = sorted(_pictures(folder / name), key=os.fspath) if there else []
        paths += own
        labels += [label] * len(own)
    names = [written(path.relative_to(root).as_posix()) for path in paths]
    size = sum(path.stat().st_size for path in paths if path.exists())
    return Files(paths, np.array(labels, np.int64), classes, names, hashed=size <= MOST_HASHED)


def _counts(files: Files) -> NDArray[np.int64]:
    return np.bincount(files.labels, minlength=len(files.classes))


def _filled(files: Files, where: Path) -> Files:
    """The files, of which every class must have some."""
    for k in np.flatnonzero(_counts(files) == 0):
        name = files.classes[k]
        raise Failure(f"The class {name!r} in {where} has no pictures: add some or remove it.")
    return files


def _pictures(folder: Path) -> Iterator[Path]:
    """Picture files at any depth."""
    # a broken link too, to be named; but a pipe would be waited on for ever
    return (
        path
        for path in _everything(folder)
        if path.suffix.lower() in SUFFIXES and (path.is_file() or not path.exists())
    )


def _same_but_for_case(classes: tuple[str, ...]) -> list[list[str]]:
    """Classes like "Cat" and "cat", which some systems cannot even tell apart."""
    alike: dict[str, list[str]] = {}
    for name in classes:
        alike.setdefault(name.casefold(), []).append(name)
    return [names for names in alike.values() if len(names) > 1]


def _left_out(folder: Path) -> list[str]:
    """Notices: class names to look at, and files whose ending is no picture's that is read here."""
    told = [
        f"{' and '.join(names)} differ in the case of their letters alone, and are taken for "
        f"{len(names)} classes: make them one folder if they are one."
        for names in _same_but_for_case(_classes(folder))
    ]
    endings = Counter(
        path.suffix.lower() or "no ending"
        for name in _classes(folder)
        for path in _everything(folder / name)
        if path.suffix.lower() not in SUFFIXES
    )
    if not endings:
        return told
    listed = ", ".join(f"{n} × {ending}" for ending, n in endings.most_common(5))
    return [
        *told,
        f"Left out {endings.total()} file(s) in {folder.name}/ that are no pictures read here "
        f"({listed}).",
    ]


def _everything(folder: Path) -> Iterator[Path]:
    """Files at any depth; each real folder is visited once, so that loops of links end."""
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
                if not folder.resolve().is_relative_to(path.resolve()):  # a link upwards
                    waiting.append(path)
            else:
                yield path
