"""Ready-made cue-conflict images: a folder whose file names say which shape and which texture.

As those of Geirhos et al. 2019 are called (github.com/rgeirhos/texture-vs-shape, stimuli): in
airplane/airplane1-bicycle2.png the first airplane has the texture of the second bicycle.
"""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hubel import draws
from hubel.breaking import shape_bias as figures
from hubel.breaking.shape_bias import PUBLISHED, RESAMPLES, SHAPE, TEXTURE, Trial
from hubel.data.listing import listed
from hubel.data.samples import Files
from hubel.figures import percent
from hubel.findings import Drawing
from hubel.mistakes import Mistake
from hubel.model import Classifier
from hubel.pixels import Pixels
from hubel.report.shape import Shape, TrialRow, bias_figure
from hubel.report.sheet import contact_sheet
from hubel.verbs.labelled import class_folder
from hubel.verbs.prepare import decode
from hubel.verbs.shape_report import bias_row
from hubel.verbs.shape_sources import Namer, namer
from hubel.verbs.shape_words import why_none
from hubel.verbs.watch import Watch

NAME = re.compile(r"(?P<first>\D+)\d+-(?P<second>\D+)\d+")  # of a file, without its ending
SHOWN = 24  # images on the page


@dataclass(frozen=True)
class Stimuli:
    """Images by the name of the file, and the classes of what each was made from.

    shapes, textures: (class, picture) of each, as ("airplane", "airplane1"). others: pictures of
    the folder that are called otherwise. order: which part of a name is the shape, in words.
    """

    what: str
    paths: tuple[Path, ...]
    shapes: tuple[tuple[str, str], ...]
    textures: tuple[tuple[str, str], ...]
    others: tuple[str, ...]
    order: str

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(sorted({name for name, _ in (*self.shapes, *self.textures)}))


def stimuli(data: str | os.PathLike[str] | None) -> Stimuli | None:
    """The images of a folder of which more than half are called so; None of anything else.

    The shape comes first, unless the folders that the images lie in are called as the second parts.
    """
    if data is None or not os.path.isdir(data):
        return None
    root = Path(data)
    pictures = [path.relative_to(root) for path in listed(root).pictures]
    named = [(path, found) for path in pictures if (found := NAME.fullmatch(path.stem))]
    if 2 * len(named) <= len(pictures):
        return None
    first = [(found["first"], path.stem.partition("-")[0]) for path, found in named]
    second = [(found["second"], path.stem.partition("-")[2]) for path, found in named]
    folders = [path.parent.name for path, _ in named]
    turned = folders == [name for name, _ in second] != [name for name, _ in first]
    order = "the second part of a name is the shape, as the folders are called" if turned else (
        "the first part of a name is the shape, the second the texture"
    )  # fmt: skip
    others = tuple(str(path) for path in pictures if not NAME.fullmatch(path.stem))
    shapes, textures = (second, first) if turned else (first, second)
    paths = tuple(root / path for path, _ in named)
    return Stimuli(root.resolve().name, paths, tuple(shapes), tuple(textures), others, order)


def known(found: Stimuli | None, classifier: Classifier, where: torch.device) -> Namer | None:
    """How the classifier names these images; None where it knows none of their classes: then the
    folder holds something else."""
    if found is None:
        return None
    try:
        return namer(classifier, found.classes, where)
    except Mistake:
        if not set(found.classes) & set(map(class_folder, classifier.classes)):
            return None
        raise


