"""Pages: the templates, and what stands in them: pictures as data, drawings, figures in words.

A page is one file. It loads nothing (its Content-Security-Policy forbids it), runs no script,
follows the reader's light or dark setting, and prints.
"""

import base64
import io
import re
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hubel import figures
from hubel.legible import legible
from hubel.report import wording

if TYPE_CHECKING:
    from jinja2 import Environment

THUMBNAIL = 240  # pixels; pictures up to a quarter of it stay exact, larger ones become JPEG

# wholly a picture: a name may begin like one
_PICTURE = re.compile("data:image/(?:png|jpeg);base64,[A-Za-z0-9+/]*={0,2}")


class Onward(NamedTuple):
    """How a page ends: commands to go on with, each with what for; pages beside it, by their name.

    A page is a relative address, of a file that is there. above: what the folder holds that the
    commands are to be typed in, where that is not the usual one.
    """

    commands: Sequence[tuple[str, str]] = ()
    pages: Sequence[tuple[str, str]] = ()
    above: str = ""


HERE = Onward()  # of a page that leads nowhere


def render(template: str, *, onward: Onward = HERE, **values: object) -> str:
    """The page from a template of this package; every text in it is escaped."""
    return _templates().get_template(template).render(onward=onward, **values)


def data_uri(image: NDArray[np.uint8], side: int = THUMBNAIL) -> str:
    """An image uint8 (H, W, C), C 1 or 3, as a data: URI; none is longer than `side` pixels.

    >>> data_uri(np.zeros((2, 2, 1), np.uint8))[:22]
    'data:image/png;base64,'
    """
    picture = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)
    kind = "png" if max(picture.size) <= THUMBNAIL // 4 else "jpeg"
    picture.thumbnail((side, side))
    file = io.BytesIO()
    picture.save(file, kind)
    return f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode()}"


def jpeg_uri(content: bytes) -> str:
    """A JPEG file as a data: URI."""
    return f"data:image/jpeg;base64,{base64.b64encode(content).decode()}"


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
        if not isinstance(value, str) or isinstance(value, Markup) or _PICTURE.fullmatch(value):
            return value  # megabytes of a picture are no text to be made legible
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
        "percent": figures.percent,
        "interval": figures.interval,
        "within": figures.within,
        "duration": figures.duration,
        "facts": wording.facts,
        "thousands": figures.thousands,
        "chance": figures.chance,
        "data_uri": data_uri,
        "inline": _inline,
    }
    templates.globals |= {"figures": figures, "wording": wording}
    return templates
