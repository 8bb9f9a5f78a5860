"""A style transfer: its page, the pictures side by side, and what fell step by step."""

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hubel.findings import Drawing
from hubel.report.drawing import ACCENT, MUTED, legend_below, panels, plain_logs, png, style
from hubel.report.html import HERE, Onward, render
from hubel.report.lecture import picture_of
from hubel.report.sheet import contact_sheet

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Pixels = NDArray[np.uint8]  # (H, W, C), C 1 or 3
Losses = Sequence[tuple[float, float, float]]  # of each step from 0: content, style, variation
PANELS = ("content", "style", "total variation")
ACROSS = 5  # pictures in a row
DASHES = ("-", "--", ":", "-.")  # beside the shades, which alone are hard to tell apart
PAGE_SIDE = 480  # pixels of a picture's longer side on the page
LEAST, MOST = 96, 256  # points of a picture's longer side
DECADES = 1.5  # a loss that falls further than this is drawn on a logarithmic axis
NOTHING = 1e-6  # as a loss: below it is rounding, which a logarithm would show large


class Result(NamedTuple):
    """One picture, and its losses, unweighted, after so many steps."""

    weight: float
    image: Pixels
    steps: int
    content: float
    style: float
    total_variation: float


def style_page(
    content: Pixels,
    picture_of_style: Pixels,
    results: Sequence[Result],
    curves: bytes,
    facts: Mapping[str, Any],
    onward: Onward = HERE,
) -> str:
    """The whole page as HTML. curves: PNG. facts: date, hubel, content, style, network, finished;
    and all else that the pictures follow from."""
    caption = (
        "The losses by step, a line for each style weight; on logarithmic axes where they fall far."
    )
    about = ("date", "hubel", "content", "style", "environment", "finished")
    return render(
        "style.html",
        onward=onward,
        content=content,
        style=picture_of_style,
        results=results,
        side=PAGE_SIDE,
        curves=picture_of(Drawing("curves", curves, caption)),
        facts=facts,
        settings={name: value for name, value in facts.items() if name not in about},
    )


def side_by_side(content: Pixels, picture_of_style: Pixels, made: Mapping[float, Pixels]) -> bytes:
    """Content, style, and the results by their style weight, as PNG."""
    images = [content, picture_of_style, *made.values()]
    captions = ["content", "style", *(f"style weight {weight:g}" for weight in made)]
    longer = max(content.shape[:2])
    cell = min(max(longer / 2, LEAST), MOST)  # a sheet has two pixels to the point
    return contact_sheet(images, captions, columns=min(len(images), ACROSS), cell=cell)


def loss_curves(curves: Mapping[float, Losses]) -> bytes:
    """Content, style and total variation by step, a panel each and a line a style weight, as PNG.

    curves: by style weight. Losses are unweighted, so that lines of one panel can be compared.
    """
    with style():
        figure, axes = panels(1, 3, width=250, height=240)
        shades = _shades(len(curves))
        for i, (axis, title) in enumerate(zip(axes, PANELS, strict=True)):
            shown: list[float] = []
            for shade, dashes, (weight, rows) in zip(
                shades, cycle(DASHES), curves.items(), strict=False
            ):
                values = [row[i] for row in rows]
                shown += [value for value in values if value > NOTHING]
                marker = "o" if len(values) == 1 else None  # a line needs two points
                axis.plot(
                    values, color=shade, lw=1.6, ls=dashes, label=f"{weight:g}", marker=marker, ms=4
                )
            _finish(axis, title, shown)
        legend_below(figure, title="style weight", columns=8)
        return png(figure)


def _finish(axis: "Axes", title: str, shown: Sequence[float]) -> None:
    from matplotlib.ticker import MaxNLocator

    axis.set_title(title, fontsize=10)
    axis.set_xlabel("step")
    axis.grid(axis="y", color=MUTED, alpha=0.22, lw=0.8)
    axis.set_axisbelow(True)
    if shown and max(shown) > 10**DECADES * min(shown):
        axis.set_yscale("log")
        axis.set_ylim(min(shown) / 1.3, max(shown) * 1.3)
        plain_logs(axis)
    else:
        axis.set_ylim(0, 1.05 * max(shown, default=1.0))
        axis.yaxis.set_major_locator(MaxNLocator(nbins=5))
    axis.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))


def _shades(number: int) -> list[tuple[float, float, float]]:
    """From muted to the accent, one for each line."""
    from matplotlib.colors import to_rgb

    ends = np.array([to_rgb(MUTED), to_rgb(ACCENT)])
    shares = np.linspace(0, 1, number) if number > 1 else np.ones(1)
    return [tuple((1 - share) * ends[0] + share * ends[1]) for share in shares]
