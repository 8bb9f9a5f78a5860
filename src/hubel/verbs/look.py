"""What a network saw in pictures: one page, its drawings as PNG, and the numbers."""

import json
import os
import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import hubel
from hubel.findings import Drawing
from hubel.mistakes import Failure, Mistake, unknown
from hubel.model import Classifier
from hubel.output import Output
from hubel.pixels import Given, Picture, Unreadable
from hubel.report.filters import filters
from hubel.report.html import Onward
from hubel.report.look import Look, look_page
from hubel.understanding.saliency import last_maps, middle_maps
from hubel.verbs import machine
from hubel.verbs.load import called, loaded
from hubel.verbs.looking import PARTS, TRIALS, Choice, looked
from hubel.verbs.onward import onward
from hubel.verbs.place import near, place
from hubel.verbs.predict import named
from hubel.verbs.report import first_layer
from hubel.verbs.watch import Watch
from hubel.verbs.worst import check_own, worst

PAGE, FACTS = "look.html", "look.json"
MOST = 64  # filters of the first layer on the page


@dataclass(frozen=True)
class Looked:
    """The page and its folder; what is on it; pictures that could not be read, with the reason."""

    page: Path
    looks: tuple[Look, ...]
    unreadable: tuple[tuple[str, str], ...] = ()


@machine.undisturbed
def look(
    model: str | os.PathLike[str] | Classifier,
    images: Picture | Iterable[Picture] | None = None,
    *,
    target: str | int | None = None,
    layer: str | None = None,
    unit: int | None = None,
    square: int | None = None,
    stride: int | None = None,
    fill: str = "grey",
    trust: bool = True,
    out: str | os.PathLike[str] | None = None,
    device: str = "auto",
    threads: int | None = None,
    download: bool = False,
    watch: Watch | None = None,
) -> Looked:
    """Prediction, filters, feature maps, saliency, Grad-CAM, occlusion and the strongest units.

    images: as `predict` takes them; None: of a run its worst mistakes, the held-out pictures that
    it is surest of, and wrong. target: the class to explain, by name or number; None: the most
    probable one of each picture. layer: for Grad-CAM, units and the occlusion's activity; None: the
    last maps for Grad-CAM, and for the others those of `middle_maps`. unit: of the units' layer;
    None: the strongest. square, stride, fill: of the occlusion.
    trust: whether each map is put on trial, which takes most of the time. out: the folder for
    look.html, the PNGs and look.json, where an earlier look is replaced; None: a new one, look in
    the model's run, or here.

    Raises Mistake for a class, layer or unit that is not there, a square that does not fit, a
    network without convolutions, a folder that holds something else; Failure where no picture can
    be read, or activations are not finite.
    """
    watch = watch or Watch()
    results = place(out, near(model, "look"), FACTS, "look")
    pictures = None if images is None else list(named(images, watch))
    if pictures is None:  # before anything is fetched or loaded
        check_own(model)
    elif not pictures:
        raise Mistake("There is no picture to look at: name one or more.")
    where = machine.device(device)
    classifier = loaded(model, download=download, watch=watch)
    name = called(model)
    classifier = classifier.to(where)
    label = label_of(classifier, target)
    with machine.threads(threads), results.held() as folder:
        read: Sequence[tuple[str, Tensor]]
        unreadable: list[tuple[str, str]] = []
        if pictures is None:
            read = worst(model, classifier, device=where, watch=watch)
        else:
            read, unreadable = _read(classifier, pictures)
        read = [(title, pixels.to(where)) for title, pixels in read]
        first = read[0][1][None]
        asked = layer is not None
        units = layer or middle_maps(classifier, first)
        layer = layer or last_maps(classifier, first)
        choice = Choice(label, layer, units, unit, square, stride, fill, trust)
        looks = []
        parts, of = count(1), PARTS + (TRIALS if trust else 0)

        def on_part(title: str) -> None:
            watch.progress("look", next(parts) / of, len(read), title)

        for i, (title, pixels) in enumerate(read):
            watch.progress("look", i, len(read), title)
            done = partial(on_part, title)
            looks.append(looked(classifier, title, pixels, choice, watch, done))
        drawings = list(_of_the_network(classifier))
        facts = {
            "date": datetime.now(UTC).strftime("%Y-%m-%d"),
            "hubel": hubel.__version__,
            "torch": torch.__version__,
            "model": name,
            "layer": layer,
            "units": units,
        }
        chose = _layers(None if asked else units, layer)
        end = onward("look", model, folder.path / PAGE, layer=shlex.quote(units))
        _write(folder, looks, drawings, facts | {"chose": chose}, end)
        return Looked(folder.path / PAGE, tuple(looks), tuple(unreadable))


def _read(
    classifier: Classifier, pictures: Sequence[tuple[str, Given]]
) -> tuple[list[tuple[str, Tensor]], list[tuple[str, str]]]:
    """(those that can be read, by name; the others with the reason). Raises Failure where none."""
    read: list[tuple[str, Tensor]] = []
    unreadable: list[tuple[str, str]] = []
    for title, content in pictures:
        try:
            read.append((title, classifier.read(content, name=title)))
        except Unreadable as wrong:
            unreadable.append((title, wrong.reason))
    if not read:
        title, reason = unreadable[0]
        raise Failure(f"No picture can be read: {title}: {reason}.")
    return read, unreadable


def label_of(classifier: Classifier, target: str | int | None) -> int | None:
    """A class's number, from its name or its number."""
    if target is None:
        return None
    if isinstance(target, str) and target in classifier.classes:
        return classifier.classes.index(target)
    if isinstance(target, str) and not target.lstrip("-").isdecimal():
        raise unknown("class", target, classifier.classes)
    number = int(target)
    if not 0 <= number < len(classifier.classes):
        last = len(classifier.classes) - 1
        raise Mistake(f"There is no class {number}: they are 0 to {last}.")
    return number


def _layers(units: str | None, layer: str) -> str:
    """Whose Grad-CAM and units are shown, in words; units: their layer, None where one was asked
    for."""
    if units is None:
        return f"Grad-CAM and units are those of the layer {layer}, as was asked."
    return (
        f"Grad-CAM is of the layer {layer}, the last whose maps have several places; the units are "
        f"of the layer {units}, about two thirds of the way through, where a unit answers to parts "
        "of a picture. Choose another with --layer."
    )


def _of_the_network(classifier: Classifier) -> Iterator[Drawing]:
    layer = first_layer(classifier)
    if layer is not None:
        shown = layer.weights[:MOST]
        yield Drawing(
            "filters",
            filters(shown),
            f"{'All' if len(shown) == len(layer.weights) else 'The first'} {len(shown)} "
            f"{layer.kind} of the first layer: what each of its units looks for. Each has its own "
            "scale about mid-grey, which is 0.",
        )


def _write(
    folder: Output,
    looks: Sequence[Look],
    model: Sequence[Drawing],
    facts: dict[str, Any],
    end: Onward,
) -> None:
    page = look_page(looks, model, facts=facts, onward=end)
    told = facts | {"pictures": [look.as_json() for look in looks]}
    files = {f"{drawing.name}.png": drawing.png for drawing in model}
    for i, each in enumerate(looks, 1):
        files |= {f"{i}-{drawing.name}.png": drawing.png for drawing in each.drawings}
    files |= {PAGE: page.encode(), FACTS: (json.dumps(told, indent=2) + "\n").encode()}
    folder.write_all(files)
    folder.finish()
