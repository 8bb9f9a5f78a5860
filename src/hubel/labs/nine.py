"""The picture of a layer: some of its units, their nine best patches, and the projections."""

import numpy as np
import torch
from numpy.typing import NDArray

from hubel.basics.receptive_field import Field
from hubel.figures import percent
from hubel.labs.examined import Subject
from hubel.labs.lab import Drawing
from hubel.report.hierarchy import Answering, top_nine
from hubel.understanding.crops import HELD, Box, crop, held, seen
from hubel.understanding.deconvnet import project
from hubel.understanding.patches import TopPatches

NINE = 9
DRAWN, SHARED = 6, 3  # units of a layer; how many of its nine one may share with those before it
INSIDE = 0.9  # of the patches of a unit that is drawn, at least, lies in the pictures
RULE = "guided"  # deconvnets' pictures of linear bottlenecks are poor


def nine(
    n: int,
    name: str,
    subject: Subject,
    answers: NDArray[np.float64],
    top: TopPatches,
    field: Field | None,
) -> Drawing:
    """Layer n, called `name`: the units that stand out most, by their answers (N, U)."""
    side = subject.images.shape[-1]
    boxes = [_boxes(top, unit, field, side) for unit in range(answers.shape[1])]
    within = np.array([_within(each, side) for each in boxes])
    found = [
        (unit, *_cut(unit, name, subject, top, boxes[unit])) for unit in chosen(answers, within)
    ]
    whole = found[0][1].shape[1]
    box = Box(0, 0, whole, whole)
    if whole < side:
        box = held(np.concatenate([each[2] for each in found]))
    here = slice(box.top, box.bottom), slice(box.left, box.right)
    units = [
        Answering(
            f"unit {unit}",
            _classes(subject, top, unit),
            patches[:, *here],
            projections[:, *here],
        )
        for unit, patches, projections in found
    ]
    sees = "sees the whole picture" if whole >= side else f"sees {whole}×{whole} pixels"
    wide = box.right - box.left
    shown = f", of which {wide}×{wide} are shown" if wide < whole else ""
    how = "guided backpropagation" if RULE == "guided" else f"the rule {RULE}"
    return Drawing(
        f"layer-{n}",
        top_nine(f"Layer {n}: {name}, {sees}{shown}", units),
        f"Layer {n} ({name}): of each unit the nine best patches, and to the right what in them it "
        f"answered to, by {how}. Drawn are the {DRAWN} units whose ninth best picture stands out "
        "most; passed over were those that look beyond the border, or at the same pictures. "
        f"Shown is what holds {percent(HELD, 0)} of the squares of the projections.",
    )


def chosen(
    answers: NDArray[np.float64], within: NDArray[np.float64] | None = None, k: int = NINE
) -> list[int]:
    """The units to draw, by answers (N, U): those whose k-th best picture stands out most.

    In deviations among all pictures. While there are others, one is passed over that shares more
    than SHARED of its k pictures with those before it, or whose patches lie `within` the pictures,
    (U,), for less than INSIDE.
    """
    order = np.argsort(-answers, 0, kind="stable")[:k]
    last = np.take_along_axis(answers, order[-1:], 0)[0]
    deviation = answers.std(0)
    apart = (last - answers.mean(0)) / np.where(deviation > 0, deviation, np.inf)
    ranked = np.argsort(-apart, kind="stable").tolist()
    found: list[int] = []
    pictures: set[int] = set()
    for unit in ranked:
        own = set(order[:, unit].tolist())
        inside = within is None or within[unit] >= INSIDE
        if inside and len(found) < DRAWN and len(own & pictures) <= SHARED:
            found.append(unit)
            pictures |= own
    return (found + [unit for unit in ranked if unit not in found])[:DRAWN]


def _boxes(top: TopPatches, unit: int, field: Field | None, side: int) -> list[Box]:
    if field is None:
        return [Box(0, 0, side, side)] * top.pictures.shape[1]
    places = zip(top.rows[unit].tolist(), top.columns[unit].tolist(), strict=True)
    return [seen(field, *place, (side, side)) for place in places]


def _within(boxes: list[Box], side: int) -> float:
    """The share of the boxes that lies in the picture."""
    shares = [
        max(min(box.bottom, side) - max(box.top, 0), 0)
        * max(min(box.right, side) - max(box.left, 0), 0)
        / ((box.bottom - box.top) * (box.right - box.left))
        for box in boxes
    ]
    return float(np.mean(shares))


def _cut(
    unit: int, name: str, subject: Subject, top: TopPatches, boxes: list[Box]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What the unit saw of its nine pictures, and the projections, (9, h, w, C) each."""
    pixels = subject.images[top.pictures[unit]].float() / 255
    places = list(zip(top.rows[unit].tolist(), top.columns[unit].tolist(), strict=True))
    found = project(subject.classifier, pixels, name, unit, places=places, rule=RULE)
    patches, projections = (
        torch.stack([crop(*each, beyond) for each in zip(images, boxes, strict=True)])
        .permute(0, 2, 3, 1)
        .numpy()
        for images, beyond in ((pixels, 0.5), (found.pixels, 0.0))
    )
    return patches, projections


def _classes(subject: Subject, top: TopPatches, unit: int) -> str:
    """What the nine show, the most frequent first."""
    labels = subject.labels[top.pictures[unit].numpy()]
    counts = np.bincount(labels, minlength=len(subject.classes))
    order = [int(i) for i in np.argsort(-counts, kind="stable") if counts[i]]
    named = order if len(order) <= 3 else order[:2]
    said = [f"{counts[i]} {subject.classes[i]}" for i in named]
    if others := sum(int(counts[i]) for i in order[len(named) :]):
        said.append(f"{others} others")
    return ", ".join(said)
