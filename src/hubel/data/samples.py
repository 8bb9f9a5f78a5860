"""Samples: pictures with labels; splits of them; and what a run records of both."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol, Self, TypedDict

import numpy as np
from numpy.typing import NDArray

from hubel import draws
from hubel.mistakes import Failure
from hubel.pixels import Pixels, decode

# Beyond this many bytes of pictures, a file is known by its size and time, not by its content.
MOST_HASHED = 2_000_000_000


class Samples(Protocol):
    """Sample i is an image, uint8 (H, W, C) with C 1 or 3, and a label.

    labels: int64 (N,), indices of `classes`. names: what to call each sample. image_shape:
    (H, W, C) where all are alike, else None. digest(i): SHA-256 of the sample's content.
    subset: the chosen samples, in the order of `chosen`.
    """

    @property
    def classes(self) -> tuple[str, ...]: ...
    @property
    def labels(self) -> NDArray[np.int64]: ...
    @property
    def names(self) -> Sequence[str]: ...
    @property
    def image_shape(self) -> tuple[int, int, int] | None: ...
    def __len__(self) -> int: ...
    def image(self, i: int) -> Pixels: ...
    def digest(self, i: int) -> str: ...
    def subset(self, chosen: NDArray[np.int64]) -> Self: ...


# A row of a run's splits.csv.
Row = TypedDict("Row", {"split": str, "name": str, "class": str, "digest": str})


@dataclass(frozen=True)
class Arrays:
    """Samples in memory: images uint8 (N, H, W, C)."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    names: Sequence[str]

    @property
    def image_shape(self) -> tuple[int, int, int] | None:
        height, width, channels = self.images.shape[1:]
        return height, width, channels

    def __len__(self) -> int:
        return len(self.labels)

    def image(self, i: int) -> Pixels:
        image: Pixels = self.images[i]
        return image

    def digest(self, i: int) -> str:
        return hashlib.sha256(self.images[i].tobytes()).hexdigest()

    def subset(self, chosen: NDArray[np.int64]) -> Self:
        names = [self.names[i] for i in chosen.tolist()]
        return replace(self, images=self.images[chosen], labels=self.labels[chosen], names=names)


@dataclass(frozen=True)
class Files:
    """Samples on disk; transparency is laid over the background when they are decoded.

    digests: SHA-256 of the files read so far, by path; shared with every subset.
    """

    paths: Sequence[Path]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    names: Sequence[str]
    background: float = 1.0
    hashed: bool = True
    image_shape: tuple[int, int, int] | None = None
    digests: dict[Path, str] = field(default_factory=dict, compare=False)

    def __len__(self) -> int:
        return len(self.labels)

    def image(self, i: int) -> Pixels:
        return decode(self.paths[i], background=self.background, name=self.names[i])

    def digest(self, i: int) -> str:
        path = self.paths[i]
        if not self.hashed:
            return digest(path, hashed=False)
        if path not in self.digests:
            self.digests[path] = digest(path, hashed=True)
        return self.digests[path]

    def subset(self, chosen: NDArray[np.int64]) -> Self:
        picked = chosen.tolist()
        return replace(
            self,
            paths=[self.paths[i] for i in picked],
            labels=self.labels[chosen],
            names=[self.names[i] for i in picked],
        )


def digest(path: Path, *, hashed: bool) -> str:
    """SHA-256 of a file's content, or its size and time; or why it has neither."""
    try:
        if hashed:
            with path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        about = path.stat()
        return f"{about.st_size} bytes, {about.st_mtime_ns}"
    except OSError as wrong:
        return f"unreadable ({os.strerror(wrong.errno or 0)})"


@dataclass(frozen=True)
class Splits:
    """What a network learns from, what chooses its best epoch, and what it is measured on.

    notices: sentences that the user should read before training.
    """

    train: Samples
    validation: Samples
    test: Samples
    notices: tuple[str, ...] = ()


