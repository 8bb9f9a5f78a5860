"""Curves of several seeds as one: their mean as a line, the lowest to the highest as a band."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def band(
    axes: "Axes", x: Sequence[float], curves: Sequence[Sequence[float]], *, color: str, **line: Any
) -> None:
    """Draw curves (seeds, len(x)); `line` goes to the line of the means (label, linestyle, …)."""
    values = np.asarray(curves, np.float64)
    axes.plot(x, values.mean(0), color=color, **line)
    if len(values) > 1:
        axes.fill_between(x, values.min(0), values.max(0), color=color, alpha=0.14, lw=0)


def by_epoch(axes: "Axes") -> None:
    """Epochs along the bottom: whole numbers."""
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    low, high = axes.get_xlim()
    if high - low < 1:  # a single one
        axes.set_xlim(low - 0.5, high + 0.5)
    axes.set_xlabel("epoch")
