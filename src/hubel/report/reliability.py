"""The reliability diagram: how often answers of a given confidence are right."""

import math

from hubel.report.drawing import ACCENT, MUTED, canvas, style, svg
from hubel.results import Calibration

_SIDE = 230.0  # points


def reliability(found: Calibration) -> bytes:
    """A dot for each bin at (its mean confidence, its accuracy), as SVG.

    Its area grows with the answers in the bin; the line to the diagonal is how far they are off.
    """
    most = max((row.n for row in found.bins), default=1)
    with style():
        figure, axes = canvas(_SIDE + 66, _SIDE + 42, left=62, right=8, top=8, bottom=36)
        axes.plot([0, 1], [0, 1], color=MUTED, lw=0.9, ls=(0, (3, 3)))
        for row in found.bins:
            at = row.confidence
            axes.plot([at, at], [at, row.accuracy], color=ACCENT, lw=1.4, alpha=0.55)
            size = 3 + 9 * math.sqrt(row.n / most)
            axes.plot([at], [row.accuracy], "o", color=ACCENT, ms=size, mew=0)
        for axis, label in (
            (axes.xaxis, "probability that it gave"),
            (axes.yaxis, "of these, right"),
        ):
            axis.set_ticks([0, 0.25, 0.5, 0.75, 1], ["0 %", "25 %", "50 %", "75 %", "100 %"])
            axis.set_label_text(label)
        axes.set_xlim(-0.02, 1.04)
        axes.set_ylim(-0.03, 1.06)
        axes.grid(color=MUTED, alpha=0.18, lw=0.8)
        axes.set_axisbelow(True)
        return svg(figure)