def measured(
    found: Stimuli, ours: Namer, *, most: int | None, seed: int, workers: int, watch: Watch
) -> tuple[Shape, dict[str, Any]]:
    """What stands on the page, and what is to be said of how it was found.

    most: of the images, drawn by the seed; None: all. Images whose two classes are one are left
    out, as in the paper.
    """
    pairs = list(zip(found.shapes, found.textures, strict=True))
    at_odds = [i for i, (shape, texture) in enumerate(pairs) if shape[0] != texture[0]]
    chosen = at_odds if most is None else [
        at_odds[k] for k in np.sort(draws.order(seed, 0, len(at_odds), "stimuli")[:most])
    ]  # fmt: skip
    if not chosen:
        raise Mistake("Shape and texture of each of these images are of one class: no conflict.")
    names = [str(path) for path in found.paths]
    samples = Files(
        paths=[found.paths[i] for i in chosen],
        labels=np.array([found.classes.index(pairs[i][0][0]) for i in chosen]),
        classes=found.classes,
        names=[names[i] for i in chosen],
    )
    loaded = decode(samples, ours.classifier.pixels, "stimuli", workers=workers, watch=watch)
    answers = ours.probabilities(loaded.images)
    sure, decided = answers.max(1)
    kept = [chosen[i] for i in loaded.kept.tolist()]
    trials = [
        # a picture that lends its shape is not the one of that number that lends its texture
        Trial(f"{pairs[i][0][1]}, as a shape", f"{pairs[i][1][1]}, as a texture",
              pairs[i][0][0], pairs[i][1][0], class_folder(ours.classes[k]))
        for i, k in zip(kept, decided.tolist(), strict=True)
    ]  # fmt: skip
    bias, by_class = figures.shape_bias(trials, seed=seed)
    overall = bias_row("all images", bias)
    classes = [bias_row(name, by_class[name]) for name in sorted(by_class)]
    rows = [
        TrialRow(found.paths[i].name, t.shape, t.texture, t.shape_class, t.texture_class,
                 t.decision, p, t.cue)
        for i, t, p in zip(kept, trials, sure.tolist(), strict=True)
    ]  # fmt: skip
    out = set(range(len(pairs))) - set(at_odds)
    passed = [(names[i], "its shape and its texture are of one class") for i in sorted(out)]
    passed += [(name, "it is not called after a shape and a texture") for name in found.others]
    drawn = [_examples([np.ascontiguousarray(image.transpose(1, 2, 0)) for image in loaded.images],
                       rows)]  # fmt: skip
    if bias.value is not None:
        caption = (
            "Shape bias by the class of the shape, with 95 % intervals, and of all images together "
            "(dashed). Open: as published (Geirhos et al. 2019)."
        )
        drawn.append(Drawing("bias", bias_figure(overall, classes, PUBLISHED), caption))
    notes = [f"The images are ready-made: {found.order}."]
    if found.others:
        notes.append(f"{len(found.others)} pictures are called otherwise and left out.")
    told = Shape([], overall, classes, rows, passed, PUBLISHED, notes,
                 why_none(overall, trials), drawn)  # fmt: skip
    sixteen = "the 16 categories of Geirhos et al., by the mean probability of their classes"
    return told, {
        "referee": None,
        "data": found.what,
        "pictures": len(kept),
        "of": len(found.paths) + len(found.others),
        "named": len(kept),
        "method": "whoever made the folder",
        "protocol": sixteen if ours.sixteen else f"its own {len(ours.classes)} classes",
        "chance": 2 / len(ours.classes),
        "seed": seed,
        "resamples": RESAMPLES,
    }


def _examples(images: Sequence[Pixels], rows: Sequence[TrialRow]) -> Drawing:
    """Some images, spread over the folder, and what each is named."""
    n = len(images)
    chosen = np.unique(np.linspace(0, n - 1, min(n, SHOWN)).round().astype(int)).tolist()
    verdicts = {SHAPE: "by shape", TEXTURE: "by texture"}
    captions = [
        f"{rows[i].shape_class} in {rows[i].texture_class}\n{rows[i].decision}: "
        f"{percent(rows[i].probability, 0)}\n{verdicts.get(rows[i].cue, 'by neither')}"
        for i in chosen
    ]
    return Drawing(
        "conflicts",
        contact_sheet([images[i] for i in chosen], captions, columns=min(n, 6), cell=118),
        f"{len(chosen)} of {n} images: the shape and the texture, and what each is named.",
    )
