"""What a classifier knows as its own kind: kept at the end of a training, asked with each answer.

The arithmetic is in `hubel.strangeness`. The features that it needs are what the last layer is
given while the network answers, so that no picture goes through the network twice, and the logits
are the network's own.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hubel.inference.answers import Answers
from hubel.mistakes import Failure, Mistake
from hubel.model import Classifier, Model
from hubel.strangeness import Reference, reference, some
from hubel.transfer.features import head, pooled
from hubel.twins import around


class Answered(NamedTuple):
    """logits float32 (N, K); nearer int64 (N,), how many validation pictures are nearer to the
    training pictures, or None of a classifier that does not know."""

    logits: Tensor
    nearer: Tensor | None


def remembered(
    classifier: Classifier,
    training: NDArray[np.uint8],
    validation: NDArray[np.uint8],
    *,
    seed: int,
    device: torch.device | str = "cpu",
    progress: Callable[[int, int], None] | None = None,
) -> Reference | None:
    """What pictures are to be held against from now on. Both uint8 (N, C, H, W), of the
    classifier's size; at most `strangeness.MOST` of each are looked at, drawn by the seed.

    None for a network that does not end in a linear layer, and where there are too few pictures.
    """
    try:
        last = classifier.network.get_submodule(head(classifier.network, len(classifier.classes)))
    except Mistake:
        return None
    width = int(last.in_features)  # type: ignore[arg-type]  # it is linear
    features = []
    for images in (training, validation):
        chosen = some(len(images), seed, width=width)
        if not chosen:
            return None
        features.append(pooled(classifier, images, chosen=chosen, device=device, progress=progress))
    if features[0].shape[1:] != (width,):
        return None
    return reference(*features)


def answering(classifier: Classifier) -> Model:
    """The classifier, or where it has a reference one that also says what this says of a picture.

    For `Answers`, whose outputs `answered` takes apart.
    """
    return classifier if classifier.reference is None else _Comparing(classifier)


def answered(answers: Answers, classifier: Classifier) -> Answered:
    """What `Answers` of `answering(classifier)` found for the pictures so far."""
    found = answers.outputs()
    classes = len(classifier.classes)
    if not len(found):
        found = torch.empty(0, classes + (classifier.reference is not None))
    if classifier.reference is None:
        return Answered(found, None)
    return Answered(found[:, :classes], found[:, classes].long())


class _Comparing(Model):
    """Pixels (N, C, H, W) in [0, 1] → (N, K + 1): logits, and how many are nearer."""

    def __init__(self, classifier: Classifier) -> None:
        super().__init__(classifier, pixels=classifier.pixels)
        known = classifier.reference
        self._last = head(classifier.network, len(classifier.classes))
        width = classifier.network.get_submodule(self._last).in_features
        if known is None or known.features.shape[1] != width:
            raise Failure(
                f"The classifier's reference is not of its network, whose features are {width} "
                "numbers: train it anew, or set its reference to None."
            )
        # on the device where the classifier is, as part of it
        self.register_buffer("features", known.features.to(classifier.mean.device))
        self.register_buffer("distances", known.distances.to(classifier.mean.device))
        self.training = classifier.training

    def forward(self, pixels: Tensor) -> Tensor:
        given: list[Tensor] = []
        last = self.network.get_submodule(f"network.{self._last}")
        with around([(last, lambda arguments, _: given.append(arguments[0]))], []):
            logits: Tensor = self.network(pixels)
        nearer = Reference(self.features, self.distances).nearer(given[-1])  # type: ignore[arg-type]
        return torch.cat([logits, nearer[:, None].to(logits.dtype)], 1)
