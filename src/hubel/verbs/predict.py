"""What is on these pictures: files, folders, globs, bytes; what is unreadable is named."""

import glob
import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from hubel.mistakes import Failure, Mistake
from hubel.model import Classifier, evaluating
from hubel.pixels import SUFFIXES, Picture, Unreadable, written
from hubel.verbs import machine
from hubel.verbs.load import load
from hubel.verbs.watch import Watch


@dataclass(frozen=True)
class Prediction:
    """One picture's most probable classes, best first; or why it could not be read.

    image: what the picture was called. classes: (name, probability) pairs, empty with an error.
    """

    image: str
    classes: tuple[tuple[str, float], ...] = ()
    error: str | None = None

    def as_json(self) -> dict[str, Any]:
        named = [{"name": name, "probability": p} for name, p in self.classes]
        return {"image": self.image, "classes": named} | (
            {"error": self.error} if self.error else {}
        )


def predict(
    model: str | os.PathLike[str] | Classifier,
    images: Picture | Sequence[Picture],
    *,
    top: int = 5,
    device: str = "auto",
    threads: int | None = None,
    batch_size: int = 64,
    watch: Watch | None = None,
) -> list[Prediction]:
    """The `top` most probable classes of each picture, in the order given.

    images: one or several of: a file, a folder (all pictures in it, at any depth), a glob, a PIL
    image, an array, the bytes of a file. A picture that cannot be read is there with its reason.

    >>> import hubel, skimage.data
    >>> hubel.predict("efficientnet-lite0", skimage.data.chelsea(), top=1)[0].classes[0][0]
    'Egyptian cat'
    """
    watch = watch or Watch()
    if top < 1:
        raise Mistake(f"--top is at least 1, not {top}.")
    where = machine.device(device)
    pictures = list(_named(images))
    classifier = (model if isinstance(model, Classifier) else load(model)).to(where)
    found: list[Prediction] = []
    remaining = iter(pictures)
    with machine.threads(threads), evaluating(classifier):
        while batch := list(islice(remaining, batch_size)):
            found += _predict_batch(classifier, batch, top, where)
            watch.progress("predict", len(found), len(pictures))
    return found


def _named(images: Picture | Sequence[Picture]) -> Iterator[tuple[str, Picture]]:
    """Each picture with its name; folders and globs opened up."""
    several: Sequence[Any] = images if isinstance(images, list | tuple) else [images]
    for n, image in enumerate(several, 1):
        if not isinstance(image, str | os.PathLike):
            yield f"picture {n}", image
            continue
        name, path = os.fspath(image), Path(image)
        if not name:
            raise Mistake("A picture's name is empty; for all pictures here give a dot.")
        if path.is_dir():
            if not os.access(path, os.R_OK | os.X_OK):
                raise Failure(f"No permission to look into the folder {written(name)}.")
            inside = sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES)
            if not inside:
                raise Mistake(f"There are no pictures in the folder {written(name)}.")
            yield from ((written(p), p) for p in inside)
        elif not path.exists() and glob.has_magic(name):
            matches = sorted(glob.glob(name, recursive=True))
            if not matches:
                raise Mistake(f"No file matches {name!r}.")
            yield from ((written(match), Path(match)) for match in matches)
        else:
            yield written(name), path


def _predict_batch(
    classifier: Classifier, batch: Sequence[tuple[str, Picture]], top: int, where: torch.device
) -> Iterator[Prediction]:
    """The answers for a batch, in its order; what is readable goes through the network at once."""
    read: list[torch.Tensor | Unreadable] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # odd metadata is no reason to bother anyone
        for name, picture in batch:
            try:
                read.append(classifier.read(picture, name=name))
            except Unreadable as wrong:
                read.append(wrong)
    answers: Iterator[list[tuple[str, float]]] = iter(())
    if good := [pixels for pixels in read if isinstance(pixels, torch.Tensor)]:
        answers = _best(classifier, torch.stack(good).to(where), top)
    for (name, _), pixels in zip(batch, read, strict=True):
        if isinstance(pixels, Unreadable):
            yield Prediction(name, error=pixels.reason)
        else:
            yield Prediction(name, tuple(next(answers)))


def _best(
    classifier: Classifier, pixels: torch.Tensor, top: int
) -> Iterator[list[tuple[str, float]]]:
    """For each picture of a batch its most probable classes, best first."""
    probabilities = classifier.probabilities(pixels).cpu()
    values, indices = probabilities.topk(min(top, probabilities.shape[1]))
    for row, chosen in zip(values.tolist(), indices.tolist(), strict=True):
        yield [(classifier.classes[i], p) for i, p in zip(chosen, row, strict=True)]
