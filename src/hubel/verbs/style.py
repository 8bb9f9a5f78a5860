"""One picture in the style of another: a picture for each style weight, side by side, curves."""

import hashlib
import json
import math
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import torch

import hubel
from hubel import pixels as px
from hubel.mistakes import Mistake, unknown
from hubel.model import Classifier
from hubel.pixels import MOST_SIDE, Picture, Pixels
from hubel.tensors import pack
from hubel.understanding.style import Layers
from hubel.understanding.style_layers import chosen
from hubel.understanding.style_starts import STARTS
from hubel.verbs import machine, style_state
from hubel.verbs.interrupt import interruptible
from hubel.verbs.load import loaded
from hubel.verbs.onward import onward, spelled
from hubel.verbs.place import place
from hubel.verbs.style_state import STATE, Kept, Painting
from hubel.verbs.styling import FACTS, GRID, PAGE, Painted, Work
from hubel.verbs.watch import Watch

LEAST_SIDE = 16
Weighted = Mapping[str, float] | Sequence[str]  # layers, with or without their weights


@dataclass(frozen=True)
class Styled:
    """What was written. chose: how the layers came about. stopped: whether some is missing."""

    folder: Path
    layers: Layers
    chose: str
    pictures: tuple[Painted, ...]
    stopped: bool = False

    @property
    def page(self) -> Path:
        return self.folder / PAGE

    @property
    def grid(self) -> Path:
        return self.folder / GRID

    def as_json(self) -> dict[str, Any]:
        return {
            "page": str(self.page),
            "content_layers": dict(self.layers.content),
            "style_layers": dict(self.layers.style),
            "chose": self.chose,
            "stopped": self.stopped,
            "pictures": [each.as_json() for each in self.pictures],
        }


@machine.undisturbed
def style(
    content: Picture,
    style: Picture,
    *,
    network: str | os.PathLike[str] | Classifier = "efficientnet-lite0",
    style_weights: Sequence[float] = (1.0, 10.0, 100.0),
    content_layers: Weighted | None = None,
    style_layers: Weighted | None = None,
    size: int = 224,
    steps: int = 200,
    start: str = "content",
    variation_weight: float = 20.0,
    seed: int = 0,
    out: str | os.PathLike[str] | None = None,
    resume: bool = False,
    device: str = "auto",
    threads: int | None = None,
    download: bool = False,
    watch: Watch | None = None,
) -> Styled:
    """Content of one picture, style of another (Gatys et al. 2016), for each of the style weights.

    content, style: as `predict` takes one. network: with convolutions: a run, a model folder, a
    network's name, or a Classifier. style_weights: against the content's weight of 1.
    content_layers, style_layers: names, all alike or with weights, which are relative; None: a row
    of `understanding.style.LAYERS`, else the last maps of each resolution. size: of both pictures'
    longer side. start: a row of STARTS. out: the folder for a PNG of each weight, style.html,
    grid.png, curves.png, style.json and state.safetensors, where an earlier transfer is replaced;
    None: a new one, style, style-2, … here.

    Both pictures keep their aspect ratio, whatever the network was trained on: nothing is cut off
    or squashed, since only convolutions are run and these take any size; the style's statistics
    are means, so that its shape need not be the content's.
    The first Ctrl-C ends it after a step, and what there is is written. Asked again for the same,
    it goes on, bit-equal on the same machine; resume: the last one goes on, also where it was
    finished, for more steps (from the pictures, with an empty memory of L-BFGS) or more weights.
    Raises Mistake for layers that are not there, other settings than those of what is gone on with,
    a network without convolutions, a folder that holds something else; Failure for pictures that
    cannot be read.
    """
    watch = watch or Watch()
    machine.demand_float32()
    weights = _weights(style_weights)
    _check(start, size, steps)
    results = place(out, Path("style"), FACTS, "style transfer")
    for picture in (content, style):  # before anything is fetched or loaded
        _check_there(picture)
    where = machine.device(device)
    classifier = loaded(network, download=download, watch=watch).to(where)
    named = {
        "content": _name(content, "content"),
        "style": _name(style, "style"),
        "network": Path(_name(network, "the network")).name,
    }
    with machine.threads(threads):
        pictures = (
            _read(classifier, content, size, named["content"]),
            _read(classifier, style, size, named["style"]),
        )
        layers, chose = _layers(classifier, content_layers, style_layers)
        settings = _settings(classifier, pictures, layers) | {
            "start": start, "seed": seed, "variation weight": variation_weight,
        }  # fmt: skip
        asked = Kept(settings, machine.environment(where), steps, [Painting(w) for w in weights])
        facts = _facts(where) | named | {"chose": chose}
        same = partial(style_state.is_same, asked=asked, resume=resume)
        with results.held(same) as folder, interruptible() as request:
            found = style_state.read(folder.path / STATE)
            kept, goes_on = style_state.going_on(found, asked, folder.path, resume=resume)
            if found is not None and goes_on:
                _tell(found, kept, watch)
            end = onward("style", content=_word(content), style=_word(style))
            work = Work(folder, classifier, pictures, layers, kept, facts, end, fresh=not goes_on)
            for painting in kept.paintings:
                if not painting.done(steps) and not request.made:
                    work.paint(painting, request, watch)
            if kept.unfinished:
                watch.notice("Stopping: what there is is being written.")
            made = work.show()
    return Styled(folder.path, layers, chose, made, kept.unfinished is not None)


