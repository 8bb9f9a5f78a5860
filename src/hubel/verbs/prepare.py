"""From a recipe to what `fit` needs: pictures in memory, and a classifier that fits them."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hubel import draws
from hubel.basics.dispatch import Drawing
from hubel.data.decoding import Loaded, load
from hubel.data.folder import Divide, by_class
from hubel.data.samples import Files, Row, Samples, Splits, recorded
from hubel.data.sources import SOURCES, keeps_label_when_flipped, open_splits
from hubel.figures import counted
from hubel.mistakes import Failure, Mistake
from hubel.model import Blueprint, Classifier
from hubel.networks import catalogue
from hubel.pixels import PixelSpec
from hubel.training.initialisation import initialise
from hubel.training.recipe import Recipe
from hubel.verbs import start as starts
from hubel.verbs.duplicates import Together, leaks
from hubel.verbs.watch import Watch

IMBALANCED = 2  # the largest class to the smallest, from which rare ones weigh more
Rows = Sequence[Row]  # of a run's splits.csv


@dataclass(frozen=True)
class Prepared:
    """Decoded training and validation pictures, and the pixels that a network will expect."""

    splits: Splits
    train: Loaded
    validation: Loaded
    pixels: PixelSpec
    flip: bool
    balanced: bool
    notices: tuple[str, ...]


def open_data(
    recipe: Recipe,
    *,
    before: Rows | None = None,
    workers: int = 0,
    watch: Watch | None = None,
) -> Splits:
    """The recipe's data, split. before: the rows of a run's splits.csv, which it is to follow.

    A folder that is split here has its duplicates kept on one side, unless the recipe says no;
    those that lie across splits all the same are told of.
    """
    if recipe.data is None:
        raise Mistake("No data: name a data set or a folder, as in `hubel train digits`.")
    watch = watch or Watch()
    together = Together(workers, watch)
    divide: Divide = together if recipe.group_duplicates else by_class
    if before is not None:
        divide = partial(_as_before, before)
    splits = open_splits(
        recipe.data,
        validation=recipe.validation,
        test=recipe.test,
        seed=recipe.seed,
        divide=divide,
    )
    everything = len(splits.train) + len(splits.validation) + len(splits.test)
    told = together.odd
    if before is None and recipe.data not in SOURCES and together.seen < everything:
        told = leaks(splits, workers=workers, watch=watch)  # others divided it, or nobody looked
    return replace(splits, notices=(*splits.notices, *together.notices, *told))


def _as_before(
    before: Rows, files: Files, shares: Mapping[str, float], _seed: int
) -> dict[str, NDArray[np.int64]]:
    return recorded(before, files.names, tuple(shares))


def prepare(
    recipe: Recipe,
    *,
    workers: int,
    watch: Watch,
    before: Rows | None = None,
    start: Classifier | None = None,
) -> Prepared:
    """Open, decode and measure the data of a recipe; before: as `open_data` has it.

    The pixels are the start's; without one their mean and standard deviation are those of the
    training pictures, per channel.
    """
    splits = open_data(recipe, before=before, workers=workers, watch=watch)
    balanced, notices = weighted(recipe, splits.train)
    notices = [*splits.notices, *notices]
    if start is not None:
        notices += starts.notices(recipe, start, splits.train)
        spec = starts.pixels(recipe, start)
    else:
        size, channels = geometry(recipe, splits.train)
        spec = PixelSpec(size=size, channels=channels, resize=recipe.resize)
    for sentence in notices:
        watch.notice(sentence)
    parts = {}
    spec, larger = with_margin(spec, recipe.margin)
    for name, seen in (("train", larger), ("validation", spec)):
        parts[name] = decode(getattr(splits, name), seen, name, workers=workers, watch=watch)
        notices += skipped(parts[name], name)
    if start is None:
        mean, std = statistics(parts["train"].images)
        spec = replace(spec, mean=mean, std=std)
    return Prepared(
        splits,
        parts["train"],
        parts["validation"],
        spec,
        is_flipped(recipe),
        balanced,
        tuple(notices),
    )


def with_margin(spec: PixelSpec, margin: int) -> tuple[PixelSpec, PixelSpec]:
    """What a network sees, and the larger pictures that it is cut out of while training.

    When it answers, it sees the middle of the same larger picture.
    """
    if margin == 0:
        return spec, spec
    height, width = (side + margin for side in spec.size)
    share = min(spec.size) / min(height, width)
    return replace(spec, crop_fraction=share), replace(spec, size=(height, width))


def weighted(recipe: Recipe, train: Samples) -> tuple[bool, list[str]]:
    """Whether mistakes on rare classes weigh more, and what to say of it."""
    counts = np.bincount(train.labels, minlength=len(train.classes))
    least, most = int(counts.argmin()), int(counts.argmax())
    balanced = is_balanced(recipe, counts)
    if recipe.class_weights != "auto" or not balanced:
        return balanced, []
    return True, [
        f"{train.classes[most]} has {counts[most]:,} training pictures, {train.classes[least]} "
        f"{counts[least]:,}: a picture weighs the more, the rarer its class is "
        "(class_weights=none weighs all alike)."
    ]


def is_balanced(recipe: Recipe, counts: NDArray[np.int64]) -> bool:
    """Whether mistakes on rare classes weigh more; counts (K,): training pictures of each class."""
    if recipe.class_weights != "auto":
        return recipe.class_weights == "balanced"
    return bool(
        counts.max() >= IMBALANCED * max(counts.min(), 1) and recipe.loss == "cross-entropy"
    )


def is_flipped(recipe: Recipe) -> bool:
    """Whether half of the training pictures are mirrored."""
    return keeps_label_when_flipped(recipe.data or "") if recipe.flip is None else recipe.flip


def decode(
    samples: Samples,
    spec: PixelSpec,
    name: str,
    *,
    workers: int,
    watch: Watch,
    each: Callable[[NDArray[np.uint8]], None] | None = None,
) -> Loaded:
    """A split's pictures at the specification's size; what was skipped is told to the watch.

    each: as `hubel.data.decoding.load` has it.
    """
    loaded = load(
        samples,
        spec,
        workers=workers,
        progress=lambda done, total: watch.progress("decode", done, total, name),
        each=each,
    )
    for sentence in (*skipped(loaded, name), *loaded.notices):
        watch.notice(sentence)
    return loaded


def skipped(loaded: Loaded, split: str) -> list[str]:
    """The pictures that could not be read, by name, in one sentence; none when all could."""
    if not loaded.unreadable:
        return []
    listed = "; ".join(f"{name} ({reason})" for name, reason in loaded.unreadable)
    pictures = counted(len(loaded.unreadable), "unreadable picture")
    return [f"Skipped {pictures} of {split}: {listed}."]


def geometry(recipe: Recipe, samples: Samples) -> tuple[tuple[int, int], int]:
    """The size and channels a network will see: the recipe's, the network's own, or the data's.

    Photographs of all sizes are brought to 64×64 when nobody says otherwise.
    """
    entry = catalogue.entry(recipe.network)
    if len(samples) == 0:
        raise Failure(f"The training split of {recipe.data} is empty.")
    height, width, channels = samples.image_shape or (64, 64, 3)
    size = (recipe.size, recipe.size) if recipe.size else entry.size or (height, width)
    return size, channels


def statistics(images: np.ndarray[Any, np.dtype[np.uint8]]) -> tuple[tuple[float, ...], ...]:
    """Mean and standard deviation per channel of uint8 (N, C, H, W), in units of [0, 1].

    From the histogram of values: exact. `bincount` makes its argument eight times as large, so it
    is given some 16 MB at a time.
    """
    each = max(1, 2**24 // max(1, images[0].size)) if len(images) else 1
    levels = np.arange(256) / 255
    means, deviations = [], []
    for channel in range(images.shape[1]):
        counts = sum(
            np.bincount(part[:, channel].ravel(), minlength=256)
            for part in np.array_split(images, max(1, -(-len(images) // each)))
        )
        share = counts / np.sum(counts)
        mean = float(share @ levels)
        means.append(mean)
        deviations.append(max(float(np.sqrt(share @ (levels - mean) ** 2)), 1e-3))
    return tuple(means), tuple(deviations)


def make_classifier(
    recipe: Recipe, prepared: Prepared, start: Classifier | None = None
) -> Classifier:
    """The recipe's network on the data's pixels and classes: the start's, or from the seed."""
    if start is not None:
        classes = tuple(prepared.splits.train.classes)
        made = starts.classifier(recipe, start, prepared.pixels, classes)
        made.provenance = dict(provenance(recipe, prepared)) | {"start": recipe.start}
        return made
    arguments = catalogue.complete(
        recipe.network,
        classes=len(prepared.splits.train.classes),
        channels=prepared.pixels.channels,
        size=prepared.pixels.size,
        **recipe.arguments,
    )
    with Drawing(draws.integer(recipe.drawn_from, "network")):
        try:
            network = catalogue.build(recipe.network, **arguments)
        except TypeError as wrong:  # a text where a number belongs, and the like
            raise Mistake(
                f"{recipe.network} cannot be built with {dict(recipe.arguments)}: {wrong}."
            ) from None
    initialise(network, recipe.initialisation, seed=recipe.drawn_from)
    return Classifier(
        network,
        classes=prepared.splits.train.classes,
        pixels=prepared.pixels,
        blueprint=Blueprint(recipe.network, arguments),
        provenance=provenance(recipe, prepared),
    )


def provenance(recipe: Recipe, prepared: Prepared) -> Mapping[str, Any]:
    """Where a model comes from: its data by name, counts and content, and the recipe's seed."""
    digest = hashlib.sha256()
    for i in range(len(prepared.splits.train)):
        digest.update(prepared.splits.train.digest(i).encode())
    return {
        "data": recipe.data and recipe.data.rstrip("/").rpartition("/")[2],
        "training pictures": len(prepared.train.labels),
        "training content": digest.hexdigest(),
        "recipe": recipe.recipe,
        "seed": recipe.seed,
    }
