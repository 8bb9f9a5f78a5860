"""What can be refused by names alone, before any work; no torch, which takes seconds to import.

The command line asks here first, and every verb itself for who calls it from Python.
"""

import os
from pathlib import Path

from hubel import atomic
from hubel.data.listing import check_name
from hubel.data.sources import check, has_test
from hubel.mistakes import Mistake
from hubel.run import check_new

SPLITS = ("train", "validation", "test", "all")


def check_training(data: str | os.PathLike[str] | None, out: str | os.PathLike[str] | None) -> None:
    """Refuse data that cannot be trained on, and a run folder that could not be made."""
    folder = Path("runs" if out is None else out)
    check_name(folder.absolute(), "run folder")
    if out is None:
        atomic.check_place(folder)
    else:
        check_new(folder)
    if data is not None:
        check(os.fspath(data))


def check_measured(data: str | os.PathLike[str] | None, split: str | None) -> None:
    """Refuse data that `hubel.verbs.labelled.samples_of` would refuse."""
    if split is not None and split not in SPLITS:
        raise Mistake(f"--split is {', '.join(SPLITS)}; not {split!r}.")
    if data is not None:
        check(os.fspath(data), whole=is_whole(data, split))


def is_whole(data: str | os.PathLike[str], split: str | None) -> bool:
    """Whether all of the data are measured on: asked for, or since they bring no test split."""
    return split == "all" or (split is None and not has_test(os.fspath(data)))
