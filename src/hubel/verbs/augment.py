"""A sheet that shows every change to training pictures beside the picture that it changes."""

import json
import os
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from hubel.data.augment.colour import principal
from hubel.data.augment.compose import EFFECTS, Augmentation, augmentation
from hubel.data.augment.mixing import mixing
from hubel.data.samples import Samples
from hubel.data.sources import open_undivided
from hubel.mistakes import Failure
from hubel.pixels import Pixels, PixelSpec, Unreadable, fit
from hubel.report.sheet import contact_sheet
from hubel.verbs.place import place
from hubel.verbs.stylised import stylised

SHEET, FACTS = "augmentation.png", "augmentation.json"
SIDE = 128  # pixels of a picture on the sheet, at most
VARIANTS = 6  # draws of each change
MOST = 32  # different pictures on the sheet
# "pixels" among the units of EFFECTS are meant on pictures of this side
USUAL_SIDE = 224
MIXED = {
    "mixup": ("two pictures mixed", mixing(mixup=1.0, classes=1)),
    "cutmix": ("a box from another picture", mixing(cutmix=1.0, classes=1)),
}


def augment_sheet(
    data: str | os.PathLike[str], *, out: str | os.PathLike[str] | None = None, seed: int = 0
) -> Path:
    """Write augmentation.png: a row for each effect, a picture and then draws of the change.

    data: a data set or a folder, of whose training pictures some are shown. out: the folder to
    write into, where an earlier sheet is replaced; None: a new one, <name>-augmentation. The
    strengths are chosen to be seen, and are larger than one would train with.
    """
    usual = Path(f"{Path(data).resolve().name}-augmentation")
    results = place(out, usual, FACTS, "sheet of augmentations", data=data)
    parts, _ = open_undivided(os.fspath(data))
    pictures = _some(next(part for part in parts.values() if len(part)))
    axes = principal(pictures.mul(255).byte().numpy())
    shown: list[Pixels] = []
    headings: list[str] = []
    for row, (name, effect) in enumerate(EFFECTS.items()):
        strength = effect.shown
        if "pixels" in effect.unit:
            strength *= min(pictures.shape[2:]) / USUAL_SIDE
        shown += _row(pictures, row, augmentation({name: strength}, axes=axes), seed)
        headings.append(f"{name}: {effect.what}")
    shown += _row(pictures, len(headings), stylised(1.0), seed)
    headings.append("stylised: the shape, with the surface of a photograph")
    for row, (name, (what, mix)) in enumerate(MIXED.items(), len(headings)):
        # a picture in turn with each of those that follow: mixing takes the neighbour's share
        order = torch.tensor([[row + k, row] for k in range(1, VARIANTS + 1)]).flatten()
        pairs = pictures[order % len(pictures)]
        labels = torch.zeros(len(pairs), dtype=torch.long)
        mixed = mix(pairs, labels, np.arange(len(pairs)), seed, row)[0] if mix else pairs
        shown += _uint8(torch.cat((pairs[1:2], mixed[1::2])))
        headings.append(f"{name}: {what}")
    sheet = contact_sheet(shown, columns=VARIANTS + 1, headings=headings)
    facts = json.dumps({"seed": seed, "shown": headings}, ensure_ascii=False, indent=2) + "\n"
    with results.held() as folder:
        folder.write_all({SHEET: sheet, FACTS: facts})
        folder.finish()
        return folder.path / SHEET


def _row(pictures: Tensor, row: int, change: Augmentation | None, seed: int) -> list[Pixels]:
    """A picture as it is, and some draws of the change."""
    picture = pictures[row % len(pictures)]
    again = picture.expand(VARIANTS, -1, -1, -1)
    drawn = change(again, np.arange(VARIANTS), seed, row) if change else again
    return _uint8(torch.cat((picture[None], drawn)))


def _some(samples: Samples) -> Tensor:
    """Pictures spread over the classes, in colour and of one size: float (n, 3, h, w)."""
    height, width = (samples.image_shape or (SIDE, SIDE))[:2]
    spec = PixelSpec((min(height, SIDE), min(width, SIDE)), channels=3)
    found: list[Pixels] = []
    # one from the middle of each stretch: the first of a folder is often an odd one
    places = np.unique((np.linspace(0, len(samples), MOST, endpoint=False)).astype(int))
    for i in places.tolist():
        try:
            image = samples.image(i)
        except Unreadable:
            continue
        found.append(fit(np.repeat(image, 3, 2) if image.shape[2] == 1 else image, spec))
    if not found:
        raise Failure("No training picture could be read: there is nothing to show.")
    return torch.from_numpy(np.stack(found)).permute(0, 3, 1, 2).float() / 255


def _uint8(pixels: Tensor) -> list[Pixels]:
    return list(pixels.mul(255).round().byte().permute(0, 2, 3, 1).numpy())
