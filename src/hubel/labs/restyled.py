"""Trainings on pictures as they are, on stylised copies, and on both; and what comes of each.

Geirhos et al. 2019 ("ImageNet-trained CNNs are biased towards texture", section 3 and figures 4 to
6), on articles filled with textures (`filled`): small networks of the same start, which differ in
what they learn from alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hubel import draws
from hubel.breaking.corruptions.table import CORRUPTIONS, corrupt
from hubel.breaking.cue_conflict import Pair, design
from hubel.breaking.cues import edges, silhouettes
from hubel.breaking.shape_bias import Bias, Trial, shape_bias
from hubel.data.augment.compose import Augmentation
from hubel.labs.built import small_learned
from hubel.labs.filled import CLASSES, Articles, articles, filled
from hubel.labs.lab import Setting
from hubel.labs.learning import Pictures, answers
from hubel.model import Classifier
from hubel.verbs.stylised import in_other_surfaces

# what a network learns from → the probability that a picture is shown as a stylised copy
TRAININGS = {"plain": 0.0, "stylised": 1.0, "both": 0.5}


@dataclass(frozen=True)
class Stimuli:
    """What the networks are shown: float32 (N, 1, S, S) in [0, 1] each.

    by_name: "original", "silhouette", "edges" and "texture" of the test articles. conflicts, pairs:
    the shape of one article with the texture of another. corrupted: of the originals, by name and
    severity.
    """

    tested: Articles
    by_name: Mapping[str, Tensor]
    pairs: tuple[Pair, ...]
    conflicts: Tensor
    corrupted: Mapping[tuple[str, int], Tensor]


@dataclass(frozen=True)
class Result:
    """A training and its measures. right: accuracy by stimulus; bias, by_class: on the conflicts;
    errors: by corruption, in the mean of severities; confused: their mean."""

    kind: str
    seed: int
    classifier: Classifier
    right: Mapping[str, float]
    bias: Bias
    by_class: Mapping[str, Bias]
    errors: Mapping[str, float]

    @property
    def error(self) -> float:
        return float(np.mean(list(self.errors.values())))


def trained(setting: Setting) -> tuple[tuple[Result, ...], Stimuli, Tensor]:
    """Every training from several starts, what they were shown, and the first stylised copies."""
    count, epochs, starts, styles = setting.pick((100, 2, 1, 1), (1200, 8, 3, 4), (10000, 12, 5, 8))
    own = articles("train", count, seed=setting.seed)
    shown = stimuli(setting)
    data = Pictures(
        _levels(own.pixels), own.labels, _levels(shown.tested.pixels), shown.tested.labels,
        tuple(CLASSES), "clothing filled with textures",
    )  # fmt: skip
    copies = []
    for style in range(styles):
        seed = draws.integer(setting.seed, "restyled", style)
        found = in_other_surfaces(own.pixels, seed=seed, indices=np.arange(len(own.labels)))
        copies.append(_levels(found))
        setting.watch.progress("stylised copies", style + 1, styles)
    stock = torch.stack(copies)
    results, every = [], starts * len(TRAININGS)
    for start in range(starts):
        seed = draws.integer(setting.seed, "restyled start", start)
        for kind, share in TRAININGS.items():
            network = small_learned(
                data, epochs=epochs, seed=seed, augment=exchanged(stock, share) if share else None
            )
            results.append(measured(kind, start, network, shown, setting.seed))
            setting.watch.progress("trainings", len(results), every)
    return tuple(results), shown, stock[0]


def stimuli(setting: Setting) -> Stimuli:
    """Test articles, of shapes and textures that were not learned from, in all that is made."""
    count, pairs, severities = setting.pick(
        (50, 40, (3,)), (300, 300, (1, 3, 5)), (2000, 2000, (1, 2, 3, 4, 5))
    )
    tested = articles("test", count, seed=setting.seed)
    pixels = tested.pixels
    made = design(tested.labels.numpy(), pairs=pairs, seed=setting.seed)
    shapes, textures = ([getattr(pair, cue) for pair in made] for cue in ("shape", "texture"))
    corrupted = {}
    for done, name in enumerate(CORRUPTIONS, 1):
        for severity in severities:
            corrupted[name, severity] = corrupt(pixels, name, severity, seed=setting.seed)
        setting.watch.progress("corruptions", done, len(CORRUPTIONS))
    by_name = {
        "original": pixels,
        "silhouette": silhouettes(pixels, tested.shapes, dark=True),
        "edges": edges(pixels, dark=True),
        "texture": tested.textures,
    }
    conflicts = filled(tested.shapes[shapes], tested.textures[textures])
    return Stimuli(tested, by_name, made, conflicts, corrupted)


def exchanged(stock: Tensor, share: float) -> Augmentation:
    """Show a share of the pictures as one of their copies, uint8 (styles, N, C, H, W)."""

    def augment(pixels: Tensor, indices: NDArray[np.int64], seed: int, epoch: int) -> Tensor:
        style = (draws.uniform(seed, epoch, indices, "style") * len(stock)).astype(np.int64)
        copies = stock[torch.from_numpy(style), torch.from_numpy(indices)].to(pixels) / 255
        taken = torch.from_numpy(draws.uniform(seed, epoch, indices, "stylised") < share)
        return torch.where(taken.view(-1, 1, 1, 1), copies, pixels)

    return augment


def measured(kind: str, start: int, network: Classifier, shown: Stimuli, seed: int) -> Result:
    """All measures of one network."""
    labels = shown.tested.labels

    def right(pixels: Tensor) -> float:
        return float((_named(network, pixels) == labels).double().mean())

    trials = trials_of(_named(network, shown.conflicts).tolist(), shown.pairs, tuple(CLASSES))
    overall, by_class = shape_bias(trials, seed=seed)
    wrong: dict[str, list[float]] = {}
    for (name, _), pixels in shown.corrupted.items():
        wrong.setdefault(name, []).append(1 - right(pixels))
    return Result(
        kind, start, network, {name: right(pixels) for name, pixels in shown.by_name.items()},
        overall, by_class, {name: float(np.mean(each)) for name, each in wrong.items()},
    )  # fmt: skip


def trials_of(
    decided: Sequence[int],
    pairs: Sequence[Pair],
    classes: Sequence[str],
    excluded: Sequence[str] | None = None,
) -> list[Trial]:
    """What was said of each pair's image. excluded: why each does not count, "" where it does."""
    why = [""] * len(pairs) if excluded is None else excluded
    return [
        Trial(
            str(pair.shape), str(pair.texture), classes[pair.shape_class],
            classes[pair.texture_class], classes[k], reason,
        )
        for k, pair, reason in zip(decided, pairs, why, strict=True)
    ]  # fmt: skip


def _named(network: Classifier, pixels: Tensor) -> Tensor:
    """(N,): the class of the highest logit, of pictures as 8 bits hold them."""
    return answers(network, _levels(pixels)).argmax(1)


def _levels(pixels: Tensor) -> Tensor:
    return (pixels * 255).round().to(torch.uint8)
