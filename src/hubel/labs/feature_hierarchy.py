"""From layer 1 to 5: what units answer to, in their nine best pictures and to an edge.

Zeiler & Fergus 2014 (section 4, figure 2) show the nine strongest patches of some maps with their
projections, and read off them: edges and colours, corners, textures, parts, objects. The pictures
are drawn here too; but what they show lies with who looks, so that each step is measured as well.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import fisher_exact
from torch import Tensor

from hubel import draws
from hubel.figures import percent
from hubel.labs.answering import BATCH, Answers, answering, answers_to
from hubel.labs.examined import Subject, examined
from hubel.labs.lab import Drawing, Finding, Setting, Shown
from hubel.labs.nine import NINE, nine
from hubel.labs.stimuli import shuffled, stimuli
from hubel.labs.tuning import alike, better, kept, more_alike, named, tuned
from hubel.report.hierarchy import Panel, by_layer
from hubel.understanding.outputs import handed_on
from hubel.understanding.patches import Strongest, strongest

TILES = 8  # along the side of a picture that is shuffled


@dataclass(frozen=True)
class Layer:
    """What was measured of a layer: the pixels it sees along a side, its units, shares of them or
    of pictures, and of selectivity and what is kept the median."""

    name: str
    sees: int
    units: int
    straight: float
    corners: float
    selectivity: float
    kept: float
    alike: float
    named: float


class Measured(NamedTuple):
    """By layer; of each the nine pictures of its units, (U, 9), and which pictures are named."""

    layers: list[Layer]
    tops: list[NDArray[np.int64]]
    right: list[NDArray[np.bool_]]


def feature_hierarchy(setting: Setting) -> Shown:
    """Top patches, edges and corners, shuffled pictures and a linear probe, for five layers."""
    subject = examined(setting)
    natural, top = _natural(subject, setting)
    measured = _measure(subject, natural, setting)
    layers = measured.layers
    (_, chance), p_alike = more_alike(
        (measured.tops[0], measured.tops[-1]), subject.labels, seed=setting.seed,
        draws=setting.pick(200, 2000, 10000),
    )  # fmt: skip
    by_chance = {
        "alike": float(chance.mean()),
        "named": float(np.bincount(subject.labels).max() / len(subject.labels)),
    }
    fields = {each.name: each.field for each in handed_on(subject.classifier, _grey(subject))}
    drawings = []
    for n, layer in enumerate(layers, 1):
        name = layer.name
        drawings.append(nine(n, name, subject, natural[name].strongest, top[name], fields[name]))
        setting.watch.progress("drawings", n, len(layers))
    return Shown(
        findings=(_finding(measured, p_alike, by_chance, subject),),
        drawings=(*drawings, _summary(layers, by_chance, subject)),
        numbers={
            "layers": [asdict(each) for each in layers],
            "by_chance": by_chance,
            "p_alike": p_alike,
            "network": subject.network,
            "pictures": subject.what,
        },
        lines=(f"Examined: {subject.network}, on {subject.what}.", *map(_line, layers)),
    )


def _line(layer: Layer) -> str:
    return (
        f"{layer.name} sees {layer.sees} pixels: an edge or grating is enough for "
        f"{percent(layer.straight, 0)} of {layer.units} units, {percent(layer.corners, 0)} prefer "
        f"a corner; selectivity {layer.selectivity:.2f}; shuffled pictures keep "
        f"{percent(layer.kept, 0)}; {percent(layer.alike, 0)} of pairs among nine of one class; "
        f"{percent(layer.named, 0)} named."
    )


def _grey(subject: Subject) -> Tensor:
    return torch.full((1, *subject.images.shape[1:]), 0.5)


def _natural(subject: Subject, setting: Setting) -> tuple[dict[str, Answers], Strongest]:
    """The answers to the pictures, and the patches that are answered most."""
    n = len(subject.images)

    def batches() -> Iterator[tuple[range, Tensor]]:
        for start in range(0, n, BATCH):
            part = subject.images[start : start + BATCH].float() / 255
            yield range(start, start + len(part)), part

    with answering(subject.classifier, subject.layers) as answers:
        for top in strongest(subject.classifier, batches(), subject.layers, k=NINE):
            setting.watch.progress("pictures", top.seen, n)
    return answers(), top


def _measure(subject: Subject, natural: dict[str, Answers], setting: Setting) -> Measured:
    side, n = subject.images.shape[-1], len(subject.images)
    network, names = subject.classifier, subject.layers
    shown = list(stimuli(side, setting.pick(4, 12, 24)))
    pixels = [*(each.pixels for each in shown), _grey(subject)[0]]
    to_stimuli = answers_to(
        network, names, pixels, middle=True,
        progress=lambda done: setting.watch.progress("stimuli", done, len(pixels)),
    )  # fmt: skip
    generator = torch.Generator().manual_seed(draws.integer(setting.seed, "hierarchy"))
    mixed = (shuffled(each.float() / 255, side // TILES, generator) for each in subject.images)
    after = answers_to(
        network, names, mixed,
        progress=lambda done: setting.watch.progress("shuffled pictures", done, n),
    )  # fmt: skip
    fields = {each.name: each.field for each in handed_on(network, _grey(subject))}
    measured = Measured([], [], [])
    for name in names:
        answers, field = natural[name].strongest, fields[name]
        *stimulated, blank = to_stimuli[name].strongest
        best = np.sort(answers, 0)[-NINE:].mean(0) - blank
        units = tuned(shown, (np.stack(stimulated) - blank).clip(min=0), best)
        top = np.argsort(-answers, 0, kind="stable")[:NINE].T
        right = named(natural[name].mean, subject.labels, seed=setting.seed)
        measured.tops.append(top)
        measured.right.append(right)
        measured.layers.append(
            Layer(
                name,
                side if field is None else field.height.size,
                answers.shape[1],
                straight=float(units.straight.mean()),
                corners=float(units.corners.mean()),
                selectivity=float(np.median(units.selectivity)),
                kept=float(np.nanmedian(kept(answers, after[name].strongest, NINE))),
                alike=float(alike(subject.labels[top]).mean()),
                named=float(right.mean()),
            )
        )
    return measured


def _finding(
    measured: Measured, p_alike: float, by_chance: dict[str, float], subject: Subject
) -> Finding:
    first, last = measured.layers[0], measured.layers[-1]
    enough = [round(each.straight * each.units) for each in (first, last)]
    table = [[hits, each.units - hits] for hits, each in zip(enough, (first, last), strict=True)]
    p_edges = float(fisher_exact(table, alternative="greater").pvalue)
    p_named = better(measured.right[0], measured.right[-1])

    def row(name: str) -> str:
        return ", ".join(percent(getattr(each, name), 0) for each in measured.layers)

    marks = {
        "that an edge or a grating is enough for most units of layer 1, and for fewer of layer 5":
            first.straight > 0.5 and p_edges < 0.01,
        "that layer 5 keeps less of a shuffled picture": first.kept > last.kept,
        "that layer 5 names more pictures": p_named < 0.01,
        "that the nine are more often of one class in layer 5": p_alike < 0.01,
    }  # fmt: skip
    missing = "; ".join(mark for mark, found in marks.items() if not found)
    return Finding(
        "L45",
        f"From layer 1 to 5: an edge or a grating is enough for {row('straight')} of the units "
        f"(p = {p_edges:.1g}), {row('corners')} prefer a corner; pictures shuffled in {TILES}×"
        f"{TILES} tiles keep {row('kept')} of the answer; a linear probe names {row('named')} "
        f"(the most frequent class {percent(by_chance['named'], 0)}; p = {p_named:.1g}); of the "
        f"pairs among a unit's nine pictures {row('alike')} are of one class (by chance "
        f"{percent(by_chance['alike'], 0)}; p = {p_alike:.1g})."
        + (f" Not found: {missing}." if missing else ""),
        not missing,
        f"{subject.network}, {', '.join(str(each.units) for each in measured.layers)} units, "
        f"{subject.what}",
        "p: layer 5 against layer 1 (units by Fisher's test, named pictures by McNemar's, pairs by "
        "permuted labels)",
    )


def _summary(layers: list[Layer], by_chance: dict[str, float], subject: Subject) -> Drawing:
    def curve(name: str) -> list[float]:
        return [float(getattr(each, name)) for each in layers]

    shown = (
        Panel(
            "share of units",
            {
                "an edge or a grating is enough": curve("straight"),
                "a corner is preferred": curve("corners"),
            },
        ),
        Panel("shuffled pictures", {"share of the answer that is kept": curve("kept")}),
        Panel(
            "classes",
            {
                "pictures named by a linear probe": curve("named"),
                "pairs among nine of one class": curve("alike"),
            },
            (by_chance["named"], by_chance["alike"]),
        ),
    )
    names = [f"layer {n}\n{each.sees} px" for n, each in enumerate(layers, 1)]
    return Drawing(
        "by-layer",
        by_layer(names, shown),
        "By layer, with the pixels along a side that a unit sees: what is enough for its units, "
        "what they keep of the answer to their best pictures when those are shuffled in tiles, and "
        f"what tells the classes (dashed: by chance). {subject.network}, {subject.what}.",
    )
