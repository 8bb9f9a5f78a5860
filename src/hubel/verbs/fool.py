"""Images that fool a classifier and show nothing: for every class, by each of several ways."""

import hashlib
import json
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import torch

import hubel
from hubel.breaking.fooling import SMALL, WAYS
from hubel.breaking.map_elites import OFFSPRING
from hubel.figures import percent
from hubel.mistakes import Mistake, unknown
from hubel.model import Classifier
from hubel.report.fooling import Gallery
from hubel.tensors import pack
from hubel.verbs import fool_state, machine
from hubel.verbs.fool_state import STATE, Kept, Search
from hubel.verbs.fooling import FACTS, PAGE, Work
from hubel.verbs.interrupt import Stopped, interruptible
from hubel.verbs.load import called, loaded
from hubel.verbs.look import label_of
from hubel.verbs.onward import onward
from hubel.verbs.place import near, place
from hubel.verbs.watch import Watch

# by default: a minute or two on two cores, whether pictures are small or large
FOR_SMALL, FOR_LARGE = 200_000, 4_000
PATIENCE = 10  # of these one part: so long a search goes on without a gain


@dataclass(frozen=True)
class Fooled:
    """What was written, and what came of each way; stopped: whether some is missing."""

    folder: Path
    page: Path
    galleries: tuple[Gallery, ...]
    stopped: bool = False

    @property
    def lines(self) -> tuple[str, ...]:
        """How sure the model is of what each way made."""
        return tuple(
            f"{each.way:<8} {len(each.names):,} classes: median confidence "
            f"{percent(each.median)}, least {percent(each.least)}; {each.evaluations:,} evaluations"
            for each in self.galleries
        )

    def as_json(self) -> dict[str, Any]:
        return {
            "page": str(self.page),
            "stopped": self.stopped,
            "ways": [each.as_json() for each in self.galleries],
        }


@machine.undisturbed
def fool(
    model: str | os.PathLike[str] | Classifier,
    *,
    encodings: Sequence[str] = WAYS,
    classes: Sequence[str | int] | None = None,
    evaluations: int | None = None,
    offspring: int = OFFSPRING,
    seed: int = 0,
    out: str | os.PathLike[str] | None = None,
    resume: bool = False,
    device: str = "auto",
    threads: int | None = None,
    download: bool = False,
    watch: Watch | None = None,
) -> Fooled:
    """Search images that the model is sure of and that show nothing (Nguyen et al. 2015).

    encodings: rows of `breaking.fooling.WAYS`: evolved as "cppn" or "direct", or by "gradient".
    classes: names or numbers, None: all; all are searched for at once. evaluations: images that
    the model answers for each way that evolves, in whole generations of `offspring`; None: up to
    200,000 of small pictures, 4,000 of larger ones, but a way ends where the model is 99 % sure of
    every class, or where a tenth of these raised neither the median confidence nor the least by a
    hundredth. out: the folder for fooling.html, a gallery and some
    images of each way as PNG, curves.png, fooling.json and state.safetensors, where an earlier
    search is replaced; None: a new one, break-fooling in the model's run, or here. Confidences are
    those of the images as they are saved, and as they are.

    The first Ctrl-C ends it before the next generation, and what there is is written. Asked again
    for the same, it goes on, bit-equal on the same machine; resume: the last one goes on, also
    where it was finished, for more evaluations or ways. Raises Mistake for a way or class that is
    not there, other settings than those of what is gone on with, a folder that holds something
    else; Failure for a network whose answers are no numbers.
    """
    watch = watch or Watch()
    machine.demand_float32()
    _check(encodings, evaluations, offspring)
    results = place(out, near(model, "break-fooling"), FACTS, "search for fooling images")
    where = machine.device(device)
    classifier = loaded(model, download=download, watch=watch).to(where)
    wanted = _classes(classifier, classes)
    height, width = classifier.pixels.size
    usual = FOR_SMALL if height * width <= SMALL else FOR_LARGE
    with machine.threads(threads):
        settings = {
            "network": _hash(classifier), "classes": wanted, "seed": seed, "offspring": offspring
        }  # fmt: skip
        asked = Kept(
            settings, machine.environment(where), evaluations or usual,
            [Search(way, {}) for way in encodings],
            patience=None if evaluations else max(usual // PATIENCE, offspring),
        )  # fmt: skip
        facts = {
            "date": datetime.now(UTC).strftime("%Y-%m-%d"),
            "hubel": hubel.__version__,
            "torch": torch.__version__,
            "model": called(model),
            "environment": machine.environment(where),
        }
        same = partial(fool_state.is_same, asked=asked, resume=resume)
        with results.held(same) as folder, interruptible() as request:
            found = fool_state.read(folder.path / STATE)
            kept, goes_on = fool_state.going_on(found, asked, folder.path, resume=resume)
            if found is not None and goes_on:
                _tell(found, kept, watch)
            end = onward("fooling", model, folder.path / PAGE)
            work = Work(folder, classifier, kept, facts, end=end, fresh=not goes_on)
            for search in kept.searches:
                if kept.done(search) or request.made:
                    continue
                with suppress(Stopped):  # of the generation at work nothing is kept
                    work.search(search, request, watch)
            if kept.unfinished:
                watch.notice("Stopping: what there is is being written.")
            made = work.show()
    return Fooled(folder.path, folder.path / PAGE, made, kept.unfinished is not None)


def _check(encodings: Sequence[str], evaluations: int | None, offspring: int) -> None:
    if not encodings:
        raise Mistake("Name at least one way of fooling.")
    for way in encodings:
        if way not in WAYS:
            raise unknown("way of fooling", way, WAYS)
    if len(set(encodings)) < len(encodings):
        raise Mistake("Each way of fooling can be named once.")
    if evaluations is not None and evaluations < 1:
        raise Mistake(f"--evaluations is 1 or more, not {evaluations}.")
    if offspring < 1:
        raise Mistake(f"--offspring is 1 or more, not {offspring}.")


def _classes(classifier: Classifier, classes: Sequence[str | int] | None) -> list[int]:
    """By number, in the order in which they were named."""
    if classes is None:
        return list(range(len(classifier.classes)))
    found = []
    for each in classes:
        number = label_of(classifier, each)
        if number is not None:
            found.append(number)
    if not found:
        raise Mistake("Name at least one class to be fooled into.")
    if len(set(found)) < len(found):
        raise Mistake("Each class can be named once.")
    return found


def _hash(classifier: Classifier) -> str:
    spec = classifier.pixels
    network = pack(classifier.network.state_dict())
    return hashlib.sha256(
        network
        + json.dumps(
            [
                spec.size,
                spec.channels,
                spec.mean,
                spec.std,
                classifier.temperature,
                classifier.classes,
            ]
        ).encode()
    ).hexdigest()


def _tell(found: Kept, kept: Kept, watch: Watch) -> None:
    """Say where it goes on from, and what keeps the rest from being bit-equal."""
    at = kept.unfinished
    if at is not None and at.state:
        watch.notice(f"Going on at evaluation {at.evaluations:,} of {at.way}.")
    other = machine.differences(found.environment, kept.environment)
    if other:
        watch.notice(
            f"{'; '.join(other)}: the images can differ from those of an uninterrupted search."
        )
