"""All pictures of a split at one size, as uint8; what cannot be read is named, never dropped."""

import hashlib
import math
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hubel import entrance
from hubel.data import cache
from hubel.data.ahead import ahead
from hubel.data.processes import Killed, in_processes
from hubel.data.samples import Arrays, Files, Samples
from hubel.figures import percent
from hubel.home import home
from hubel.mistakes import Failure, Mistake
from hubel.pixels import Pixels, PixelSpec, Unreadable, decode, fit, read

Planes = NDArray[np.uint8]  # a picture as (C, H, W)
IN_MEMORY = 0.25  # of the usable memory: larger sets of pictures are kept in a mapped file


@dataclass(frozen=True)
class Loaded:
    """images uint8 (N, C, H, W), labels int64 (N,), names; and what could not be read, with why.

    N counts the readable pictures only; kept (N,): which of the samples they are. notices: what the
    user should hear.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    names: tuple[str, ...]
    kept: NDArray[np.int64]
    unreadable: tuple[tuple[str, str], ...] = ()
    notices: tuple[str, ...] = ()


def load(
    samples: Samples,
    spec: PixelSpec,
    *,
    workers: int = 0,
    max_unreadable: float | None = 0.05,
    progress: Callable[[int, int], None] | None = None,
    each: Callable[[NDArray[np.uint8]], None] | None = None,
) -> Loaded:
    """Decode, convert and resize every picture by the specification.

    workers: processes that decode; 0 decodes in threads of this one. progress(done, total).
    each: called with the readable pictures (n, C, H, W) in their order, as they come; what it does
    overlaps with the decoding of the next ones.
    Raises Failure when more than the share max_unreadable (and more than one) cannot be read, when
    a class is left without pictures (None: neither matters), or when a worker is killed.
    """
    if workers < 0:
        raise Mistake(f"workers is the number of decoding processes, 0 or more, not {workers}.")
    height, width = spec.size
    whole = spec.resize != "crop" or spec.crop_fraction == 1  # else `fit` cuts, whatever the size
    if (
        whole
        and isinstance(samples, Arrays)
        and samples.image_shape == (height, width, spec.channels)
    ):
        images = np.ascontiguousarray(samples.images.transpose(0, 3, 1, 2))
        if each is not None:
            each(images)
        return Loaded(images, samples.labels, tuple(samples.names), np.arange(len(samples)))
    images = room((len(samples), spec.channels, height, width))
    good = np.ones(len(samples), bool)
    filled = 0
    unreadable: list[tuple[str, str]] = []
    told: list[str] = []
    for i, found in enumerate(_decoded(samples, spec, workers, told)):
        if isinstance(found, Unreadable):
            good[i] = False
            unreadable.append((samples.names[i], found.reason))
        else:
            images[filled] = found
            filled += 1
            if each is not None:
                each(images[filled - 1 : filled])
        if progress is not None:
            progress(i + 1, len(samples))
    if max_unreadable is not None:
        _check(samples, good, unreadable, max_unreadable)
    kept = np.flatnonzero(good)
    names = tuple(samples.names[i] for i in kept.tolist())
    return Loaded(
        images[:filled], samples.labels[kept], names, kept, tuple(unreadable), tuple(told)
    )


def room(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Room for pictures: in memory, or beyond a share of it in a file that the kernel pages.

    The file has no name and is gone with the array. Raises Failure where the disk has no room.
    """
    size = math.prod(shape)
    if size <= IN_MEMORY * entrance.usable_memory():
        return np.empty(shape, np.uint8)
    folder = home()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.truncate(size)
            if hasattr(os, "posix_fallocate"):  # a page that finds no room later is a crash
                os.posix_fallocate(file.fileno(), 0, size)
            return np.memmap(file, np.uint8, mode="r+", shape=shape)
    except OSError as wrong:
        raise Failure(
            f"The decoded pictures take {size / 1e9:,.1f} GB, more than fits in memory, and "
            f"{folder} has no room for them ({wrong.strerror}): free some space, set HUBEL_HOME to "
            "a place with more, or choose a smaller --set size=…"
        ) from None


def _check(
    samples: Samples, good: NDArray[np.bool_], unreadable: list[tuple[str, str]], most: float
) -> None:
    listed = "; ".join(f"{name} ({reason})" for name, reason in unreadable[:10])
    more = f"; and {len(unreadable) - 10} more" if len(unreadable) > 10 else ""
    if len(unreadable) > max(1, most * len(samples)):  # one bad file stops nobody
        raise Failure(
            f"{len(unreadable)} of {len(samples)} pictures cannot be read, more than "
            f"{percent(most, 0)}: {listed}{more}. Repair or remove them."
        )
    left = np.bincount(samples.labels[good], minlength=len(samples.classes))
    before = np.bincount(samples.labels, minlength=len(samples.classes))
    gone = [samples.classes[k] for k in np.flatnonzero((left == 0) & (before > 0))]
    if gone:
        raise Failure(f"No picture of {', '.join(gone)} can be read: {listed}{more}.")


