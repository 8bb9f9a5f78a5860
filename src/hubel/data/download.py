"""Downloads on request: resumed where they stopped, checked by hash before they count."""

import tarfile
import zlib
from pathlib import Path

from hubel import atomic, fetch, reading
from hubel.data.sources import SOURCES
from hubel.fetch import Progress
from hubel.home import home
from hubel.mistakes import Failure, Mistake, unknown
from hubel.pixels import written

MOST_UNPACKED = 4_000_000_000
# what reading a damaged archive ends with
_DAMAGED = (tarfile.TarError, EOFError, OSError, zlib.error, ValueError, OverflowError)


def get(url: str, path: Path, *, md5: str, progress: Progress | None = None) -> Path:
    """Fetch url to path, whose MD5 its publisher gives; everything else as `hubel.fetch.get`."""
    return fetch.get(url, path, digest=md5, kind="md5", progress=progress)


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

    Links, devices, paths that lead elsewhere, names that are none or the archive's own, and more
    than 4 GB are refused before a byte is written.
    """
    try:
        with reading.opened(archive) as file, tarfile.open(fileobj=file, mode="r:gz") as tar:
            members = [m for m in tar.getmembers() if not m.isdir()]
            names = [Path(m.name).name for m in members]
            strange = [
                written(m.name)
                for m, name in zip(members, names, strict=True)
                if not m.isfile()
                or m.name.startswith("/")
                or ".." in Path(m.name).parts
                or name in ("", archive.name)
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
    except _DAMAGED as wrong:
        raise Failure(f"{archive} cannot be unpacked: {wrong}.") from None
