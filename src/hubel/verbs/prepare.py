"""From a recipe to what `fit` needs: pictures in memory, and a classifier that fits them."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hubel import draws
from hubel.data.decoding import Loaded, load
from hubel.data.samples import Samples, Splits
from hubel.data.sources import keeps_label_when_flipped, open_splits
from hubel.mistakes import Failure, Mistake
from hubel.model import Blueprint, Classifier
from hubel.networks import catalogue
from hubel.pixels import PixelSpec
from hubel.training.initialisation import initialise
from hubel.training.recipe import Recipe
from hubel.verbs.watch import Watch


@dataclass(frozen=True)
class Prepared:
    """Decoded training and validation pictures, and the pixels that a network will expect."""

    splits: Splits
    train: Loaded
    validation: Loaded
    pixels: PixelSpec
    flip: bool
    notices: tuple[str, ...]


def open_data(recipe: Recipe) -> Splits:
    if recipe.data is None:
        raise Mistake("No data: name a data set or a folder, as in `hubel train digits`.")
    return open_splits(
        recipe.data, validation=recipe.validation, test=recipe.test, seed=recipe.seed
    )


def prepare(recipe: Recipe, *, workers: int, watch: Watch) -> Prepared:
    """Open, decode and measure the data of a recipe.

    The pixels' mean and standard deviation are those of the training pictures, per channel.
    """
    splits = open_data(recipe)
    for sentence in splits.notices:
        watch.notice(sentence)
    size, channels = geometry(recipe, splits.train)
    spec = PixelSpec(size=size, channels=channels, resize=recipe.resize)
    parts = {}
    notices = list(splits.notices)
    for name in ("train", "validation"):
        parts[name] = decode(getattr(splits, name), spec, name, workers=workers, watch=watch)
        notices += skipped(parts[name], name)
    mean, std = statistics(parts["train"].images)
    spec = PixelSpec(size=size, channels=channels, mean=mean, std=std, resize=recipe.resize)
    flip = keeps_label_when_flipped(recipe.data or "") if recipe.flip is None else recipe.flip
    return Prepared(splits, parts["train"], parts["validation"], spec, flip, tuple(notices))


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
    for sentence in skipped(loaded, name):
        watch.notice(sentence)
    return loaded


def skipped(loaded: Loaded, split: str) -> list[str]:
    """The pictures that could not be read, by name, in one sentence; none when all could."""
    if not loaded.unreadable:
        return []
    listed = "; ".join(f"{name} ({reason})" for name, reason in loaded.unreadable)
    return [f"Skipped {len(loaded.unreadable)} unreadable picture(s) of {split}: {listed}."]


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


def make_classifier(recipe: Recipe, prepared: Prepared) -> Classifier:
    """The recipe's network on the data's pixels and classes, initialised from the recipe's seed."""
    arguments = catalogue.complete(
        recipe.network,
        classes=len(prepared.splits.train.classes),
        channels=prepared.pixels.channels,
        size=prepared.pixels.size,
        **recipe.arguments,
    )
    with torch.random.fork_rng([]):
        torch.manual_seed(draws.integer(recipe.seed, "network"))
        try:
            network = catalogue.build(recipe.network, **arguments)
        except TypeError as wrong:  # a text where a number belongs, and the like
            raise Mistake(
                f"{recipe.network} cannot be built with {dict(recipe.arguments)}: {wrong}."
            ) from None
    initialise(network, recipe.initialisation, seed=recipe.seed)
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
