"""What a training begins with when it does not begin from nothing: a network learned elsewhere."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from hubel import draws
from hubel.data.samples import Samples
from hubel.data.sources import SOURCES, open_undivided
from hubel.figures import counted
from hubel.mistakes import Failure, Mistake
from hubel.model import Blueprint, Classifier
from hubel.networks import catalogue, weights
from hubel.pixels import PixelSpec, Unreadable
from hubel.run import START, Run
from hubel.training.recipe import Recipe
from hubel.transfer.finetune import with_head
from hubel.verbs.load import load

LOOKED_AT = 32  # pictures of a folder that say whether it is in colour
COLOURED = 8  # levels of 255 between a pixel's channels, on average: no longer grey
PHOTOGRAPHS = ("stamps",)  # data sets that are worth a network learned from photographs


def usual_recipe(data: str | None) -> str:
    """The recipe for data that nobody spoke of one for: `finetune` for photographs in colour."""
    if data is None or (data in SOURCES and data not in PHOTOGRAPHS):
        return "fast"
    if data in SOURCES:
        return "finetune"
    if not os.path.isdir(data):
        return "fast"
    parts, _ = open_undivided(data)
    return "finetune" if in_colour(next(part for part in parts.values() if len(part))) else "fast"


def in_colour(samples: Samples) -> bool:
    """Whether a tenth of some of the pictures have colour to speak of."""
    coloured = seen = 0
    for i in np.unique(np.linspace(0, len(samples) - 1, LOOKED_AT).astype(int)).tolist():
        try:
            image = samples.image(i)
        except Unreadable:
            continue
        seen += 1
        coloured += int(np.ptp(image.astype(np.int16), axis=2).mean() >= COLOURED)
    return coloured > 0 and coloured >= seen / 10


def begin_with(recipe: Recipe, run: Run | None) -> tuple[Recipe, Classifier | None]:
    """The recipe with its start's network in it, and the start; None for a training from nothing.

    run: one that goes on, which has its own copy. Raises Mistake for a start that does not fit what
    else the recipe says, and as `load` does.
    """
    if recipe.start is None:
        return recipe, None
    copied = run.path / START if run is not None else None
    start = load(copied if copied is not None and copied.is_dir() else recipe.start)
    made = start.blueprint
    if made is None or made.name not in catalogue.CATALOGUE:
        raise Mistake(
            f"{recipe.start} is a network of your own, which the recipe cannot build again: "
            "begin with one of the catalogue's."
        )
    said: dict[str, Any] = {}
    if "network" in recipe.model_fields_set and recipe.network != made.name:
        raise Mistake(
            f"The training begins with {recipe.start}, whose network is {made.name}: leave out "
            f"--network {recipe.network}."
        )
    kept = {k: v for k, v in made.arguments.items() if k not in ("classes", "channels", "size")}
    said = {"network": made.name, "arguments": kept | recipe.arguments}
    return recipe.model_copy(update=said), start


def pixels(recipe: Recipe, start: Classifier) -> PixelSpec:
    """What the network will see: the start's pixels, resized by the recipe's `resize`."""
    fixed = catalogue.entry(recipe.network).fixed
    if recipe.size and fixed and start.pixels.size != (recipe.size, recipe.size):
        raise Mistake(
            f"{recipe.network} takes {start.pixels.size[0]}×{start.pixels.size[1]} pixels alone: "
            f"leave out size={recipe.size}."
        )
    size = (recipe.size, recipe.size) if recipe.size else start.pixels.size
    return replace(start.pixels, size=size, resize=recipe.resize)


def notices(recipe: Recipe, start: Classifier, samples: Samples) -> list[str]:
    """What becomes of the start for these data, in sentences."""
    classes, channels = tuple(samples.classes), start.pixels.channels
    told = [f"Beginning with {_name(recipe)}, learned from {len(start.classes):,} classes."]
    if classes != start.classes:
        told.append(
            f"Its last layer is replaced by one for {len(classes)} "
            f"{'other ' if len(classes) == len(start.classes) else ''}classes."
        )
    theirs = samples.image_shape[2] if samples.image_shape else 3
    if theirs != channels:
        turned = "grey: their colour is lost" if channels == 1 else "RGB, all channels alike"
        told.append(
            f"It sees {counted(channels, 'channel')}: the pictures are turned into {turned}."
        )
    return told


def classifier(
    recipe: Recipe, start: Classifier, spec: PixelSpec, classes: tuple[str, ...]
) -> Classifier:
    """The start with these pixels and classes; its last layer new where the classes are."""
    made = start.blueprint
    if made is None:
        raise Failure(f"{recipe.start} does not say how its network is built.")
    network = start.network
    if classes != start.classes:
        seed = draws.integer(recipe.drawn_from, "network")
        network, _ = with_head(network, len(start.classes), len(classes), seed=seed)
    arguments = dict(made.arguments) | dict(recipe.arguments)
    arguments |= {"classes": len(classes), "size": list(spec.size)}
    if "heads" in arguments:
        arguments["heads"] = False  # auxiliary classifiers are of the start's classes
    # built anew, so that what the recipe says of the network (dropout) holds, and filled
    whole = catalogue.build(made.name, **arguments)
    learned = network.state_dict()
    if "heads" in arguments:
        learned = {name: learned[name] for name in whole.state_dict()}
    try:
        whole.load_state_dict(learned)
    except RuntimeError:
        raise Mistake(
            f"{recipe.start} does not fit a {made.name} with {dict(recipe.arguments)}: leave those "
            "arguments out."
        ) from None
    return Classifier(
        whole, classes=classes, pixels=spec, blueprint=Blueprint(made.name, arguments)
    )


def keep_copy(run: Run, recipe: Recipe, start: Classifier) -> None:
    """A copy of a start that is no catalogue network, so that the run does not need it again."""
    if recipe.start not in weights.PUBLISHED:
        run.write_folder(START, start.files())


def _name(recipe: Recipe) -> str:
    return Path(recipe.start or "").name
