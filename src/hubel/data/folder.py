"""A folder of pictures: train/validation/test/class/*.jpg, or class/*.jpg split by us."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hubel.data.class_folders import Part, files_of, loose_told, natural, oddities, part_of
from hubel.data.listing import check_name, listed, subfolders, within
from hubel.data.samples import Files, Splits, stratified
from hubel.figures import percent
from hubel.mistakes import Failure, Mistake
from hubel.pixels import written

NAMES = {
    "train": ("train", "training"),
    "validation": ("validation", "val", "valid", "validate", "dev"),
    "test": ("test", "testing"),
}
USUAL_NAMES = frozenset(name for names in NAMES.values() for name in names)
# (all pictures, name of a part → its share, seed) → the indices of each part, and of "train"
Divide = Callable[[Files, Mapping[str, float], int], dict[str, NDArray[np.int64]]]
USUAL = 0.15  # share of a split that nobody spoke of


def by_class(files: Files, shares: Mapping[str, float], seed: int) -> dict[str, NDArray[np.int64]]:
    """The usual `Divide`: drawn, with the same shares of every class."""
    return stratified(files.labels, shares, seed=seed, classes=files.classes)


def undrawn(files: Files, shares: Mapping[str, float], seed: int) -> dict[str, NDArray[np.int64]]:  # noqa: ARG001
    """A `Divide` that draws nothing, for who only asks whether the folder is in order."""
    return dict.fromkeys((*shares, "train"), np.arange(0))


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
    validation, and nothing for a test that its owner left out. divide: how. What is a picture, and
    what is left out, `hubel.data.listing` says; files at any depth below a class belong to it.
    Classes are in natural order: 2 before 10. Raises Failure for an empty class, a single class, or
    classes that differ between splits, each with the names.
    """
    found = _found(folder)
    if "train" not in found:
        if found:
            there = ", ".join(path.name for path in found.values())
            raise Failure(
                f"{written(folder)} has {there}/ but no train/: name the training pictures' folder "
                f"train; or, if {there} is a class, give its folder another name."
            )
        return _split_here(folder, validation, test, seed, divide)
    parts = {name: part_of(path) for name, path in found.items()}
    train = parts["train"]
    _check_number(train)
    notices = [
        *_beside(folder, found),
        *(line for part in parts.values() for line in oddities(part)),
    ]
    given: dict[str, Files] = {}
    shares: dict[str, float] = {}
    for name, asked, usual in (("validation", validation, USUAL), ("test", test, 0.0)):
        if name not in parts:
            shares[name] = usual if asked is None else asked
            notices.append(_split_off(name, shares[name], train.path))
        elif asked is not None:
            raise Mistake(f"{written(folder)} has a {name} split of its own: leave --{name} out.")
        else:
            _same_classes(train, parts[name], folder)
            given[name] = _filled(files_of(parts[name], train.names, folder), parts[name].path)
    everything = _filled(files_of(train, train.names, folder), train.path)
    made = _held_out(everything, shares, seed, divide) | given
    return Splits(made["train"], made["validation"], made["test"], tuple(notices))


def undivided(folder: Path) -> tuple[dict[str, Files], tuple[str, ...]]:
    """The splits that a folder brings, or "all" of a folder of classes, and what is odd about them.

    To be looked at, not to be trained on: a class that is alone, or has no pictures, is a notice
    here. Raises Failure where there is no picture at all.
    """
    found = _found(folder)
    parts = {name: part_of(path) for name, path in (found or {"all": folder}).items()}
    classes = tuple(sorted({name for part in parts.values() for name in part.names}, key=natural))
    files = {name: files_of(part, classes, folder) for name, part in parts.items()}
    if not any(map(len, files.values())):
        raise Failure(
            f"The class folders of {written(folder)} have no pictures: there is nothing to show."
        )
    told = _beside(folder, found) if found else []
    told += [line for part in parts.values() for line in oddities(part)]
    if len(classes) == 1:
        told.append(f"There is one class only, {classes[0]!r}: nothing to tell apart.")
    for name, own in files.items():
        none = [classes[k] for k in np.flatnonzero(_counts(own) == 0)]
        if none:
            where = "" if name == "all" else f" in {name}"
            told.append(f"Without pictures{where}: {', '.join(none)}.")
    return files, tuple(told)


