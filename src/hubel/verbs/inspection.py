"""What is in a data set or a folder: counts, sizes, copies, look-alikes; as a record and a page."""

import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hubel.data.decoding import Loaded, load
from hubel.data.duplicates import SQUARE, Pair, blank, copies, groups
from hubel.data.headers import Header, headers
from hubel.data.lookalikes import look_alikes
from hubel.data.samples import Files, Samples
from hubel.data.sources import open_undivided
from hubel.mistakes import Failure
from hubel.pixels import Pixels, PixelSpec, fit
from hubel.report.html import Onward
from hubel.report.inspection import inspection_page
from hubel.report.sheet import contact_sheet
from hubel.results import Alike, Copies, Inspection
from hubel.transfer.features import pooled
from hubel.verbs import machine
from hubel.verbs.duplicates import MOST, at_odds, joined, leaks_among
from hubel.verbs.load import load as load_model
from hubel.verbs.onward import onward, spelled
from hubel.verbs.place import place
from hubel.verbs.watch import Watch

PAGE, FACTS, SHEET = "inspection.html", "inspection.json", "contact-sheet.png"
SHOWN = 60  # pictures on the contact sheet, and pairs on the page
COMPARED = 2_000  # pictures whose features are compared, spread over the classes
LOOKS_BY = "efficientnet-lite0"  # the network whose features say which pictures look alike


class Shown(NamedTuple):
    """What was found, and the files that show it."""

    found: Inspection
    page: Path
    sheet: Path


@machine.undisturbed
def inspect(
    data: str | os.PathLike[str],
    *,
    out: str | os.PathLike[str] | None = None,
    workers: int = 0,
    watch: Watch | None = None,
) -> Shown:
    """Look at every picture of a data set or folder: inspection.html, .json and contact-sheet.png.

    out: the folder to write them into, where an earlier inspection is replaced; None: a new one,
    <name>-inspection. Of more than 20,000
    pictures so many are looked at, spread evenly. Copies, and classes that look alike, are looked
    for in pictures that lie in files. Raises Mistake and Failure as `hubel.train` does.
    """
    watch = watch or Watch()
    machine.demand_float32()
    name = Path(data).resolve().name if os.path.isdir(data) else os.fspath(data)
    results = place(out, Path(f"{name}-inspection"), FACTS, "inspection", data=data)
    parts, told = open_undivided(os.fspath(data))
    end = onward("inspection", data=spelled(data))
    with results.held() as folder:
        found, page, sheet = _inspected(name, parts, told, workers, watch, end)
        facts = json.dumps(found.as_json(), ensure_ascii=False, indent=2) + "\n"
        folder.write_all({SHEET: sheet, PAGE: page, FACTS: facts})
        folder.finish()
    return Shown(found, folder.path / PAGE, folder.path / SHEET)


def _inspected(
    name: str,
    parts: Mapping[str, Samples],
    told: Sequence[str],
    workers: int,
    watch: Watch,
    end: Onward,
) -> tuple[Inspection, str, bytes]:
    """What was found, the page and the contact sheet."""
    whole, split = joined(parts)
    counts = _counts(whole, split)
    chosen = np.unique(np.linspace(0, len(whole) - 1, MOST).astype(int))
    samples, split = whole.subset(chosen), split[chosen]
    loaded = load(
        samples,
        SQUARE,
        workers=workers,
        max_unreadable=None,
        progress=lambda done, total: watch.progress("look", done, total),
    )
    if not len(loaded.labels):
        raise Failure(f"None of the {len(samples)} pictures can be read: there is nothing to show.")
    notices = list(told)
    if len(chosen) < len(whole):
        notices.append(f"Of the {len(whole):,} pictures {len(chosen):,} were looked at.")
    pairs: list[Pair] | None = None
    alike: list[Alike] | None = None
    if isinstance(samples, Files):
        pairs = copies(
            loaded.images, progress=lambda done, total: watch.progress("compare", done, total)
        )
        alike = _alike(loaded, samples.classes, pairs, watch)
        kept = loaded.kept.tolist()
        pairs = [replace(pair, first=kept[pair.first], second=kept[pair.second]) for pair in pairs]
        notices += [*leaks_among(samples, split, pairs), *at_odds(samples, pairs)]
    every = headers(samples)
    about = [header for header in every if header]
    found = Inspection(
        name=name,
        classes=tuple(samples.classes),
        counts=counts,
        looked_at=len(samples),
        sizes=_sizes(about),
        formats=dict(Counter(header.format for header in about if header.format).most_common()),
        megabytes=sum(h.bytes for h in about) / 1e6 if isinstance(samples, Files) else None,
        balance=_balance(counts),
        unreadable=dict(loaded.unreadable),
        copies=None if pairs is None else _copies(samples, split, pairs),
        alike=alike,
        blank=[loaded.names[i] for i in blank(loaded.images)],
        notices=notices,
    )
    return (found, *_drawn(found, loaded, every, end))


