"""A sheet that shows every change to training pictures beside the picture that it changes."""

import os
from pathlib import Path

import numpy as np
import torch

from hubel import atomic
from hubel.data.augment.colour import principal
from hubel.data.augment.compose import EFFECTS, augmentation
from hubel.data.augment.mixing import cutmix, mixup
from hubel.data.samples import Samples
from hubel.data.sources import open_splits
from hubel.mistakes import Failure
from hubel.pixels import Pixels, PixelSpec, Unreadable, fit
from hubel.report.sheet import contact_sheet

VARIANTS = 5
MOST = 24  # different pictures on the sheet


def augment_sheet(
    data: str | os.PathLike[str], *, sheet: Path, side: int = 128, seed: int = 0
) -> Path:
    """Write a PNG: a row for each effect, its picture as it is and VARIANTS draws of the change.

    data: a data set or a folder, of whose training pictures some are shown, at most `side` pixels
    a side. The strengths are chosen to be seen, and are larger than one would train with.
    """
    pictures = _some(open_splits(os.fspath(data)).train, side)
    shown: list[Pixels] = []
    captions: list[str] = []
    rows = [(name, effect.what, partial(_one, name, side)) for name, effect in EFFECTS.items()]
    rows += [(name, what, mix) for name, (what, mix) in MIXED.items()]
    for row, (name, what, change) in enumerate(rows):
        picture = pictures[row % len(pictures)]
        # mixing takes the neighbour's share: the pictures that follow
        others = [pictures[(row + k) % len(pictures)] for k in range(VARIANTS)]
        changed = change(picture, others, drawn(np.arange(VARIANTS), seed, row))
        shown += [picture, *changed]
        captions += [f"{name}\n{what}", *[""] * VARIANTS]
    return atomic.write(sheet, contact_sheet(shown, captions, columns=VARIANTS + 1))


def _some(samples: Samples, side: int) -> list[Pixels]:
    """Pictures spread over the classes, of one size."""
    height, width = (samples.image_shape or (side, side))[:2]
    spec = PixelSpec((min(height, side), min(width, side)), channels=3)
    found: list[Pixels] = []
    for i in np.unique(np.linspace(0, len(samples) - 1, MOST).astype(int)).tolist():
        try:
            image = samples.image(i)
        except Unreadable:
            continue
        found.append(fit(np.repeat(image, 3, 2) if image.shape[2] == 1 else image, spec))
    if not found:
        raise Failure("No training picture can be read: there is nothing to show.")
    return found


def _one(name: str, side: int, picture: Pixels, _: Sequence[Pixels], draw: Draw) -> list[Pixels]:
    """Several draws of one effect, on one picture."""
    effect = EFFECTS[name]
    strength = effect.shown * (side / 224 if "pixels" in effect.unit else 1)
    pixels = _pixels([picture]).expand(VARIANTS, -1, -1, -1)
    axes = principal(picture[None].transpose(0, 3, 1, 2))
    return _pictures(applied([(effect, strength)], pixels, draw, axes))


def _mixed(way: Way, picture: Pixels, others: Sequence[Pixels], draw: Draw) -> list[Pixels]:
    """One picture with each of the others."""
    pairs = _pixels([image for other in others for image in (other, picture)])
    mixed, _ = way(pairs, torch.zeros(len(pairs), dtype=torch.long), _twice(draw), alpha=1, classes=1)
    return _pictures(mixed[1::2])
