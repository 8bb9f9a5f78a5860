"""The folder that a verb writes its page and pictures into."""

import os
from pathlib import Path

from hubel.lock import LOCK
from hubel.mistakes import Failure, Mistake
from hubel.model import Classifier
from hubel.output import Place, kind_of
from hubel.verbs.load import own_run


def place(
    out: str | os.PathLike[str] | None,
    usual: Path,
    facts: str,
    what: str,
    *,
    data: object = None,
) -> Place:
    """The folder `out`, if it is new, empty, or holds an earlier result, known by its file `facts`.

    Of that, what hubel wrote will be replaced, and nothing else. None: the next free one of usual,
    usual-2, …. what: such a result in words ("look"). data: what the result is to be made of, as it
    was named. Raises Mistake for a file, for a folder that holds something else, or the data;
    Failure where nothing can be written.
    """
    folder = (usual if out is None else Path(out)).absolute()
    if out is not None:
        _check(folder, facts, what, data)
        folder = folder.resolve()
    above = next(path for path in (folder, *folder.parents) if path.exists())
    if not above.is_dir() and out is not None:
        raise Mistake(f"{above} is a file, so there can be no folder {folder}: name another.")
    above = above.parent if out is None and above == folder else above
    if not os.access(above, os.W_OK | os.X_OK):
        raise Failure(f"No permission to write into {above}: name another folder with --out.")
    return Place(folder, facts, numbered=out is None)


def near(model: str | os.PathLike[str] | Classifier, name: str) -> Path:
    """Where a result about a model usually goes: into its run, else into the current folder."""
    run = own_run(model)
    return run.path / name if run else Path(name)


def _check(folder: Path, facts: str, what: str, data: object) -> None:
    if folder.is_symlink() and not folder.exists():
        raise Mistake(f"{folder} is a link that leads nowhere: name a folder with --out.")
    if folder.is_file():
        raise Mistake(f"{folder} is a file: name a folder with --out.")
    given = Path(data) if isinstance(data, str | os.PathLike) else None
    if given is not None and given.exists() and given.resolve().is_relative_to(folder.resolve()):
        raise Mistake(f"{given} lies in {folder}, where the {what} goes: name another with --out.")
    if not folder.is_dir() or kind_of(folder) == facts:
        return
    try:
        names = [path.name for path in folder.iterdir()]
    except OSError as wrong:
        raise Failure(f"{folder} cannot be looked into: {wrong.strerror}.") from None
    # of what was killed as it began
    strange = sorted(name for name in names if name != LOCK and not name.endswith(".partial"))
    if strange:
        raise Mistake(
            f"{folder} holds something that is no {what} ({strange[0]}): give another folder with "
            "--out."
        )
