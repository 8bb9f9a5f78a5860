"""One process at a time in a folder: a lock that the kernel drops with its holder, never stale."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hubel import atomic
from hubel.mistakes import Failure

LOCK = "lock"


@contextmanager
def locked(folder: Path, *, made: bool = False) -> Iterator[None]:
    """Hold the folder, which is there, for this process alone.

    made: whether it was made for this, and goes again if nothing was put into it. Raises Failure
    while another process, or another thread of this one, holds it.
    """
    path = folder / LOCK
    descriptor = _taken(path)
    try:
        try:
            os.truncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        except OSError as wrong:
            raise atomic.cannot_write(path, wrong) from wrong
        atomic.sweep(folder)
        yield
    finally:
        with contextlib.suppress(OSError):
            if made and os.listdir(folder) == [LOCK]:
                path.unlink()
                folder.rmdir()
        os.close(descriptor)


def _taken(path: Path) -> int:
    """The lock file, opened and locked; opened again where its last holder removed it.

    One that has a second name elsewhere is a stranger's as well, so it gets a file of its own; held
    meanwhile, so that whoever holds it already is not passed by.
    """
    while True:
        try:
            descriptor = atomic.no_link(os.fspath(path), os.O_RDWR | os.O_CREAT)
        except OSError as wrong:
            raise atomic.cannot_write(path, wrong) from wrong
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            about = os.fstat(descriptor)
            if os.path.samestat(about, os.lstat(path)):
                if about.st_nlink == 1:
                    return descriptor
                atomic.write(path, "")
        except BlockingIOError:
            told = os.read(descriptor, 20).decode(errors="replace").strip()
            holder = told if told.isdecimal() else "unknown"
            os.close(descriptor)
            raise Failure(
                f"{path.parent} is in use by another process (pid {holder}): wait for it, "
                "or stop it."
            ) from None
        except FileNotFoundError:
            pass
        os.close(descriptor)
