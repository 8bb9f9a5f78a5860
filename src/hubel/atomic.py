"""Every write goes through here: whole or not at all, and never through a link, soft or hard.

Temporary file, fsync, rename: a process killed at any moment, or a disk that fills up, leaves the
old content or the new one. The folder that a user names may itself be a link to a folder; below it
nothing that is a link is written to, made a folder in, or looked into.
"""

import contextlib
import errno
import os
import re
import shutil
import stat
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from hubel.mistakes import Failure

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
SECOND_NAME = "the file has a second name elsewhere (a hard link), and is not written into"
_UNFINISHED = re.compile(r"\.(.+)\.[\d-]+\.(partial|old)")  # what `_mark` names


def write(path: Path, content: bytes | str, *, within: Path | None = None) -> Path:
    """Put content at path, in one step. Raises Failure (disk full, read-only, a link, …).

    within: the folder that the user named, if path lies deeper in it than one level.
    """
    data = content.encode() if isinstance(content, str) else content
    partial = f".{path.name}.{_mark()}.partial"
    try:
        with _folder(path.parent, within) as at:
            _refuse_link(path.name, at)
            try:
                _write_synced(partial, data, at)
                os.replace(partial, path.name, src_dir_fd=at, dst_dir_fd=at)
                os.fsync(at)
            except OSError:
                with contextlib.suppress(OSError):
                    os.unlink(partial, dir_fd=at)
                raise
    except OSError as wrong:
        raise cannot_write(path, wrong) from wrong
    return path


def append(path: Path, text: str, *, synced: bool = False) -> None:
    """Add text to the end of a file; what a kill leaves of it is its beginning. Raises Failure.

    One that has another name elsewhere, as in a copy made of hard links, gets a file of its own.
    """
    data = text.encode(errors="backslashreplace")
    try:
        with open(path, "ab", opener=alone) as file:
            file.write(data)
            file.flush()
            if synced:
                os.fsync(file.fileno())
    except OSError as wrong:
        if wrong.errno != errno.EMLINK:
            raise cannot_write(path, wrong) from wrong
        write(path, path.read_bytes() + data)


