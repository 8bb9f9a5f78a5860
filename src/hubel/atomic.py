"""Files that are whole or not there: temporary file, fsync, rename.

A process killed at any moment, or a disk that fills up, leaves the old content or the new one.
"""

import contextlib
import errno
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from hubel.mistakes import Failure


def write(path: Path, content: bytes | str) -> Path:
    """Put content at path, in one step. Raises Failure (disk full, read-only, …)."""
    data = content.encode() if isinstance(content, str) else content
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_synced(partial, data)
        os.replace(partial, path)
        _sync_folder(path.parent)
    except OSError as wrong:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise cannot_write(path, wrong) from wrong
    return path


def write_folder(folder: Path, files: Mapping[str, bytes], *, keep: Path | None = None) -> Path:
    """Put a folder of files in place of whatever stood there; the old one may be kept as `keep`.

    Between the two renames at the end neither `folder` nor a mixture stands, but the old one still
    does, as `keep` or under a name that begins with a dot: nothing is ever lost.
    """
    fresh = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
    old = keep or folder.with_name(f".{folder.name}.{os.getpid()}.old")
    try:
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        for name, content in files.items():
            _write_synced(fresh / name, content)
        _sync_folder(fresh)
        if folder.exists():
            shutil.rmtree(old, ignore_errors=True)
            os.rename(folder, old)
        os.rename(fresh, folder)
        _sync_folder(folder.parent)
    except OSError as wrong:
        shutil.rmtree(fresh, ignore_errors=True)
        raise cannot_write(folder, wrong) from wrong
    if keep is None:
        shutil.rmtree(old, ignore_errors=True)
    return folder


def check_place(folder: Path) -> None:
    """Raises Failure where the folder could not be made or written into: before any work."""
    above = next(path for path in (folder, *folder.absolute().parents) if os.path.lexists(path))
    if not above.is_dir():
        raise cannot_write(folder, NotADirectoryError(errno.ENOTDIR, "", os.fspath(above)))
    if not os.access(above, os.W_OK | os.X_OK):
        raise cannot_write(folder, PermissionError(errno.EACCES, "", os.fspath(above)))


def sweep(folder: Path) -> None:
    """Remove what a killed process left half-written in a folder that we hold the lock of."""
    for rest in (*folder.glob(".*.partial"), *folder.glob(".*.old")):
        if rest.is_dir():
            shutil.rmtree(rest, ignore_errors=True)
        else:
            rest.unlink(missing_ok=True)


def cannot_write(path: Path, wrong: OSError) -> Failure:
    """The sentence for a write that the system refused."""
    what_to_do = {
        errno.ENOSPC: "the disk is full; free some space",
        errno.EDQUOT: "the disk quota is used up; free some space",
        errno.EFBIG: "the file grew beyond the size limit of this system",
        errno.EROFS: "the file system is read-only; choose another place",
        errno.EACCES: "no permission to write there; choose another place",
        errno.EPERM: "no permission to write there; choose another place",
    }.get(wrong.errno or 0, os.strerror(wrong.errno) if wrong.errno else str(wrong))
    return Failure(f"Could not write {path}: {what_to_do}. What was saved before is untouched.")


def _write_synced(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Make a rename durable: the folder's own entry has to reach the disk too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
