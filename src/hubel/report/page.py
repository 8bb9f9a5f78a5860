"""report.html: one self-contained page about one training, for the colleague who asks how it went.

The page loads nothing (its Content-Security-Policy forbids it), runs no script, follows the
reader's light or dark setting, and prints.
"""

import base64
import io
import re
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hubel.report import wording
from hubel.report.confusion import confusion, worst
from hubel.report.curves import curves
from hubel.report.drawing import legible
from hubel.report.filters import filter_pictures
from hubel.report.results import FirstLayer, TrainingReport
from hubel.results import Evaluation

if TYPE_CHECKING:
    from jinja2 import Environment

_MOST_FILTERS = 64
_MOST_CLASSES = 20  # with more, the table shows the hardest and folds the rest away
_THUMBNAIL = 240  # pixels; pictures up to a quarter of it stay exact, larger ones become JPEG


def training_page(results: TrainingReport) -> str:
    """The whole page as HTML. Every text in it is escaped: class names come from folders.

    Raises Mistake for figures whose shapes do not fit together.
    """
    measured = results.measured
    return (
        _templates()
        .get_template("page.html")
        .render(
            results=results,
            measured=measured,
            kind=results.measured_on,
            curves=curves(results.history, best_epoch=results.best_epoch)
            if results.history
            else None,
            confusion=confusion(measured.confusion, _names(measured)) if measured else None,
            worst=worst(measured.confusion, _names(measured)) if measured else [],
            classes=sorted(measured.classes, key=lambda row: row.f1) if measured else [],
            most_classes=_MOST_CLASSES,
            first_layer=_first_layer(results.first_layer) if results.first_layer else [],
        )
    )


def data_uri(image: NDArray[np.uint8]) -> str:
    """An image uint8 (H, W, C), C 1 or 3, as a data: URI; a large one is made small enough.

    >>> data_uri(np.zeros((2, 2, 1), np.uint8))[:22]
    'data:image/png;base64,'
    """
    picture = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)
    kind = "png" if max(picture.size) <= _THUMBNAIL // 4 else "jpeg"
    picture.thumbnail((_THUMBNAIL, _THUMBNAIL))
    file = io.BytesIO()
    picture.save(file, kind)
    return f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode()}"


def _names(found: Evaluation) -> list[str]:
    return [row.name for row in found.classes]


def _first_layer(layer: FirstLayer) -> list[tuple[str, NDArray[np.uint8]]]:
    pictures = filter_pictures(layer.weights[:_MOST_FILTERS])
    labels = list(layer.labels) or [""] * len(pictures)
    return list(zip(labels, pictures, strict=False))


def _inline(svg: bytes) -> str:
    """An SVG for the middle of a page, its width on paper as the CSS variable --width."""
    from markupsafe import Markup

    text = svg.decode()
    width = re.search(r'viewBox="0 0 ([\d.]+)', text)
    style = f' style="--width: {float(width[1]) if width else 0:.0f}pt"'
    return Markup(text.replace("<svg", f"<svg{style}", 1))  # noqa: S704 - drawn by us, names escaped


@cache  # compiling the template takes longer than filling it
def _templates() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    def finish(value: object) -> object:
        if not isinstance(value, str) or isinstance(value, Markup):
            return value
        return legible(value).replace(" %", "\u00a0%")  # a figure keeps its unit on its line

    templates = Environment(
        loader=PackageLoader("hubel.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=finish,
    )
    templates.filters |= {
        "percent": wording.percent,
        "interval": wording.interval,
        "duration": wording.duration,
        "facts": wording.facts,
        "data_uri": data_uri,
        "inline": _inline,
    }
    templates.globals["wording"] = wording
    return templates
