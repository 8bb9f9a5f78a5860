"""The folder that a verb writes its page and pictures into."""

import os
from pathlib import Path

from hubel.mistakes import Failure, Mistake

OURS = frozenset({".html", ".jpg", ".json", ".png", ".safetensors"})  # of what verbs write there


def place(folder: Path, facts: str, what: str, *, data: object = None) -> Path:
    """The folder, if it is new, empty, or holds an earlier result, known by its file `facts`.

    what: such a result in words ("look"). data: what the result is to be made of, as it was named.
    Raises Mistake for a file, for a folder that holds something else, also beside the result, or
    the data, and for the folder that one is in, as all will be replaced; Failure where nothing can
    be written.
    """
    folder = folder.resolve()
    if folder.is_file():
        raise Mistake(f"{folder} is a file: name a folder with --out.")
    if folder == Path.cwd():
        raise Mistake("The folder for the result is replaced, and you are in it: name another.")
    given = Path(data) if isinstance(data, str | os.PathLike) else None
    if given is not None and given.exists() and given.resolve().is_relative_to(folder):
        raise Mistake(f"{given} lies in {folder}, which is replaced: name another with --out.")
    above = next(path for path in (folder, *folder.parents) if path.exists())
    if not above.is_dir():
        raise Mistake(f"{above} is a file, so there can be no folder {folder}: name another.")
    if not os.access(above, os.W_OK | os.X_OK):
        raise Failure(f"No permission to write into {above}: name another folder with --out.")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / facts).is_file():
        raise Mistake(
            f"{folder} holds something that is no {what}: give another folder with --out."
        )
    inside = [path for path in folder.glob("*") if path.is_file() and path.name[0] != "."]
    strange = sorted(path.name for path in inside if path.suffix not in OURS)
    if strange:
        raise Mistake(
            f"{folder} is replaced, and {strange[0]!r} in it is no part of the {what}: move it, or "
            "give another folder with --out."
        )
    return folder
