"""The folder that a verb writes its page and pictures into."""

from pathlib import Path

from hubel.mistakes import Mistake


def place(folder: Path, facts: str, what: str) -> Path:
    """The folder, if it is new, empty, or holds an earlier result, known by its file `facts`.

    what: such a result in words ("look"). Raises Mistake for a file, and for a folder that holds
    something else.
    """
    folder = folder.absolute()
    if folder.is_file():
        raise Mistake(f"{folder} is a file: name a folder with --out.")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / facts).is_file():
        raise Mistake(
            f"{folder} holds something that is no {what}: give another folder with --out."
        )
    return folder