def _decoded(
    samples: Samples, spec: PixelSpec, workers: int, told: list[str]
) -> Iterator[Planes | Unreadable]:
    """Each picture in order, or why it is none; what the user should hear is added to `told`."""
    if isinstance(samples, Files):
        return _from_files(samples, spec, workers, told)
    return (_planes(fit(_converted(samples.image(i), spec), spec)) for i in range(len(samples)))


def _planes(picture: Pixels) -> Planes:
    return np.ascontiguousarray(picture.transpose(2, 0, 1))


def _from_files(
    samples: Files, spec: PixelSpec, workers: int, told: list[str]
) -> Iterator[Planes | Unreadable]:
    """From the store where a picture is known, else decoded now and added to it."""
    store = cache.store(spec, samples.background)
    keeping = bool(cache.most_bytes())
    wrong: list[str] = []
    damaged = 0
    with ExitStack() as held:
        known, rows = held.enter_context(store.contents()) if keeping else ({}, cache.Rows())
        keys = [""] * len(samples)
        if known:
            keys = list(ahead(partial(_key, samples), range(len(samples))))
        missing = [i for i, key in enumerate(keys) if key not in known]
        if known and len(missing) == len(samples):
            cache.make_room(store)  # full of other pictures, it would never take one more
        decoded = _decode(samples, missing, spec, workers)
        writer = held.enter_context(store.writing(wrong)) if missing and keeping else None
        for i, key in enumerate(keys):
            row = rows.whole(key, known.get(key))
            if row is not None:
                yield row
                continue
            mend = key in known
            if mend and not damaged and writer is None:
                writer = held.enter_context(store.writing(wrong))
            damaged += mend
            key, picture = next(_decode(samples, [i], spec, 0) if mend else decoded)
            if samples.hashed and key:
                samples.digests[samples.paths[i]] = key
            if writer is not None and key and not isinstance(picture, Unreadable):
                writer.add(key, picture, mend=mend)
            yield picture
    if damaged:
        were = "picture was" if damaged == 1 else "pictures were"
        told.append(f"{damaged:,} decoded {were} found damaged in {store.path}, and made anew.")
    if wrong:
        told.append(f"The decoded pictures could not all be kept for next time: {wrong[0]}.")
    if missing:
        cache.evict(store)


def _decode(
    samples: Files, chosen: Sequence[int], spec: PixelSpec, workers: int
) -> Iterator[tuple[str, Planes | Unreadable]]:
    """(key of what was read, the picture) of the chosen samples, in their order."""
    one = partial(_from_file, spec=spec, background=samples.background, hashed=samples.hashed)
    items = [(samples.paths[i], samples.names[i]) for i in chosen]
    if not workers:
        yield from ahead(one, items)
        return
    try:
        yield from in_processes(one, items, workers)
    except Killed:
        raise Failure(
            "A process that decodes pictures was killed, perhaps for want of memory: try fewer "
            f"--workers than {workers}, or --workers 0. (A script of yours that uses workers needs "
            '`if __name__ == "__main__":` around what it does.)'
        ) from None


def _from_file(
    item: tuple[Path, str], *, spec: PixelSpec, background: float, hashed: bool
) -> tuple[str, Planes | Unreadable]:
    """The key under which a picture may be kept, "" for one that may not, and the picture."""
    path, name = item
    try:
        if hashed:
            # read once: what is decoded is what the digest is of
            content = path.read_bytes()
            picture = _planes(read(content, spec, background=background, name=name))
            return hashlib.sha256(content).hexdigest(), picture
        before = _identity(path)
        picture = _planes(read(path, spec, background=background, name=name))
        return before if before == _identity(path) else "", picture
    except Unreadable as wrong:
        return "", wrong
    except OSError:
        return "", _refused(path, spec, name)


def _refused(path: Path, spec: PixelSpec, name: str) -> Unreadable:
    """Why a file cannot even be opened, in the words of `decode`."""
    try:
        read(path, spec, name=name)
    except Unreadable as wrong:
        return wrong
    return Unreadable(name, "it could not be opened a moment ago")


def _key(samples: Files, i: int) -> str:
    return samples.digest(i) if samples.hashed else _identity(samples.paths[i])


def _identity(path: Path) -> str:
    """A file's place, size and time, as a key: for folders too large to be read twice."""
    try:
        about = path.stat()
    except OSError:
        return ""
    text = f"{path.resolve()}\0{about.st_size}\0{about.st_mtime_ns}"
    return hashlib.sha256(os.fsencode(text)).hexdigest()


def _converted(image: Pixels, spec: PixelSpec) -> Pixels:
    return image if image.shape[2] == spec.channels else decode(image, channels=spec.channels)
