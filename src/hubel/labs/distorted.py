"""Answers as pictures are distorted: by attacks, and by noise of the same size."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hubel import draws
from hubel.breaking.eight_bit import rounded, saved
from hubel.breaking.gradient import attacked
from hubel.breaking.robustness import taken
from hubel.model import Classifier

EPSILONS = tuple(levels / 255 for levels in (1, 2, 4, 8, 16, 32))
AT = 8 / 255  # the ε of the verdict and of the pictures
AT_ONCE = 2_000_000  # numbers of pictures that are attacked together, which decides the memory


class Distorted(NamedTuple):
    """N pictures that a classifier names rightly, and what becomes of them.

    wrong: "noise", "FGSM" and "PGD" → (len(EPSILONS), N), whether the picture is then named
    wrongly. images (N, C, H, W): by PGD within AT, at its full strength. fools, reloaded, lasting
    (N,): whether these are named wrongly; still are as they come out of a PNG file of 8 bits; and
    so when they were put to such levels within AT first. barely (2, N): of pictures that PGD left
    alone as soon as they fooled, whether they fool, and out of a PNG file.
    """

    classifier: Classifier
    pixels: Tensor
    labels: Tensor
    wrong: dict[str, NDArray[np.bool_]]
    images: Tensor
    fools: Tensor
    reloaded: Tensor
    lasting: Tensor
    barely: Tensor


def noise(pixels: Tensor, epsilon: float, seed: int) -> Tensor:
    """The control: ±ε in every pixel and channel, the sign drawn, within [0, 1]."""
    generator = torch.Generator().manual_seed(draws.integer(seed, "noise"))
    signs = 2 * torch.randint(0, 2, pixels.shape, generator=generator) - 1
    return (pixels + epsilon * signs).clamp(0, 1)


def distorted(
    classifier: Classifier,
    pixels: Tensor,
    labels: Tensor,
    *,
    steps: int,
    seed: int,
    progress: Callable[[int, int], None],
) -> Distorted:
    """Attack pictures (N, C, H, W) in [0, 1] that the classifier names rightly, N > 0."""
    batch = max(1, min(250, AT_ONCE // pixels[0].numel()))
    wrong: dict[str, list[Tensor]] = {"noise": [], "FGSM": [], "PGD": []}
    barely: list[Tensor] = []

    def pursued(**how: object) -> Tensor:
        return torch.cat(list(attacked(classifier, pixels, labels, batch=batch, **how)))

    for done, epsilon in enumerate(EPSILONS):
        made = {
            "noise": noise(pixels, epsilon, seed),
            "FGSM": pursued(epsilon=epsilon, steps=1, step=epsilon),
            "PGD": pursued(epsilon=epsilon, steps=steps, drop=True),
        }
        for name, images in made.items():
            wrong[name].append(taken(classifier, images, labels, batch=batch))
        if epsilon == AT:
            barely = [
                taken(classifier, images, labels, batch=batch)
                for images in (made["PGD"], saved(made["PGD"]))
            ]
        progress(done + 1, len(EPSILONS) + 1)
    images = pursued(epsilon=AT, steps=steps)
    fools, reloaded, lasting = (
        taken(classifier, each, labels, batch=batch)
        for each in (images, saved(images), saved(rounded(images, pixels, epsilon=AT)))
    )
    progress(len(EPSILONS) + 1, len(EPSILONS) + 1)
    return Distorted(
        classifier, pixels, labels,
        {name: torch.stack(parts).numpy() for name, parts in wrong.items()},
        images, fools, reloaded, lasting, torch.stack(barely),
    )  # fmt: skip
