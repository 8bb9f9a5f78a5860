"""Photographs that a network with published weights names rightly."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hubel.data import decoding, sources
from hubel.labs.learning import answers
from hubel.mistakes import Failure
from hubel.model import Classifier
from hubel.networks import weights

NETWORK = "efficientnet-lite0"
# Photographs that come with scikit-image and scikit-learn, and what they show, as ImageNet calls it
KNOWN = {
    "chelsea": "Egyptian cat",
    "coffee": "espresso",
    "rocket": "missile",
    "camera": "tripod",
    "china.jpg": "palace",
}


class Photographs(NamedTuple):
    """A classifier, and N photographs that it names rightly, (N, C, H, W) in [0, 1]; classes (N,).

    what: in words.
    """

    classifier: Classifier
    pixels: Tensor
    labels: Tensor
    what: str


def photographs(most: int) -> Photographs:
    """Photographs whose answer is known, of which those are kept that the network knows, too.

    most: so many of these, the scenes first, then the stamps in the order of the data set.
    From the stamps (photographs on white) those whose file is called as one of ImageNet's classes,
    or has its name among the words: zebra.png, pink_flamingo.png. Raises Failure where the
    network's weights are not at hand.
    """
    classifier = weights.load(NETWORK)
    images: list[Tensor] = []
    allowed: list[set[int]] = []
    for picture, name in _scenes():
        images.append(classifier.read(picture))
        allowed.append({classifier.classes.index(name)})
    if sources.is_here("stamps"):
        for image, name in _stamps(classifier):
            if known := _classes_in(name, classifier.classes):
                images.append(image)
                allowed.append(known)
    pixels = torch.stack(images)
    named = answers(classifier, (pixels * 255).round().to(torch.uint8)).argmax(1).tolist()
    right = [i for i, found in enumerate(named) if found in allowed[i]][:most]
    return Photographs(
        classifier, pixels[right], torch.tensor([named[i] for i in right]),
        f"photographs of known classes, which {NETWORK} names rightly",
    )  # fmt: skip


def _scenes() -> Iterator[tuple[NDArray[np.uint8], str]]:
    import skimage.data
    from sklearn.datasets import load_sample_image

    for name, known in KNOWN.items():
        found = load_sample_image(name) if "." in name else getattr(skimage.data, name)()
        yield np.asarray(found), known


def _stamps(classifier: Classifier) -> Iterator[tuple[Tensor, str]]:
    """The stamps, whole and on white, and what their files are called."""
    splits = sources.open_splits("stamps", validation=0)
    spec = replace(classifier.pixels, resize="pad")
    for part in (splits.train, splits.test):
        loaded = decoding.load(part, spec)
        for image, name in zip(loaded.images, part.names, strict=True):
            yield torch.from_numpy(image).float() / 255, name.rsplit("/", 1)[-1].rsplit(".", 1)[0]


def _classes_in(name: str, classes: tuple[str, ...]) -> set[int]:
    """The class that a file's name spells, else those that its words do; case, digits, marks aside.

    >>> _classes_in("Sea_lion-2", ("lion", "sea lion")), _classes_in("old_lion", ("lion", "cat"))
    ({1}, {0})
    """
    spelt = {re.sub(r"[^a-z]", "", called.lower()): i for i, called in enumerate(classes)}
    whole = re.sub(r"[^a-z]", "", name.lower())
    words = [whole] if whole in spelt else re.split(r"[^a-z]+", name.lower())
    return {spelt[word] for word in words if word in spelt}


def without_photographs(wrong: Failure) -> str:
    """The sentence in their place."""
    return f"Photographs are left out. {wrong}"
