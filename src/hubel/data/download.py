"""Downloads on request: resumed where they stopped, checked by hash before they count."""

import hashlib
import http.client
import shutil
import tarfile
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from hubel import atomic
from hubel.data.sources import SOURCES
from hubel.home import home
from hubel.mistakes import Failure, Mistake, unknown

Progress = Callable[[int, int], None]
TIMEOUT = 30.0  # seconds without a byte
BLOCK = 1 << 18
MOST_UNPACKED = 4_000_000_000


def get(url: str, path: Path, *, md5: str, progress: Progress | None = None) -> Path:
    """Fetch url to path; what is there already with the right hash is left as it is.

    A download that stopped goes on from `<path>.part`. progress(bytes done, bytes in all).
    Raises Failure for no connection, a server that stops or stalls, a wrong hash, or a full disk.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise Mistake(f"Only http and https addresses are fetched, not {url!r}.")
    if path.exists() and _md5(path) == md5:
        return path
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _fetch(url, part, progress)
    except (urllib.error.URLError, TimeoutError, ConnectionError, http.client.HTTPException) as why:
        kept = part.stat().st_size if part.exists() else 0
        reason = getattr(why, "reason", None) or why
        raise Failure(
            f"Could not fetch {url}: {reason}. {kept:,} bytes are kept; the same command goes on "
            f"from there. Or fetch it elsewhere and put it at {path}."
        ) from None
    except OSError as wrong:
        raise atomic.cannot_write(part, wrong) from wrong
    found = _md5(part)
    if found != md5:
        part.unlink()
        raise Failure(
            f"{url} is not what its publisher put there: its MD5 is {found}, expected {md5}. "
            "The file was removed; try again later."
        )
    part.replace(path)
    return path


def get_dataset(name: str, *, progress: Progress | None = None) -> Path:
    """Fetch all files of a known data set to HUBEL_HOME/data/<name>, and unpack archives."""
    if name not in SOURCES:
        raise unknown("data set", name, SOURCES)
    source = SOURCES[name]
    if not source.remotes:
        package = f" It comes with: apt install {source.package}." if source.package else ""
        raise Mistake(f"There is nothing to download for {name}.{package}")
    folder = home() / "data" / name
    for remote in source.remotes:
        file = folder / remote.url.rpartition("/")[2]
        get(remote.url, file, md5=remote.md5, progress=progress)
        if file.name.endswith(".tar.gz"):
            unpack(file, folder)
    return folder


def unpack(archive: Path, folder: Path) -> None:
    """The regular files of a .tar.gz, flat in a folder. Raises Failure for an archive with others.

    Links, devices, paths that lead elsewhere, and more than 4 GB are refused before a byte is
    written.
    """
    try:
        with tarfile.open(archive, "r:gz") as tar:
            members = [m for m in tar.getmembers() if not m.isdir()]
            names = [Path(m.name).name for m in members]
            strange = [
                m.name
                for m in members
                if not m.isfile() or m.name.startswith("/") or ".." in Path(m.name).parts
            ]
            if strange or len(set(names)) < len(names):
                raise Failure(
                    f"{archive} holds what no data set needs ({', '.join(strange[:3]) or 'twins'}):"
                    " it was not unpacked."
                )
            if sum(m.size for m in members) > MOST_UNPACKED:
                raise Failure(f"{archive} unpacks to more than {MOST_UNPACKED:,} bytes.")
            for member, name in zip(members, names, strict=True):
                content = tar.extractfile(member)
                if content is not None:
                    atomic.write(folder / name, content.read())
    except (tarfile.TarError, EOFError, OSError) as wrong:
        raise Failure(f"{archive} cannot be unpacked: {wrong}.") from None


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
        total = done + int(answer.headers.get("Content-Length") or 0)
        free = shutil.disk_usage(part.parent).free
        if total - done > free:
            raise Failure(
                f"{url} needs {(total - done) / 1e6:,.0f} MB and {part.parent} has "
                f"{free / 1e6:,.0f} MB free: free some space, or set HUBEL_HOME elsewhere."
            )
        with part.open("ab" if done else "wb") as file:
            while block := answer.read(BLOCK):
                file.write(block)
                done += len(block)
                if progress is not None:
                    progress(done, max(total, done))
        if done < total:
            raise ConnectionError(f"the server stopped after {done:,} of {total:,} bytes")


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()
