"""One file from a server, on request: resumed where it stopped, checked by its hash."""

import contextlib
import hashlib
import http.client
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from hubel import atomic
from hubel.mistakes import Failure, Mistake

Kind = Literal["md5", "sha256"]
NAMES: dict[Kind, str] = {"md5": "MD5", "sha256": "SHA-256"}
Progress = Callable[[int, int], None]  # bytes done, bytes in all
TIMEOUT = 30.0  # seconds without a byte
BLOCK = 1 << 18


def get(
    url: str,
    path: Path,
    *,
    digest: str,
    kind: Kind = "sha256",
    progress: Progress | None = None,
) -> Path:
    """Fetch url to path; what is there already with the right hash is left as it is.

    digest: the hexadecimal digits of the file's hash, or the first of them: eight are what some
    publishers put into a file's name, which tell a damaged file but would not stop a forger.
    A download that stopped goes on from `<path>.part`. progress(bytes done, bytes in all).
    Raises Failure for no connection, a server that stops or stalls, a wrong hash, or a full disk.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise Mistake(f"Only http and https addresses are fetched, not {url!r}.")
    part = path.with_name(path.name + ".part")
    try:
        if path.exists() and hashed(path, kind).startswith(digest):
            return path
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as wrong:
        raise atomic.cannot_write(path, wrong) from wrong
    try:
        _fetch(url, part, progress)
    except (OSError, http.client.HTTPException) as why:  # what a connection raises
        reason = getattr(why, "reason", None) or why
        reason = getattr(reason, "strerror", None) or reason
        done = part.stat().st_size if part.exists() else 0
        kept = f" {done:,} bytes are kept; the same command goes on from there." if done else ""
        raise Failure(
            f"Could not fetch {url}: {reason}.{kept} Or fetch it elsewhere and put it at {path}."
        ) from None
    found = hashed(part, kind)
    if not found.startswith(digest):
        part.unlink()
        verb = "is" if len(found) == len(digest) else "begins"
        raise Failure(
            f"{url} is not what its publisher put there: its {NAMES[kind]} {verb} "
            f"{found[: len(digest)]}, expected {digest}. The file was removed; try again later."
        )
    part.replace(path)
    return path


def hashed(path: Path, kind: Kind = "sha256") -> str:
    """A file's hash in hexadecimal digits. Raises OSError for a file that cannot be read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, kind).hexdigest()


def _fetch(url: str, part: Path, progress: Progress | None) -> None:
    """Append what is missing to `part`; begin anew where the server cannot go on."""
    done = part.stat().st_size if part.exists() else 0
    # the scheme was checked by the caller
    request = urllib.request.Request(url, headers={"User-Agent": "hubel"})  # noqa: S310
    if done:
        request.add_header("Range", f"bytes={done}-")
    try:
        # follows redirects, but never to a file: urllib refuses those
        answer = urllib.request.urlopen(request, timeout=TIMEOUT)  # noqa: S310
    except urllib.error.HTTPError as wrong:
        if wrong.code == 416:  # nothing is missing: the hash decides
            wrong.close()
            return
        raise
    with answer:
        if done and answer.status != 206:
            done = 0
        total = done + _length(answer)
        free = shutil.disk_usage(part.parent).free
        if total - done > free:
            raise Failure(
                f"{url} needs {(total - done) / 1e6:,.0f} MB and {part.parent} has "
                f"{free / 1e6:,.0f} MB free: free some space, or set HUBEL_HOME elsewhere."
            )
        with _writing(part):
            file = open(part, "ab" if done else "wb", opener=atomic.alone)  # noqa: SIM115
        with file:
            while block := answer.read(BLOCK):
                with _writing(part):
                    file.write(block)
                done += len(block)
                if progress is not None:
                    progress(done, max(total, done))
        if done < total:
            raise ConnectionError(f"the server stopped after {done:,} of {total:,} bytes")


def _length(answer: http.client.HTTPResponse) -> int:
    """The bytes that the server announces, 0 if it does not say."""
    stated = answer.headers.get("Content-Length") or ""
    return int(stated) if stated.isascii() and stated.isdigit() else 0


@contextlib.contextmanager
def _writing(part: Path) -> Iterator[None]:
    """The disk's refusals are told from the connection's."""
    try:
        yield
    except OSError as wrong:
        raise atomic.cannot_write(part, wrong) from wrong
