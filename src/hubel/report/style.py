"""Drawings of a style transfer: the pictures side by side, and what fell step by step."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hubel.report.drawing import ACCENT, MUTED, panels, plain_logs, png, style
from hubel.report.sheet import contact_sheet

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Pixels = NDArray[np.uint8]  # (H, W, C), C 1 or 3
Losses = Sequence[tuple[float, float, float]]  # of each step from 0: content, style, variation
PANELS = ("content", "style", "total variation")
ACROSS = 5  # pictures in a row
LEAST, MOST = 96, 256  # points of a picture's longer side
DECADES = 1.5  # a loss that falls further than this is drawn on a logarithmic axis
NOTHING = 1e-6  # as a loss: below it is rounding, which a logarithm would show large


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
        figure, axes = panels(1, 3, width=250, height=210)
        shades = _shades(len(curves))
        for i, (axis, title) in enumerate(zip(axes, PANELS, strict=True)):
            shown: list[float] = []
            for shade, (weight, rows) in zip(shades, curves.items(), strict=True):
                values = [row[i] for row in rows]
                shown += [value for value in values if value > NOTHING]
                marker = "o" if len(values) == 1 else None  # a line needs two points
                axis.plot(values, color=shade, lw=1.6, label=f"{weight:g}", marker=marker, ms=4)
            _finish(axis, title, shown)
        axes[0].legend(frameon=False, fontsize=8.5, title="style weight", title_fontsize=8.5)
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
