"""What is on these pictures: files, folders, globs, bytes; what is unreadable is named."""

import glob
import os
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from itertools import takewhile
from pathlib import Path

import numpy as np
import torch

from hubel.data.ahead import ahead
from hubel.data.listing import among, left_out, listed
from hubel.inference.answers import Answers
from hubel.mistakes import Mistake
from hubel.model import Classifier
from hubel.pixels import Given, Picture, Pixels, PixelSpec, Unreadable, given, read, written
from hubel.results import Prediction
from hubel.transfer.familiar import Answered, answered, answering
from hubel.verbs import machine
from hubel.verbs.gallery import FACTS, PAGE, write_gallery
from hubel.verbs.load import called, loaded
from hubel.verbs.onward import onward
from hubel.verbs.place import place
from hubel.verbs.watch import Watch

# one picture each (or none), though they can be gone through like a list
ALONE = (str, bytes, bytearray, memoryview, np.ndarray, torch.Tensor)


@machine.undisturbed
def predict(
    model: str | os.PathLike[str] | Classifier,
    images: Picture | Iterable[Picture],
    *,
    top: int = 5,
    device: str = "auto",
    threads: int | None = None,
    batch_size: int | None = None,
    out: str | os.PathLike[str] | None = None,
    download: bool = False,
    watch: Watch | None = None,
) -> list[Prediction]:
    """The `top` most probable classes of each picture, in the order given.

    images: one or several (a list, a generator) of: a file, a folder (all pictures in it, at any
    depth), a glob, a PIL image, an array, the bytes of a file, a file opened in binary. A picture
    that cannot be read is there with its reason. Of a model that was trained here, each answer has
    its strangeness: the share of the validation pictures that are nearer to the training pictures
    than this one is. Raises Mistake for what can be no picture.
    batch_size: None finds the fastest by itself; the next pictures are decoded meanwhile. out: a
    folder for predict.html, which shows the pictures under the classes that they are named, and
    predict.json; what hubel wrote there before is replaced.
    download: whether a network's published weights may be fetched, where they are not here yet.

    >>> import hubel, skimage.data
    >>> hubel.predict("efficientnet-lite0", skimage.data.coffee(), top=1)[0].classes[0][0]
    'espresso'
    """
    watch = watch or Watch()
    if top < 1:
        raise Mistake(f"--top is at least 1, not {top}.")
    results = place(out, Path("predict"), FACTS, "gallery of answers") if out else None
    where = machine.device(device)
    pictures = list(named(images, watch))
    classifier = loaded(model, download=download, watch=watch).to(where)
    errors: dict[int, str] = {}
    with machine.threads(threads):
        answers = Answers(
            answering(classifier), expected=len(pictures), batch_size=batch_size, device=where
        )
        one = partial(_read, spec=classifier.pixels)
        for i, image in enumerate(ahead(one, pictures)):
            if isinstance(image, Unreadable):
                errors[i] = image.reason
            else:
                answers.add(image.transpose(2, 0, 1)[None])
            watch.progress("predict", i + 1, len(pictures))
        found = answered(answers, classifier)
    best, nearer = _best(classifier, found.logits, top), _nearer(found)
    against = 0 if classifier.reference is None else len(classifier.reference.distances)
    predictions = [
        Prediction(name, error=errors[i])
        if i in errors
        else Prediction(name, tuple(next(best)), nearer=next(nearer), against=against)
        for i, (name, _) in enumerate(pictures)
    ]
    if results is not None:
        with results.held() as folder:
            end = onward("predict", model, folder.path / PAGE)
            write_gallery(folder, called(model), predictions, pictures, classifier.pixels, end)
    return predictions


def _read(picture: tuple[str, Given], *, spec: PixelSpec) -> Pixels | Unreadable:
    """The picture at the model's size, or why it is none."""
    name, content = picture
    try:
        return read(content, spec, name=name)
    except Unreadable as wrong:
        return wrong


def _best(
    classifier: Classifier, logits: torch.Tensor, top: int
) -> Iterator[list[tuple[str, float]]]:
    """For each picture its most probable classes, best first."""
    probabilities = logits.softmax(1)
    values, indices = probabilities.topk(min(top, probabilities.shape[1]))
    for row, chosen in zip(values.tolist(), indices.tolist(), strict=True):
        yield [(classifier.classes[i], p) for i, p in zip(chosen, row, strict=True)]


def _nearer(found: Answered) -> Iterator[int | None]:
    """For each picture how many validation pictures are nearer."""
    yield from [None] * len(found.logits) if found.nearer is None else found.nearer.tolist()


def named(images: Picture | Iterable[Picture], watch: Watch) -> Iterator[tuple[str, Given]]:
    """Each picture with its name; folders and globs opened up, by the rules of `data.listing`.

    What of a folder is left out is told to the watch. Raises Mistake for no picture, and where a
    folder or glob holds none.
    """
    if isinstance(images, set | frozenset | Mapping):
        raise Mistake(f"A {type(images).__name__} is no list of pictures: give one, in an order.")
    alone = isinstance(images, ALONE) or hasattr(images, "read")
    several = images if isinstance(images, Iterable) and not alone else [images]
    for n, picture in enumerate(several, 1):
        image = given(picture)  # type: ignore[arg-type]  # anything may be in there: it checks
        if not isinstance(image, str | os.PathLike):
            called = getattr(picture, "name", None)  # an open file's
            yield written(called) if isinstance(called, str) else f"picture {n}", image
            continue
        name, path = os.fspath(image), Path(image)
        if not name:
            raise Mistake("A picture's name is empty; for all pictures here give a dot.")
        if path.is_dir():
            yield from ((written(p), p) for p in _inside(path, watch))
        elif not path.exists() and glob.has_magic(name):
            yield from ((written(p), p) for p in _matching(name))
        else:
            yield written(name), path


def _inside(folder: Path, watch: Watch) -> list[Path]:
    """The pictures in a folder, at any depth."""
    found = listed(folder)
    for sentence in left_out([found], folder):
        watch.notice(sentence)
    if not found.pictures:
        own = " but for what hubel itself wrote" if found.own else ""
        raise Mistake(f"There are no pictures in the folder {written(folder)}{own}.")
    return found.pictures


def _matching(pattern: str) -> list[Path]:
    """The files that a glob names, without those that `_inside` would pass over."""
    fixed = Path(*takewhile(lambda part: not glob.has_magic(part), Path(pattern).parts))
    matches = (Path(match) for match in sorted(glob.glob(pattern, recursive=True)))
    found = list(among((path for path in matches if not path.is_dir()), fixed))
    if not found:
        raise Mistake(f"No file matches {written(pattern)!r}.")
    return found