def own_splits(folder: Path) -> tuple[str, ...]:
    """The splits that a folder brings itself, by their names here."""
    return tuple(_found(folder))


def whole(folder: Path) -> Files:
    """All pictures of a folder of classes, unsplit. Raises as `whole_told` does."""
    return whole_told(folder)[0]


def whole_told(folder: Path) -> tuple[Files, tuple[str, ...]]:
    """All pictures of a folder of classes, unsplit, and what is odd about them.

    Raises Failure for a folder of splits, an empty class, and a single one.
    """
    check_name(folder.absolute(), "folder")
    part = part_of(folder)
    if {name.lower() for name in part.names} <= {
        name for names in NAMES.values() for name in names
    }:
        raise Failure(
            f"{written(folder)} holds {', '.join(part.names)}, which are splits, where class "
            "folders were expected: put a folder for each class inside them, or name one of them "
            "as the data."
        )
    _check_number(part)
    return _filled(files_of(part, part.names, folder), folder), tuple(oddities(part))


def _split_here(
    folder: Path, validation: float | None, test: float | None, seed: int, divide: Divide
) -> Splits:
    shares = {
        "validation": USUAL if validation is None else validation,
        "test": USUAL if test is None else test,
    }
    everything, notices = whole_told(folder)
    parts = _held_out(everything, shares, seed, divide)
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
        return f"No {name} split: {percent(share, 0)} of {train.name}/ was split off, by class."
    lost = {
        "validation": "nothing will tell how training goes",
        "test": "nothing will measure the network on new pictures",
    }
    return f"No {name} split: {lost[name]}."


def _found(folder: Path) -> dict[str, Path]:
    """The subfolders that are splits, by any of their usual names. Raises Failure if two are one's.

    A class may be called "test": a split holds folders, a class holds pictures.
    """
    check_name(folder.absolute(), "folder")
    inside = subfolders(folder)
    found = {}
    for name, usual in NAMES.items():
        there = [path for path in inside if path.name.lower() in usual]
        if len(there) > 1:
            both = " and ".join(path.name for path in there)
            raise Failure(f"{written(folder)} has {both}, both for the {name} split: keep one.")
        if there and subfolders(there[0]):
            found[name] = there[0]
    return found


def _beside(folder: Path, found: Mapping[str, Path]) -> list[str]:
    """Notices: what the splits are called, and what lies beside them and is none."""
    told = [
        f"Using {path.name}/ as the {name} split."
        for name, path in found.items()
        if path.name != name
    ]
    others = [path for path in subfolders(folder) if path not in found.values()]
    flat = [path for path in others if path.name.lower() in USUAL_NAMES]
    told += [
        f"{path.name}/ holds no class folders: it is no split, and was left out." for path in flat
    ]
    strange = [path for path in others if path not in flat and listed(path).pictures]
    if strange:
        splits = " and ".join(f"{path.name}/" for path in found.values())
        told.append(
            f"Left out of {written(folder.resolve().name)}/: "
            f"{', '.join(f'{within(path, folder)}/' for path in strange)}. Splits are called "
            f"train, validation and test; if what lies in {splits} is a class and no split, give "
            "its folder another name."
        )
    return told + loose_told(folder)


def _check_number(part: Part) -> None:
    if len(part.names) == 1:
        raise Failure(
            f"{written(part.path)} has one class only, {part.names[0]!r}: there is nothing to tell "
            "apart."
        )


def _same_classes(train: Part, other: Part, root: Path) -> None:
    ours, theirs = set(train.names), set(other.names)
    missing, strange = sorted(ours - theirs), sorted(theirs - ours)
    if missing or strange:
        parts = [f"{', '.join(missing)} missing"] if missing else []
        parts += [f"{', '.join(strange)} not in train/"] if strange else []
        where = within(other.path, root)
        raise Failure(f"The classes of {where}/ are not those of train/: {'; '.join(parts)}.")


def _counts(files: Files) -> NDArray[np.int64]:
    return np.bincount(files.labels, minlength=len(files.classes))


def _filled(files: Files, where: Path) -> Files:
    """The files, of which every class must have some."""
    for k in np.flatnonzero(_counts(files) == 0):
        name = files.classes[k]
        raise Failure(
            f"The class {name!r} in {written(where)} has no pictures: add some or remove it."
        )
    return files