def no_link(path: str, flags: int) -> int:
    """For `open(path, mode, opener=no_link)`: a link is refused, and a pipe is not waited for."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o666)


def alone(path: str, flags: int) -> int:
    """`no_link` for what is written into: a file that has a second name elsewhere is refused, too,
    before anything of it is cut off."""
    descriptor = no_link(path, flags & ~os.O_TRUNC)
    try:
        about = os.fstat(descriptor)
        if stat.S_ISREG(about.st_mode) and about.st_nlink > 1:
            raise OSError(errno.EMLINK, SECOND_NAME, path)
        if flags & os.O_TRUNC:
            os.ftruncate(descriptor, 0)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def write_folder(
    folder: Path, files: Mapping[str, bytes], *, keep: str = "", within: Path | None = None
) -> Path:
    """Put a folder of files in place of an older one of the same kind, all at once.

    keep: the name beside it under which the older one stays. Anything in the older one that has no
    counterpart among the files is somebody else's, and is moved along. Between two of the renames
    neither `folder` nor a mixture stands, but the older one does, as `keep` or under a name that
    begins with a dot, from which `sweep` brings it back: nothing is ever lost.
    """
    mark, name = _mark(), folder.name
    fresh, old = f".{name}.{mark}.partial", f".{keep or name}.{mark}.old"
    try:
        with _folder(folder.parent, within) as at:
            try:
                shutil.rmtree(fresh, ignore_errors=True, dir_fd=at)
                os.mkdir(fresh, dir_fd=at)
                with _open_folder(fresh, at) as inside:
                    for part, content in files.items():
                        _write_synced(part, content, inside)
                    os.fsync(inside)
                for each in filter(None, (name, keep)):
                    _refuse_link(each, at)
                if _is_there(keep or name, at):
                    os.rename(keep or name, old, src_dir_fd=at, dst_dir_fd=at)
                if keep and _is_there(name, at):
                    os.rename(name, keep, src_dir_fd=at, dst_dir_fd=at)
                os.rename(fresh, name, src_dir_fd=at, dst_dir_fd=at)
                os.fsync(at)
            except OSError:
                shutil.rmtree(fresh, ignore_errors=True, dir_fd=at)
                raise
            _settle(old, keep or name, at)
    except OSError as wrong:
        raise cannot_write(folder, wrong) from wrong
    return folder


def check_place(folder: Path) -> None:
    """Raises Failure where the folder could not be made or written into: before any work."""
    above = next(path for path in (folder, *folder.absolute().parents) if os.path.lexists(path))
    if not above.is_dir():
        raise cannot_write(folder, NotADirectoryError(errno.ENOTDIR, "", os.fspath(above)))
    if not os.access(above, os.W_OK | os.X_OK):
        raise cannot_write(folder, PermissionError(errno.EACCES, "", os.fspath(above)))


def sweep(folder: Path, *, within: Path | None = None) -> None:
    """Settle what a killed process left half done in a folder that we hold the lock of."""
    if not folder.is_dir():
        return
    with contextlib.suppress(OSError), _folder(folder, within) as at:
        found = [match for name in os.listdir(at) if (match := _UNFINISHED.fullmatch(name))]
        for match in sorted(found, key=lambda each: each[2]):  # "old" first
            if match[2] == "old":
                _settle(match[0], match[1], at)
                continue
            with contextlib.suppress(OSError):
                if stat.S_ISDIR(os.lstat(match[0], dir_fd=at).st_mode):
                    shutil.rmtree(match[0], dir_fd=at)
                else:
                    os.unlink(match[0], dir_fd=at)


def move(path: Path, target: Path) -> None:
    """Give a file or folder another place, which is free, in the same file system."""
    try:
        with _folder(path.parent, None) as source, _folder(target.parent, None) as at:
            if _is_there(target.name, at):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
            os.rename(path.name, target.name, src_dir_fd=source, dst_dir_fd=at)
            os.fsync(at)
    except OSError as wrong:
        raise cannot_write(target, wrong) from wrong


def remove(path: Path, *, within: Path) -> None:
    """Remove a file below a folder, and the folders that are empty then, up to that one."""
    if not path.parent.is_dir():
        return
    with contextlib.suppress(OSError):
        with _folder(path.parent, within) as at, contextlib.suppress(FileNotFoundError):
            os.unlink(path.name, dir_fd=at)
        for folder in path.relative_to(within).parents:
            if folder != Path():
                (within / folder).rmdir()


def cannot_write(path: Path, wrong: OSError) -> Failure:
    """The sentence for a write that the system refused."""
    what_to_do = {
        errno.ENOSPC: "the disk is full; free some space",
        errno.EDQUOT: "the disk quota is used up; free some space",
        errno.EFBIG: "the file grew beyond the size limit of this system",
        errno.EROFS: "the file system is read-only; choose another place",
        errno.EACCES: "no permission to write there; choose another place",
        errno.EPERM: "no permission to write there; choose another place",
        errno.EEXIST: "something is there already; move it away",
        errno.EMLINK: f"{SECOND_NAME}; remove one of the two",
        errno.ELOOP: f"{wrong.filename or 'it'} is a link, and nothing is written through links "
        "inside a folder of results; remove the link",
    }.get(wrong.errno or 0, os.strerror(wrong.errno) if wrong.errno else str(wrong))
    return Failure(f"Could not write {path}: {what_to_do}. What was saved before is untouched.")


def _mark() -> str:
    """Told apart are processes, and threads of one."""
    return f"{os.getpid()}-{threading.get_ident()}"


@contextmanager
def _folder(folder: Path, within: Path | None) -> Iterator[int]:
    """A descriptor of the folder, which is made where it is missing; no link below `within`."""
    root = within or folder
    root.mkdir(parents=True, exist_ok=True)
    at = os.open(root, _FOLDER)
    try:
        for part in folder.relative_to(root).parts:
            with contextlib.suppress(FileExistsError):
                os.mkdir(part, dir_fd=at)
            _refuse_link(part, at)
            below = os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=at)
            os.close(at)
            at = below
        yield at
    finally:
        os.close(at)


@contextmanager
def _open_folder(name: str, at: int) -> Iterator[int]:
    descriptor = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=at)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _refuse_link(name: str, at: int) -> None:
    if _is_there(name, at) and stat.S_ISLNK(os.lstat(name, dir_fd=at).st_mode):
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), name)


def _is_there(name: str, at: int) -> bool:
    try:
        os.lstat(name, dir_fd=at)
    except FileNotFoundError:
        return False
    return True


def _write_synced(name: str, data: bytes, at: int) -> None:
    """A file of its own: what stands under the name goes, and is not written into."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=at)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(os.open(name, flags, 0o666, dir_fd=at), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _settle(old: str, new: str, at: int) -> None:
    """Bring an older folder back where no newer one stands; else keep of it what is not ours.

    What both have was replaced; the rest is moved into the newer one.
    """
    if not _is_there(old, at):
        return
    if not _is_there(new, at):
        os.rename(old, new, src_dir_fd=at, dst_dir_fd=at)
        return
    with contextlib.suppress(OSError), _open_folder(old, at) as source:
        with _open_folder(new, at) as target:
            for name in os.listdir(source):
                if _is_there(name, target):
                    os.unlink(name, dir_fd=source)
                else:
                    os.rename(name, name, src_dir_fd=source, dst_dir_fd=target)
        os.rmdir(old, dir_fd=at)
