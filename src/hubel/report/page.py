"""report.html: one page about one training, for the colleague who asks how it went."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from hubel.report.confusion import confusion, worst
from hubel.report.curves import curves
from hubel.report.filters import filter_pictures
from hubel.report.html import HERE, Onward, render
from hubel.report.reliability import reliability
from hubel.report.results import FirstLayer, TrainingReport
from hubel.report.training_loss import grey
from hubel.report.wording import facts
from hubel.results import Evaluation

OFF = frozenset(("0", "none", "no"))  # values of a recipe that change nothing
_MOST_FILTERS = 64
_MOST_CLASSES = 20  # with more, the table shows the hardest and folds the rest away


def training_page(results: TrainingReport, onward: Onward = HERE) -> str:
    """The whole page as HTML. Every text in it is escaped: class names come from folders.

    Raises Mistake for figures whose shapes do not fit together.
    """
    measured, trained_on = results.measured, grey(results.recipe, dropout=results.dropout)
    return render(
        "training.html",
        onward=onward,
        grey=trained_on,
        results=results,
        measured=measured,
        kind=results.measured_on,
        recipe=_recipe(results.recipe),
        curves=curves(results.history, best_epoch=results.best_epoch, training=trained_on[:2])
        if results.history
        else None,
        reliability=reliability(measured.calibration)
        if measured and measured.calibration
        else None,
        confusion=confusion(measured.confusion, _names(measured)) if measured else None,
        worst=worst(measured.confusion, _names(measured)) if measured else [],
        classes=sorted(measured.classes, key=lambda row: row.f1) if measured else [],
        most_classes=_MOST_CLASSES,
        first_layer=_first_layer(results.first_layer) if results.first_layer else [],
    )


def _recipe(recipe: Mapping[str, object]) -> dict[str, list[tuple[str, str]]]:
    """Its rows of text: what is on, and what is 0 or off, which is most of it."""
    rows = list(facts(recipe))
    return {
        "on": [row for row in rows if row[1] not in OFF],
        "off": [row for row in rows if row[1] in OFF],
    }


def _names(found: Evaluation) -> list[str]:
    return [row.name for row in found.classes]


def _first_layer(layer: FirstLayer) -> list[tuple[str, NDArray[np.uint8]]]:
    pictures = filter_pictures(layer.weights[:_MOST_FILTERS])
    labels = list(layer.labels) or [""] * len(pictures)
    return list(zip(labels, pictures, strict=False))
