"""Tux Paint's stamps: photographs cut out with an alpha channel, in folders by what they show."""

from pathlib import Path

import numpy as np

from hubel.data.samples import Files, Samples, stratified
from hubel.mistakes import Failure

# Folder → class: those that hold at least 18 photographs.
CATEGORIES = {
    "animals/birds": "bird",
    "animals/mammals": "mammal",
    "food/fruit": "fruit",
    "plants/flowers": "flower",
    "food/vegetables": "vegetable",
}
TEST = 0.2  # the set has no split of its own: this one never changes with the seed


def read(where: Path) -> tuple[Samples, Samples]:
    """(training, test) photographs over white; drawings ("cartoon" folders) are left out."""
    paths: list[Path] = []
    labels: list[int] = []
    for label, folder in enumerate(CATEGORIES):
        own = sorted(p for p in (where / folder).rglob("*.png") if "cartoon" not in p.parts)
        if not own:
            raise Failure(f"{where / folder} holds no pictures: is the package complete?")
        paths += own
        labels += [label] * len(own)
    names = [path.relative_to(where).as_posix() for path in paths]
    classes = tuple(CATEGORIES.values())
    whole = Files(paths, np.array(labels, np.int64), classes, names)
    parts = stratified(whole.labels, {"test": TEST}, seed=0, classes=classes)
    return whole.subset(parts["train"]), whole.subset(parts["test"])
