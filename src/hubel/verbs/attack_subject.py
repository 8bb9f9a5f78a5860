"""A classifier to be attacked, and the pictures that it names rightly."""

import os
from dataclasses import dataclass

import torch
from torch import Tensor

from hubel.breaking.ready import ready
from hubel.inference.answers import Answers
from hubel.mistakes import Failure
from hubel.model import Classifier
from hubel.verbs.labelled import Split, labelled
from hubel.verbs.look import label_of
from hubel.verbs.watch import Watch

AT_ONCE = 2**22  # numbers in a batch of pictures: some are held at every layer


@dataclass(frozen=True)
class Subject:
    """A classifier and the pictures that it is attacked on.

    network: a copy that answers alike and faster, for the attacks. pixels (R, C, H, W), labels
    (R,): those that it names rightly, or, with a target, that it takes for anything else; wanted
    (R,): what an attack is about, the labels or the target. n: pictures in all, right: of them
    named rightly. numbers (R,): which of these.
    """

    classifier: Classifier
    network: Classifier
    pixels: Tensor
    labels: Tensor
    wanted: Tensor
    numbers: Tensor
    names: tuple[str, ...]
    n: int
    right: int
    what: str
    of: int
    target: str | None

    @property
    def batch(self) -> int:
        """Pictures at a time."""
        return max(1, min(250, AT_ONCE // max(1, 8 * self.pixels[0].numel())))


def subject(
    model: str | os.PathLike[str] | Classifier,
    classifier: Classifier,
    data: str | os.PathLike[str] | None,
    *,
    target: str | int | None,
    split: Split | None,
    most: int,
    seed: int,
    workers: int,
    watch: Watch,
) -> Subject:
    """Read and answer the pictures. Raises Failure where none can be attacked."""
    device = classifier.mean.device
    aim = label_of(classifier, target)
    found = labelled(
        model, classifier, data, split=split, most=most, seed=seed, workers=workers, watch=watch
    )
    answers = Answers(classifier, expected=len(found.labels), device=device)
    answers.add(found.loaded.images)
    named = answers.logits().argmax(1)
    right = named == found.labels
    if not bool(right.any()):
        raise Failure(
            f"The network names none of {len(right)} pictures ({found.what}) rightly: there is "
            "nothing to attack. Is it the data's network?"
        )
    chosen = right if aim is None else right & (found.labels != aim)
    if not bool(chosen.any()):
        raise Failure(f"All pictures named rightly are of {classifier.classes[aim or 0]!r} itself.")
    labels = found.labels[chosen].to(device)
    wanted = labels if aim is None else torch.full_like(labels, aim)
    pixels = (found.images[chosen].float() / 255).to(device)
    return Subject(
        classifier, ready(classifier, pixels), pixels, labels, wanted,
        chosen.nonzero()[:, 0], found.loaded.names, len(right), int(right.sum()), found.what,
        found.of, None if aim is None else classifier.classes[aim],
    )  # fmt: skip
