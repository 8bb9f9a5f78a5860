"""MODEL left out: the newest run answers, and it is said which that is."""

import glob
from collections.abc import Sequence
from pathlib import Path

from hubel.verbs.watch import say

STANDARD_INPUT = "-"


def settled(model: str | None, behind: Sequence[str] = ()) -> tuple[str, list[str]]:
    """MODEL and the words behind it; where there is none, the newest run under runs/.

    The first word is a picture, not a model, if it is standard input, a picture's file, a folder
    that holds pictures and no model, or a glob. Raises Mistake where no run is there.
    """
    if model is not None and not _is_pictures(model):
        return model, list(behind)
    from hubel import run

    found = run.newest().path
    here = Path.cwd()
    shown = found.relative_to(here) if found.is_relative_to(here) else found
    say(f"No MODEL is named, so the newest run answers: {shown}.")
    return str(shown), [*([] if model is None else [model]), *behind]


def settled_on_data(model: str | None, data: str | None) -> tuple[str, str | None]:
    """The same where one word at most comes behind it, the data."""
    if data is not None and model is not None:
        return model, data
    found, behind = settled(model)
    return found, behind[0] if behind else data


def _is_pictures(word: str) -> bool:
    """Whether a word names pictures that are here, and neither a model nor a run."""
    from hubel.data.listing import listed
    from hubel.networks.listed import names
    from hubel.pixels import SUFFIXES

    path = Path(word)
    if word == STANDARD_INPUT:
        return True
    if word in names() or any((path / sign).exists() for sign in ("recipe.toml", "model.json")):
        return False
    if path.is_dir():
        return not (path / "model").is_dir() and bool(listed(path).pictures)
    if path.is_file():
        return path.suffix.lower() in SUFFIXES
    return glob.has_magic(word) and bool(glob.glob(word, recursive=True))