def _drawn(
    found: Inspection, loaded: Loaded, every: list[Header | None], end: Onward
) -> tuple[str, bytes]:
    """The page, and the contact sheet."""
    shown = _evenly(loaded.labels, SHOWN)[:SHOWN]
    wanted = {loaded.names[i] for i in shown}
    wanted |= {name for pair in (found.copies or [])[:SHOWN] for name in pair.names}
    wanted |= {name for two in found.alike or () for name in two.names}
    pictures = {
        name: _stretched(loaded.images[i], every[loaded.kept[i]])
        for i, name in enumerate(loaded.names)
        if name in wanted
    }
    captions = [found.classes[loaded.labels[i]] for i in shown]
    names = [loaded.names[i] for i in shown]
    sheet = contact_sheet([pictures[name] for name in names], captions)
    samples = list(zip(names, captions, strict=True))
    return inspection_page(found, pictures=pictures, samples=samples, onward=end), sheet


def _counts(samples: Samples, split: NDArray[np.str_]) -> dict[str, dict[str, int]]:
    """Split → class → pictures."""
    return {
        name: dict(
            zip(
                samples.classes,
                np.bincount(samples.labels[split == name], minlength=len(samples.classes)).tolist(),
                strict=True,
            )
        )
        for name in dict.fromkeys(split.tolist())
    }


def _sizes(about: list[Header]) -> str:
    sizes = Counter((header.height, header.width) for header in about)
    if not sizes:
        return "no picture could be read"
    if len(sizes) == 1:
        (height, width), _ = sizes.most_common(1)[0]
        return f"all {width}×{height}"
    small, large = min(sizes, key=np.prod), max(sizes, key=np.prod)
    return f"{len(sizes)} sizes from {small[1]}×{small[0]} to {large[1]}×{large[0]}"


def _balance(counts: Mapping[str, Mapping[str, int]]) -> str:
    totals = Counter[str]()
    for row in counts.values():
        totals.update(row)
    (largest, most), (smallest, least) = totals.most_common()[0], totals.most_common()[-1]
    if most == least:
        return f"even: {most:,} of each class"
    return (
        f"{largest} has {most:,} pictures, {smallest} {least:,} ({most / max(least, 1):.1f} to 1)"
    )


def _copies(samples: Samples, split: NDArray[np.str_], pairs: list[Pair]) -> list[Copies]:
    """The pairs by name: those across splits or classes first, then the likest."""
    found = []
    for pair in pairs:
        i, j = pair.first, pair.second
        found.append(
            Copies(
                names=(samples.names[i], samples.names[j]),
                splits=(str(split[i]), str(split[j])),
                classes=tuple(samples.classes[samples.labels[k]] for k in (i, j)),
                equal=pair.equal,
                mirrored=pair.mirrored,
                likeness=pair.likeness,
            )
        )
    return sorted(
        found,
        key=lambda two: (
            two.splits[0] == two.splits[1], two.classes[0] == two.classes[1], -two.likeness
        ),
    )  # fmt: skip


def _alike(
    loaded: Loaded, classes: tuple[str, ...], pairs: list[Pair], watch: Watch
) -> list[Alike]:
    """Pairs of classes that look alike to a network that knows neither."""
    chosen = _evenly(loaded.labels, COMPARED)
    features = pooled(
        load_model(LOOKS_BY),
        loaded.images[chosen],
        progress=lambda done, total: watch.progress("look for classes alike", done, total),
    )
    group = groups(len(loaded.labels), pairs)[chosen]
    return [
        Alike(
            classes=(classes[pair.a], classes[pair.b]),
            share=pair.share,
            names=(loaded.names[chosen[pair.first]], loaded.names[chosen[pair.second]]),
        )
        for pair in look_alikes(features.numpy(), loaded.labels[chosen], group)
    ]


def _evenly(labels: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Indices of at most `most` pictures, class by class, about as many of each, spread over it."""
    counts = np.bincount(labels)
    each = max(1, most // max(1, int((counts > 0).sum())))
    rows = []
    for k, n in enumerate(counts.tolist()):
        places = np.linspace(0, n - 1, min(each, n)).astype(int)
        rows.append(np.flatnonzero(labels == k)[np.unique(places)])
    return np.concatenate(rows)


def _stretched(image: NDArray[np.uint8], header: Header | None) -> Pixels:
    """A square (C, H, W) back in the shape that its file has, (h, w, C)."""
    square = np.ascontiguousarray(image.transpose(1, 2, 0))
    if header is None:
        return square
    longest = max(header.height, header.width)
    side = min(longest, square.shape[0])
    size = (max(1, side * header.height // longest), max(1, side * header.width // longest))
    return fit(square, PixelSpec(size, channels=square.shape[2], resize="squash"))
