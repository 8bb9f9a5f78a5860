"""Features: what a trained network makes of a picture, just before its last layer names it."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hubel.inference.answers import Answers
from hubel.mistakes import Mistake
from hubel.model import Classifier, Model

BATCH = 16  # pictures answered at once, which is near the fastest on every machine measured


def head(network: nn.Module, classes: int) -> str:
    """The name of the layer that gives the logits: the last linear one, of `classes` outputs.

    Raises Mistake for a network that ends otherwise.
    """
    linear = [(name, part) for name, part in network.named_modules() if type(part) is nn.Linear]
    if not linear or linear[-1][1].out_features != classes:
        raise Mistake(
            f"This network does not end in a linear layer of {classes} outputs, so its last layer "
            "cannot be replaced."
        )
    return str(linear[-1][0])


def headless(classifier: Classifier) -> Model:
    """A copy of the network that answers with its features (N, D) in place of logits."""
    network = copy.deepcopy(classifier.network).eval()
    network.set_submodule(head(network, len(classifier.classes)), nn.Identity())
    return Model(network, pixels=classifier.pixels)


def pooled(
    classifier: Classifier,
    images: NDArray[np.uint8],
    *,
    chosen: Sequence[int] | None = None,
    device: torch.device | str = "cpu",
    progress: Callable[[int, int], None] | None = None,
) -> Tensor:
    """Pictures uint8 (N, C, h, w), of a size that may not be the classifier's → float32 (N, D).

    In batches of one size: the same pictures have the same features in every run. chosen: only
    these, by their numbers.
    """
    network = headless(classifier)
    height, width = images.shape[2:]
    network.pixels = replace(network.pixels, size=(height, width))
    answers = Answers(
        network.to(device),
        expected=len(images) if chosen is None else len(chosen),
        batch_size=BATCH,
        device=device,
        progress=progress,
    )
    for part in [images] if chosen is None else (images[i : i + 1] for i in chosen):
        answers.add(part)
    return answers.outputs()