def stratified(
    labels: NDArray[np.int64],
    shares: Mapping[str, float],
    *,
    seed: int,
    classes: Sequence[str],
    groups: NDArray[np.int64] | None = None,
) -> dict[str, NDArray[np.int64]]:
    """Indices of a random split in which every class has the same shares, as nearly as can be.

    shares: name → share of each class, rounded, at least one sample where the share is above 0;
    what is left is "train". groups (N,): samples with the same number stay together, in the class
    of the first of them. Raises Failure for a class with too few samples.
    """
    together = np.arange(len(labels)) if groups is None else groups
    # each group by its first sample, whose class it counts for
    _, first, group = np.unique(together, return_index=True, return_inverse=True)
    sizes = np.bincount(group)
    parts: dict[str, list[NDArray[np.int64]]] = {name: [] for name in (*shares, "train")}
    for label, name in enumerate(classes):
        own = np.flatnonzero(labels[first] == label)
        own = own[np.argsort(first[own])]
        own = own[draws.order(seed, 0, len(own), f"split {label}")]
        n, alone = int((labels == label).sum()), len(own)
        for part, share in shares.items():
            taken = _filling(sizes[own], max(1, round(share * n)) if share > 0 else 0)
            parts[part].append(own[taken])
            own = own[~taken]
        if len(own) < 1:
            asked = " and ".join(f"{share:g} for {part}" for part, share in shares.items() if share)
            copies = "" if alone == n else f", but only {alone} that are no copies of each other"
            apart = "" if alone == n else " (or let copies lie apart: --set group_duplicates=false)"
            raise Failure(
                f"The class {name!r} has {n} picture{'s' * (n != 1)}{copies}: {asked} would leave "
                f"none to train on. Add pictures, leave the class out, or hold out less{apart}."
            )
        parts["train"].append(own)
    # from groups to their samples
    return {
        name: np.flatnonzero(np.isin(group, np.concatenate(rows)))
        for name, rows in parts.items()
        if rows
    }


def _filling(sizes: NDArray[np.int64], wanted: int) -> NDArray[np.bool_]:
    """Which groups of these sizes to take, in their order, for a total as near `wanted` as can be.

    What would be too much is passed over, so that many copies of one picture do not fill a small
    part. Where something is wanted, one group is taken at least.
    """
    taken, room = np.zeros(len(sizes), bool), wanted
    for i, size in enumerate(sizes.tolist()):
        if room == 0:
            break
        if size <= room:
            taken[i], room = True, room - size
    left = np.flatnonzero(~taken)
    if room and len(left):
        nearest = left[np.abs(sizes[left] - room).argmin()]
        if not taken.any() or abs(sizes[nearest] - room) < room:
            taken[nearest] = True
    return taken


def recorded(
    rows: Sequence[Row], names: Sequence[str], parts: Sequence[str]
) -> dict[str, NDArray[np.int64]]:
    """Indices of the samples by the parts that the rows of an earlier `manifest` put them in.

    What the rows do not know is "train", for `differences` to find.
    """
    then = {row["name"]: row["split"] for row in rows}
    where = [then[name] if then.get(name) in parts else "train" for name in names]
    return {part: np.flatnonzero([split == part for split in where]) for part in (*parts, "train")}


def manifest(splits: Splits) -> list[Row]:
    """The rows of splits.csv: split, name, class and digest of every sample."""
    return [
        {
            "split": split,
            "name": samples.names[i],
            "class": samples.classes[samples.labels[i]],
            "digest": samples.digest(i),
        }
        for split, samples in (
            ("train", splits.train),
            ("validation", splits.validation),
            ("test", splits.test),
        )
        for i in range(len(samples))
    ]


def differences(rows: Sequence[Row], splits: Splits) -> list[str]:
    """What is no longer as in the rows of an earlier `manifest`, as phrases; none if all is."""
    then = {(row["split"], row["name"]): row for row in rows}
    now = {(row["split"], row["name"]): row for row in manifest(splits)}
    found = [f"{name} ({split}) is gone" for split, name in then if (split, name) not in now]
    found += [f"{name} ({split}) is new" for split, name in now if (split, name) not in then]
    for key in then.keys() & now.keys():
        if then[key]["class"] != now[key]["class"]:
            found.append(f"{key[1]} was {then[key]['class']} and is {now[key]['class']}")
        elif then[key]["digest"] != now[key]["digest"]:
            found.append(f"the content of {key[1]} changed")
    return sorted(found)
