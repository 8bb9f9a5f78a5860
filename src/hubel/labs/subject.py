"""The network that a lab looks into, and the picture that it answers."""

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from hubel.data.decoding import load as load_pictures
from hubel.data.samples import Row
from hubel.labs.lab import Setting
from hubel.labs.learning import grey_pictures, learn
from hubel.mistakes import Mistake, unknown
from hubel.model import Classifier
from hubel.networks import catalogue, weights
from hubel.run import Run
from hubel.training.recipe import from_run
from hubel.verbs.load import load, model_folder
from hubel.verbs.prepare import open_data
from hubel.verbs.resume import check_data

MOST_PARAMETERS = 5_000_000  # of what is trained here for a moment


class Subject(NamedTuple):
    """A classifier, a picture (C, H, W) in [0, 1], a class, and what all that is, in words."""

    classifier: Classifier
    picture: Tensor
    label: int
    what: str


def subject(setting: Setting, network: str, image: str | os.PathLike[str] | None = None) -> Subject:
    """A network of the catalogue trained for a moment; or one that has its weights.

    network: a name of the catalogue, a run, or a model folder. image: a file, whose class is then
    the network's own answer; None: a test picture of the data that it was trained on. Raises
    Mistake for an unknown or too large network and where only the user can name a picture, and
    otherwise as `hubel.load` and `Classifier.read` do.
    """
    has_weights = Path(network).exists() or network in weights.PUBLISHED
    if not has_weights and network not in catalogue.CATALOGUE:
        raise unknown("network, run or model folder", network, catalogue.CATALOGUE)
    if has_weights:
        classifier, told = load(network), f"{network} as it is"
    else:
        classifier, told, own = _trained(setting, network)
    if image is not None:
        picture = classifier.read(image)
        with torch.no_grad():
            label = int(classifier(picture[None]).argmax())
        named = f"the loss is that of its own answer, {classifier.classes[label]!r}."
        return Subject(classifier, picture, label, f"{told}; {named}")
    picture, label = _tested(network, classifier) if has_weights else own
    return Subject(
        classifier, picture, label, f"{told}; a test picture, {classifier.classes[label]!r}."
    )


def _trained(setting: Setting, name: str) -> tuple[Classifier, str, tuple[Tensor, int]]:
    """The network after a moment, what that was in words, and the first test picture."""
    entry = catalogue.entry(name)
    side = entry.size[0] if entry.size else None
    data = grey_pictures(setting.pick(300, 4000, 20000), 20, seed=setting.seed, side=side)
    torch.manual_seed(setting.seed)
    made = catalogue.build(
        name, classes=len(data.classes), channels=1, size=tuple(data.train.shape[2:])
    )
    count = sum(p.numel() for p in made.parameters())
    if count > MOST_PARAMETERS:
        raise Mistake(
            f"{name} has {count:,} parameters, too many to be trained for a moment: take a "
            "smaller network, lenet5 for one, or a run of your own."
        )
    learned = learn(
        made, data, epochs=setting.pick(1, 3, 5), lr=0.02, seed=setting.seed,
        progress=lambda done, total: setting.watch.progress("train", done, total),
    )  # fmt: skip
    told = f"{name}, trained for a moment on {len(data.train):,} pictures of {data.what}"
    first = data.test[0].float() / 255, int(data.test_labels[0])
    return learned.classifier, told, first


def _tested(network: str, classifier: Classifier) -> tuple[Tensor, int]:
    """The first test picture of the data that a run was trained on, and its class."""
    path = Path(network)
    if not (path / "recipe.toml").is_file() or model_folder(path) is None:
        raise Mistake(f"{network} needs a picture: hubel lab backprop --network {network} PICTURE.")
    run = Run.find(path)
    splits = open_data(from_run(run.path), before=run.read_table("splits.csv", Row))
    check_data(run, splits, "Name a picture.")
    if len(splits.test) == 0:
        raise Mistake(f"{network} has no test pictures: name a picture.")
    first = load_pictures(splits.test.subset(np.arange(1)), classifier.pixels)
    picture = torch.from_numpy(first.images[0]).float() / 255
    return picture, classifier.classes.index(splits.test.classes[int(first.labels[0])])
