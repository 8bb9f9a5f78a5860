"""The user's own folder of ours: downloads, caches, what was measured about the machine."""

import os
import stat
import tempfile
from pathlib import Path

from hubel.mistakes import Failure


def home() -> Path:
    """$HUBEL_HOME, or ~/.cache/hubel; it need not exist.

    A user without a home, as in containers that run under any number, has a folder among the
    temporary files. Raises Failure where that is not the user's own.
    """
    if chosen := os.environ.get("HUBEL_HOME"):
        return Path(chosen)
    try:
        return Path.home() / ".cache" / "hubel"
    except RuntimeError:  # neither HOME nor an entry in passwd
        return _temporary()


def _temporary() -> Path:
    folder = Path(tempfile.gettempdir()) / f"hubel-{os.getuid()}"
    try:
        about = folder.lstat()
    except FileNotFoundError:
        return folder
    if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.getuid():
        raise Failure(
            f"There is no home folder, and {folder}, which would take its place, belongs to "
            "someone else: set HUBEL_HOME to a folder of yours."
        )
    return folder
