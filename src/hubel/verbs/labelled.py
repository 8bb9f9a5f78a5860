"""Labelled pictures to measure a model on: a run's own, or any that are named."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from hubel import draws
from hubel.data.decoding import Loaded
from hubel.data.listing import class_name
from hubel.data.samples import Row, Samples, Splits
from hubel.data.sources import open_splits, open_whole
from hubel.mistakes import Failure, Mistake
from hubel.model import Classifier
from hubel.run import Run
from hubel.training.recipe import from_run
from hubel.verbs.early import check_measured, is_whole
from hubel.verbs.load import own_run
from hubel.verbs.prepare import decode, open_data
from hubel.verbs.resume import check_data
from hubel.verbs.watch import Watch

Split = Literal["train", "validation", "test", "all"]


@dataclass(frozen=True)
class Labelled:
    """Pictures uint8 (N, C, H, W) as the model sees them, and what they are.

    labels int64 (N,), as the model numbers its classes. what: the data in words. of: how many there
    were to draw from.
    """

    loaded: Loaded
    labels: Tensor
    what: str
    of: int

    @property
    def images(self) -> Tensor:
        return torch.from_numpy(self.loaded.images)


def labelled(
    model: str | os.PathLike[str] | Classifier,
    classifier: Classifier,
    data: str | os.PathLike[str] | None,
    *,
    split: Split | None = None,
    most: int | None = None,
    seed: int = 0,
    workers: int = 0,
    watch: Watch,
) -> Labelled:
    """The pictures that `hubel.evaluate` would measure the model on; at most so many, by the seed.

    model: as it was named; classifier: what it is. Pictures that a run learned from are told of.
    """
    if most is not None and most < 1:
        raise Mistake(f"--images is 1 or more, not {most}.")
    own = own_run(model)
    _, samples, name = samples_of(own, data, split, watch)
    ours, of = numbered(samples.classes, classifier.classes), len(samples)
    if most is not None and most < of:
        samples = samples.subset(np.sort(draws.order(seed, 0, of, "measured")[:most]))
    if own is not None and data is not None:
        flattered(own, own.path.name, samples, watch)
    loaded = decode(samples, classifier.pixels, name, workers=workers, watch=watch)
    where = "its own data" if data is None else os.path.basename(os.path.abspath(os.fspath(data)))
    what = where if name == "all" else f"{where}, {name}"
    return Labelled(loaded, ours[torch.from_numpy(loaded.labels)], what, of)


def samples_of(
    own: Run | None, data: str | os.PathLike[str] | None, split: Split | None, watch: Watch
) -> tuple[Splits | None, Samples, str]:
    """All splits if there are any, the pictures to measure on, and what to call those.

    own: the model's run, of which the data are measured on if none are named. split: None for the
    test split, and of a folder without one for all of it. What is odd about data that are named is
    told to the watch. Raises Mistake and Failure.
    """
    check_measured(None, split)
    if data is None:
        if own is None:
            raise Mistake("This model does not say what it was trained on: name the DATA.")
        splits = open_data(from_run(own.path), before=own.read_table("splits.csv", Row))
        # a split drawn again from other pictures could hold some that were learned from
        check_data(own, splits, "To measure on new pictures, name their folder as DATA.")
        if split == "all":
            raise Mistake(
                "A run is not measured on all of its own data, which it learned from: "
                "--split test, validation or train."
            )
    elif is_whole(data, split):
        everything, told = open_whole(os.fspath(data))
        for sentence in told:
            watch.notice(sentence)
        return None, everything, "all"
    else:
        splits = open_splits(os.fspath(data))
        for sentence in splits.notices:
            watch.notice(sentence)
    name = split or "test"
    samples: Samples = getattr(splits, name)
    if len(samples) == 0:
        raise Failure(f"The {name} split is empty: name another --split.")
    return splits, samples, name


def numbered(theirs: tuple[str, ...], ours: tuple[str, ...]) -> torch.Tensor:
    """For each class of the data the index of the model's class of that name.

    A folder may be called as `class_folder` has it, and names that look alike to the eye are one
    (`hubel.data.listing.class_name`). Raises Mistake for classes that are not known.
    """
    known: dict[str, int] = {}
    for spelt in (lambda name: class_name(class_folder(name)), class_name, class_folder, str):
        known |= {spelt(name): i for i, name in enumerate(ours)}
    strange = [name for name in theirs if name not in known]
    if strange:
        more = f" and {len(strange) - 5} more" if len(strange) > 5 else ""
        raise Mistake(
            f"The data have classes that the model does not know: {', '.join(strange[:5])}{more}. "
            f"It knows {len(ours)}: {', '.join(ours[:10])}{', …' if len(ours) > 10 else ''}."
        )
    return torch.tensor([known[name] for name in theirs])


def class_folder(name: str) -> str:
    """What a class's folder is called: its name, but for what no folder's can hold.

    >>> class_folder("T-shirt/top")
    'T-shirt_top'
    """
    return name.replace("/", "_").replace("\0", "_")


def others_flattered(
    model: str | os.PathLike[str] | Classifier,
    data: str | os.PathLike[str] | None,
    split: Split | None,
    against: Sequence[str | os.PathLike[str] | Classifier],
    watch: Watch,
) -> None:
    """Tell of other models that learned from pictures on which they are measured with the model."""
    for run in filter(None, map(own_run, against)):
        samples = samples_of(own_run(model), data, split, Watch())[1]  # its oddities are told of
        flattered(run, run.path.name, samples, watch)


def flattered(run: Run, name: str, samples: Samples, watch: Watch) -> None:
    """Tell of the pictures that the run learned from: on them its figure is no measure."""
    learned = {
        row["digest"] for row in run.read_table("splits.csv", Row) if row["split"] == "train"
    }
    both = sum(samples.digest(i) in learned for i in range(len(samples)))
    if both:
        watch.notice(
            f"{name} learned from {both:,} of these {len(samples):,} pictures: the figures flatter "
            "it."
        )
