"""The data sets at hand, and what is in one of them or in a folder."""

import collections
import os
from pathlib import Path
from typing import Any

import numpy as np

from hubel import atomic
from hubel.data.download import get_dataset
from hubel.data.samples import Samples
from hubel.data.sources import SOURCES, is_here, open_splits
from hubel.pixels import Pixels, PixelSpec, Unreadable, fit
from hubel.report.sheet import contact_sheet
from hubel.verbs.watch import Watch

# Pictures looked at for their sizes, and shown on the sheet: enough to see what is there.
MOST_LOOKED_AT, MOST_SHOWN = 500, 60


def list_data() -> list[dict[str, Any]]:
    """One mapping for each known data set: name, what, here (whether its files are at hand).

    >>> import hubel.verbs.data
    >>> [row["here"] for row in hubel.verbs.data.list_data() if row["name"] == "digits"]
    [True]
    """
    return [
        {"name": name, "what": source.what, "here": is_here(name)}
        for name, source in SOURCES.items()
    ]


def get_data(name: str, *, watch: Watch | None = None) -> str:
    """Download a data set into HUBEL_HOME (resumed where it stopped); gives back where it is."""
    watch = watch or Watch()
    folder = get_dataset(
        name, progress=lambda done, total: watch.progress("download", done, total, name)
    )
    return str(folder)


def show_data(
    data: str | os.PathLike[str], *, sheet: Path, watch: Watch | None = None
) -> dict[str, Any]:
    """Counts by class and split, picture sizes, balance, and a contact sheet written to `sheet`.

    Keys: name, classes, splits {split: {class: count}}, looked_at, sizes, balance, unreadable
    {name: reason}, sheet. At most 500 pictures, spread over the training split, are opened.
    """
    watch = watch or Watch()
    splits = open_splits(os.fspath(data))
    for sentence in splits.notices:
        watch.notice(sentence)
    train = splits.train
    looked_at = np.unique(np.linspace(0, len(train) - 1, MOST_LOOKED_AT).astype(int))
    sizes: collections.Counter[tuple[int, int]] = collections.Counter()
    unreadable: dict[str, str] = {}
    for done, i in enumerate(looked_at.tolist(), 1):
        try:
            height, width = train.image(i).shape[:2]
            sizes[height, width] += 1
        except Unreadable as wrong:
            unreadable[train.names[i]] = wrong.reason
        watch.progress("look", done, len(looked_at), Path(data).name)
    counts = {
        name: np.bincount(part.labels, minlength=len(train.classes)).tolist()
        for name, part in (
            ("train", train),
            ("validation", splits.validation),
            ("test", splits.test),
        )
    }
    return {
        "name": Path(data).name,
        "classes": list(train.classes),
        "splits": {
            name: dict(zip(train.classes, row, strict=True)) for name, row in counts.items()
        },
        "looked_at": len(looked_at),
        "sizes": _sizes(sizes),
        "balance": _balance(np.sum(list(counts.values()), axis=0), train.classes),
        "unreadable": unreadable,
        "sheet": str(atomic.write(sheet.absolute(), _sheet(train, unreadable))),
    }


def _sizes(sizes: collections.Counter[tuple[int, int]]) -> str:
    if not sizes:
        return "no picture could be read"
    if len(sizes) == 1:
        (height, width), _ = sizes.most_common(1)[0]
        return f"all {width}×{height}"
    small, large = min(sizes, key=np.prod), max(sizes, key=np.prod)
    return f"{len(sizes)} different, from {small[1]}×{small[0]} to {large[1]}×{large[0]}"


def _balance(totals: np.ndarray[Any, np.dtype[np.int64]], classes: tuple[str, ...]) -> str:
    least, most = int(totals.argmin()), int(totals.argmax())
    if totals[least] == totals[most]:
        return f"even: {totals[most]:,} of each class"
    return (
        f"{classes[most]} has {totals[most]:,} pictures, {classes[least]} {totals[least]:,} "
        f"({totals[most] / max(totals[least], 1):.1f} to 1)"
    )


def _sheet(samples: Samples, unreadable: dict[str, str]) -> bytes:
    """The classes in turn, first pictures first, until the sheet is full."""
    by_class = [np.flatnonzero(samples.labels == k) for k in range(len(samples.classes))]
    each = max(1, MOST_SHOWN // len(by_class))
    chosen = [int(i) for row in by_class for i in row[:each]][:MOST_SHOWN]
    images: list[Pixels] = []
    captions: list[str] = []
    for i in chosen:
        if samples.names[i] in unreadable:
            continue
        try:
            image = samples.image(i)
        except Unreadable:
            continue
        images.append(_thumbnail(image))
        captions.append(samples.classes[samples.labels[i]])
    return contact_sheet(images, captions)


def _thumbnail(image: Pixels) -> Pixels:
    """At most 128 pixels on its longer side."""
    longest = max(image.shape[:2])
    if longest <= 128:
        return image
    size = tuple(max(1, round(side * 128 / longest)) for side in image.shape[:2])
    return fit(image, PixelSpec((size[0], size[1]), channels=image.shape[2], resize="squash"))