def _check(start: str, size: int, steps: int) -> None:
    if start not in STARTS:
        raise unknown("start", start, STARTS)
    if not LEAST_SIDE <= size <= MOST_SIDE:
        raise Mistake(f"--size is from {LEAST_SIDE} to {MOST_SIDE} pixels, not {size}.")
    if steps < 1:
        raise Mistake(f"--steps is 1 or more, not {steps}.")


def _weights(weights: Sequence[float]) -> list[float]:
    if not weights:
        raise Mistake("Give at least one style weight.")
    wrong = [weight for weight in weights if not 0 <= weight < math.inf]
    if wrong:
        raise Mistake(f"A style weight is 0 or more, and finite, not {wrong[0]}.")
    name, times = Counter(f"{weight:g}" for weight in weights).most_common(1)[0]
    if times > 1:
        raise Mistake(f"Style weights must differ; found {times} times: {name}.")
    return [float(weight) for weight in weights]


def _name(given: object, otherwise: str) -> str:
    return px.written(given) if isinstance(given, str | os.PathLike) else otherwise


def _word(picture: Picture) -> str | None:
    """A picture that lies in a file, as commands name it."""
    return spelled(picture) if isinstance(picture, str | os.PathLike) else None


def _check_there(picture: Picture) -> None:
    if isinstance(picture, str | os.PathLike) and not Path(picture).is_file():
        px.decode(picture)  # which says what is there instead


def _read(classifier: Classifier, picture: Picture, size: int, name: str) -> Pixels:
    """uint8 (H, W, C), the longer side of that size, as the network's channels are."""
    spec = classifier.pixels
    array = px.decode(picture, channels=spec.channels, background=spec.background, name=name)
    scale = size / max(array.shape[:2])
    height, width = (max(1, round(side * scale)) for side in array.shape[:2])
    return px.fit(array, replace(spec, size=(height, width), resize="squash"))


def _layers(
    classifier: Classifier, content: Weighted | None, style: Weighted | None
) -> tuple[Layers, str]:
    """The layers and how they came about."""
    if content is not None and style is not None:
        return Layers(_shares(content), _shares(style)), "as asked"
    spec = classifier.pixels
    layers, why = chosen(classifier, spec.size, channels=spec.channels)
    if content is not None:
        return Layers(_shares(content), layers.style), f"content as asked, style {why}"
    if style is not None:
        return Layers(layers.content, _shares(style)), f"style as asked, content {why}"
    return layers, why


def _shares(layers: Weighted) -> dict[str, float]:
    """Weights that sum to 1."""
    given = dict(layers) if isinstance(layers, Mapping) else dict.fromkeys(layers, 1.0)
    wrong = next((weight for weight in given.values() if not 0 <= weight < math.inf), None)
    if wrong is not None:
        raise Mistake(f"A layer's weight is 0 or more, and finite, not {wrong}.")
    total = sum(given.values())
    if not total > 0:
        raise Mistake("Name at least one layer with a weight above 0.")
    return {name: weight / total for name, weight in given.items()}


def _settings(
    classifier: Classifier, pictures: tuple[Pixels, Pixels], layers: Layers
) -> dict[str, Any]:
    """All that the pictures follow from, but the start."""
    spec = classifier.pixels
    network = pack(classifier.network.state_dict()) + json.dumps([spec.mean, spec.std]).encode()
    content, style = pictures
    return {
        "content": hashlib.sha256(content.tobytes()).hexdigest(),
        "style": hashlib.sha256(style.tobytes()).hexdigest(),
        "network": hashlib.sha256(network).hexdigest(),
        "size": [content.shape[1], content.shape[0]],
        "style size": [style.shape[1], style.shape[0]],
        "content layers": dict(layers.content),
        "style layers": dict(layers.style),
    }


def _facts(where: torch.device) -> dict[str, Any]:
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "hubel": hubel.__version__,
        "environment": machine.environment(where),
    }


def _tell(found: Kept, kept: Kept, watch: Watch) -> None:
    """Say where it goes on from, and what keeps the rest from being bit-equal."""
    at = next((each for each in kept.paintings if not each.done(kept.steps)), None)
    if at is not None and at.begun:
        watch.notice(f"Going on at step {at.steps} of style weight {at.weight:g}.")
    other = machine.differences(found.environment, kept.environment)
    if other:
        watch.notice(
            f"{'; '.join(other)}: the pictures can differ a little from uninterrupted ones."
        )
