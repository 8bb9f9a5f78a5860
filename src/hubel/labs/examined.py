"""Whose layers are examined: a published network on photographs, or a small one that learned."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hubel import draws
from hubel.data import decoding, sources
from hubel.labs.built import small_learned
from hubel.labs.lab import Setting
from hubel.labs.learning import colour_pictures
from hubel.mistakes import Failure
from hubel.model import Classifier
from hubel.networks import weights

NETWORK = "efficientnet-lite0"
# 1×1 convolutions that widen, and the last one; before ReLU6, above which all answers are equal
LAYERS = (
    *("blocks.1.expand.bn", "blocks.3.expand.bn", "blocks.5.expand.bn", "blocks.8.expand.bn"),
    "head.bn",
)
SMALL = ("conv1.bn", "conv2.bn", "res2.branch.bn", "conv3.bn", "res3.branch.bn")  # of `small`


class Subject(NamedTuple):
    """Who is examined: a network, five of its layers, and pictures uint8 (N, C, H, W)."""

    classifier: Classifier
    network: str
    layers: tuple[str, ...]
    images: Tensor
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    what: str


def examined(setting: Setting) -> Subject:
    """The published network and photographs where both are here, else a small one that learns."""
    if setting.size != "quick" and _published() and sources.is_here("stamps"):
        classifier = weights.load(NETWORK)
        splits = sources.open_splits("stamps", validation=0)
        spec = replace(classifier.pixels, resize="pad")  # whole objects, on white as they are
        loaded = [decoding.load(part, spec) for part in (splits.train, splits.test)]
        labels = np.concatenate([part.labels for part in loaded])
        images = np.concatenate([part.images for part in loaded])
        # of equal answers the lower number comes first: it must not tell the class
        order = draws.order(setting.seed, 0, len(labels), "hierarchy")
        what = f"{len(labels)} photographs on white ({', '.join(splits.train.classes)})"
        return Subject(
            classifier, NETWORK, LAYERS, torch.from_numpy(images[order]), labels[order],
            splits.train.classes, what,
        )  # fmt: skip
    train, epochs, n = setting.pick((500, 2, 60), (6000, 6, 400), (20000, 15, 1000))
    data = colour_pictures(train, n, seed=setting.seed)
    classifier = small_learned(
        data, epochs=epochs, seed=setting.seed,
        progress=lambda at, steps: setting.watch.progress("train", at, steps),
    )  # fmt: skip
    return Subject(
        classifier, f"small, trained on {len(data.train)} pictures", SMALL, data.test,
        data.test_labels.numpy(), data.classes, f"{len(data.test)} pictures of {data.what}",
    )  # fmt: skip


def _published() -> bool:
    try:
        return weights.is_here(NETWORK)
    except Failure:  # the package that brings them is not installed
        return False
