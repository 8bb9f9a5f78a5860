"""A run's own worst mistakes: of its held-out pictures those that it is surest of, and wrong."""

import os
from typing import NamedTuple

import torch
from torch import Tensor

from hubel.inference.answers import Answers
from hubel.mistakes import Failure, Mistake
from hubel.model import Classifier
from hubel.training.evaluate import surest_mistakes
from hubel.verbs.labelled import Split, labelled
from hubel.verbs.load import own_run
from hubel.verbs.tested import recall
from hubel.verbs.watch import Watch

MOST = 3  # a page of more takes minutes


class Mistaken(NamedTuple):
    """name: also says the right class, and the one that it is taken for. pixels (C, H, W)."""

    name: str
    pixels: Tensor


def check_own(model: str | os.PathLike[str] | Classifier) -> None:
    """Raises Mistake for a model that has no pictures of its own."""
    if own_run(model) is None:
        raise Mistake(
            "Name pictures to look at: only a run has some of its own, and this model is none."
        )


def worst(
    model: str | os.PathLike[str] | Classifier,
    classifier: Classifier,
    *,
    device: torch.device,
    watch: Watch,
) -> list[Mistaken]:
    """Those that its report shows first: test pictures once they were measured, else validation.

    Raises Failure for a run that makes no mistake on them.
    """
    check_own(model)
    own = own_run(model)
    split: Split = "validation" if own is None or recall(own) is None else "test"
    found = labelled(model, classifier, None, split=split, watch=watch)
    answers = Answers(classifier, expected=len(found.labels), device=device)
    answers.add(found.loaded.images)
    logits = answers.logits()
    chosen = surest_mistakes(logits, found.labels)[:MOST]
    if not chosen:
        raise Failure(
            f"The run makes no mistake on its {len(found.labels):,} {split} pictures: name some to "
            "look at."
        )
    watch.notice(
        f"No pictures are named: these are the {split} pictures that it is surest of, and wrong."
    )
    names, called = classifier.classes, logits.argmax(1)
    return [
        Mistaken(
            f"{found.loaded.names[i]}: {names[int(found.labels[i])]}, "
            f"taken for {names[int(called[i])]}",
            found.images[i].float().div(255),
        )
        for i in chosen
    ]
