"""The answers to many pictures as one page: under each class those that are named so."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import numpy as np
import torch

import hubel
from hubel.data.ahead import ahead
from hubel.output import Output
from hubel.pixels import Picture, Pixels, PixelSpec, Unreadable, read
from hubel.report.gallery import Answered, Answers, gallery_page
from hubel.report.html import THUMBNAIL, Onward
from hubel.results import Prediction, strange, totals

PAGE, FACTS = "predict.html", "predict.json"
SHOWN = 600  # pictures on the page, shared evenly among the classes
LEAST = 12  # of each class, however many classes there are


def write_gallery(
    folder: Output,
    model: str,
    found: Sequence[Prediction],
    pictures: Sequence[tuple[str, Picture]],
    spec: PixelSpec,
    end: Onward,
) -> None:
    """Write PAGE and FACTS. pictures (name, content): what was answered, in order.

    They are shown whole, no larger than the network sees them.
    """
    counts = totals(found)
    each = max(LEAST, SHOWN // max(1, len(counts)))
    chosen = {name: _surest(found, name, each) for name in counts}
    side = min(THUMBNAIL, max(spec.size))
    one = partial(_small, spec=replace(spec, size=(side, side), resize="pad"))
    order = [i for numbers in chosen.values() for i in numbers]
    images = dict(zip(order, ahead(one, [pictures[i] for i in order]), strict=True))
    classes = [
        Answers(name, counts[name], [_answered(found[i], images[i]) for i in numbers])
        for name, numbers in chosen.items()
    ]
    facts = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "hubel": hubel.__version__,
        "torch": torch.__version__,
        "model": model,
    }
    unreadable = [(each.image, each.error) for each in found if each.error is not None]
    told = facts | as_json(found)
    page = gallery_page(classes, unreadable, facts, strange(found), end)
    files = {PAGE: page.encode()}
    files[FACTS] = (json.dumps(told, indent=2) + "\n").encode()
    folder.write_all(files)
    folder.finish()


def as_json(found: Sequence[Prediction]) -> dict[str, Any]:
    """All answers, how many pictures each class has, and how many are strange, where known."""
    return {
        "totals": totals(found),
        "strange": strange(found),
        "pictures": [each.as_json() for each in found],
    }


def _surest(found: Sequence[Prediction], name: str, most: int) -> list[int]:
    """The numbers of the pictures named so, the surest first; of too many the ends of the list."""
    own = [i for i, each in enumerate(found) if each.classes and each.classes[0][0] == name]
    own.sort(key=lambda i: -found[i].classes[0][1])
    return own if len(own) <= most else own[: most // 2] + own[-(most - most // 2) :]


def _answered(prediction: Prediction, image: Pixels) -> Answered:
    return Answered(prediction.image, image, prediction.classes[0][1], prediction.unlike)


def _small(picture: tuple[str, Picture], *, spec: PixelSpec) -> Pixels:
    """The picture to be shown; grey where it is no longer what it was a moment ago."""
    name, content = picture
    try:
        return read(content, spec, name=name)
    except Unreadable:
        return np.full((*spec.size, spec.channels), 128, np.uint8)
