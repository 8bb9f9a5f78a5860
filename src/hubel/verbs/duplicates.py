"""Pictures that a folder holds twice: kept on one side of a split, or told of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from hubel.data.decoding import load
from hubel.data.duplicates import SQUARE, Pair, copies, groups
from hubel.data.folder import by_class
from hubel.data.samples import Arrays, Files, Samples, Splits, stratified
from hubel.figures import counted
from hubel.verbs.watch import Watch

MOST = 20_000  # pictures: beyond them comparing takes more than minutes
SHOWN = 3  # pairs that a sentence names


def find(samples: Samples, *, workers: int, watch: Watch) -> list[Pair]:
    """The pairs among the samples that can be read; none are looked for beyond MOST."""
    if len(samples) > MOST:
        return []
    loaded = load(
        samples,
        SQUARE,
        workers=workers,
        max_unreadable=None,
        progress=lambda done, total: watch.progress("look through", done, total),
    )
    found = copies(
        loaded.images, progress=lambda done, total: watch.progress("compare", done, total)
    )
    kept = loaded.kept.tolist()
    return [replace(pair, first=kept[pair.first], second=kept[pair.second]) for pair in found]


@dataclass
class Together:
    """A way to divide a folder (`folder.Divide`) in which copies stay on one side.

    seen: how many pictures were divided; notices: what there is to say about their copies; odd:
    of those in different classes.
    """

    workers: int
    watch: Watch
    seen: int = 0
    notices: list[str] = field(default_factory=list)
    odd: list[str] = field(default_factory=list)

    def __call__(
        self, files: Files, shares: Mapping[str, float], seed: int
    ) -> dict[str, NDArray[np.int64]]:
        self.seen = len(files)
        by_class(files, shares, seed)  # a class that is too small is told before they are compared
        pairs = find(files, workers=self.workers, watch=self.watch)
        if len(files) > MOST:
            self.notices.append(
                f"Copies were not looked for among {len(files):,} pictures (more than {MOST:,})."
            )
        group = groups(len(files), pairs)
        sizes = np.bincount(group)
        if pairs:
            several = int((sizes > 1).sum())
            self.notices.append(
                f"{counted(several, 'picture')} {'is' if several == 1 else 'are'} there more than "
                "once, mirrored, cropped or "
                f"compressed anew ({sizes[sizes > 1].sum():,} files): each with all its copies is "
                "on one side of the split."
            )
        self.odd += at_odds(files, pairs)
        return stratified(files.labels, shares, seed=seed, classes=files.classes, groups=group)


def leaks(splits: Splits, *, workers: int, watch: Watch) -> list[str]:
    """Sentences about pictures of one split that are (nearly) pictures of another."""
    named = {"train": splits.train, "validation": splits.validation, "test": splits.test}
    whole, split = joined(named)
    if not isinstance(whole, Files):
        return []
    if len(whole) > MOST:
        return [
            f"Leaks between the splits were not looked for among {len(whole):,} pictures "
            f"(more than {MOST:,})."
        ]
    pairs = find(whole, workers=workers, watch=watch)
    return leaks_among(whole, split, pairs) + at_odds(whole, pairs)


def leaks_among(samples: Samples, split: NDArray[np.str_], pairs: Sequence[Pair]) -> list[str]:
    """The sentences of `leaks`; split (N,): the name of each sample's own."""
    told = []
    for one, other in (("test", "train"), ("validation", "train"), ("test", "validation")):
        across = [
            (i, j)
            for pair in pairs
            for i, j in ((pair.first, pair.second), (pair.second, pair.first))
            if split[i] == one and split[j] == other
        ]
        if across:
            n, total = len({i for i, _ in across}), int((split == one).sum())
            told.append(
                f"Leak: {n:,} of the {total:,} {one} pictures are (nearly) pictures of {other} as "
                f"well, which flatters the {one} figure: {_listed(samples, across)}."
            )
    return told


def at_odds(samples: Samples, pairs: Sequence[Pair]) -> list[str]:
    """A sentence about copies of one picture that lie in different classes."""
    odd = [
        (pair.first, pair.second)
        for pair in pairs
        if samples.labels[pair.first] != samples.labels[pair.second]
    ]
    if not odd:
        return []
    return [
        f"{counted(len(odd), 'pair')} of copies {'has' if len(odd) == 1 else 'have'} different "
        f"classes, so that one label of each must be wrong: {_listed(samples, odd)}."
    ]


def _listed(samples: Samples, pairs: Sequence[tuple[int, int]]) -> str:
    named = "; ".join(f"{samples.names[i]} is {samples.names[j]}" for i, j in pairs[:SHOWN])
    return named + (f"; and {len(pairs) - SHOWN:,} more" if len(pairs) > SHOWN else "")


def joined(named: Mapping[str, Samples]) -> tuple[Samples, NDArray[np.str_]]:
    """All samples of the parts as one, and the name of each one's part."""
    parts = [part for part in named.values() if len(part)]
    split = np.repeat([name for name, part in named.items() if len(part)], list(map(len, parts)))
    labels = np.concatenate([part.labels for part in parts])
    names = [name for part in parts for name in part.names]
    files = [part for part in parts if isinstance(part, Files)]
    if len(files) == len(parts):
        known = {path: digest for part in files for path, digest in part.digests.items()}
        paths = [path for part in files for path in part.paths]
        return replace(files[0], paths=paths, labels=labels, names=names, digests=known), split
    images = np.concatenate([part.images for part in parts if isinstance(part, Arrays)])
    return Arrays(images, labels, tuple(parts[0].classes), names), split
