"""Learning curves: loss, accuracy and learning rate by epoch."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from hubel.mistakes import Mistake
from hubel.report.drawing import ACCENT, INK, MUTED, canvas, legend_above, style, svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WIDTH, _HEIGHT = 276.0, 190.0  # three beside each other, or one on a phone
_LINE = 15.0  # points, of the legend above them
_STEPS = (1, 2, 2.5, 5, 10)  # between ticks, times a power of ten
_LOG_SPAN = 20  # a loss that falls further than this is drawn on a logarithmic axis


class Curves(NamedTuple):
    """Three pictures, SVG."""

    loss: bytes
    accuracy: bytes
    rate: bytes


def curves(
    history: Sequence[Mapping[str, float]],
    *,
    best_epoch: int = 0,
    training: tuple[str, str] = ("training", "training"),
) -> Curves:
    """Draw a training from its history: grey what was trained on, in the accent what was not.

    history: one mapping for each epoch with any of epoch, loss, accuracy, validation_loss,
    validation_accuracy and rate; what an epoch lacks, or is not finite, leaves a gap.
    best_epoch (from 1) is marked. training: what the grey loss and the grey accuracy are
    of. Raises Mistake for an empty history.
    """
    if not history:
        raise Mistake("There are no curves to draw: the history has no finished epoch.")
    with style():
        return Curves(
            _panel(history, "loss", best_epoch, training[0]),
            _panel(history, "accuracy", best_epoch, training[1]),
            _panel(history, "rate"),
        )


def _panel(
    history: Sequence[Mapping[str, float]],
    figure_of: str,
    best_epoch: int = 0,
    training: str = "training",
) -> bytes:
    above = 8 + 2 * _LINE  # in all three alike, so that their axes stand level
    figure, axes = canvas(_WIDTH, _HEIGHT + 2 * _LINE, left=50, right=8, top=above, bottom=34)
    epochs = [row.get("epoch", i + 1) for i, row in enumerate(history)]
    lines = {
        training: (_column(history, figure_of), MUTED),
        "validation": (_column(history, f"validation_{figure_of}"), ACCENT),
    }
    lines = {k: (v, c) for k, (v, c) in lines.items() if any(map(math.isfinite, v))}
    if figure_of == "rate":
        lines = {k: (v, INK) for k, (v, _) in lines.items()}
    marker = "o" if len(epochs) == 1 else None  # a line needs two points, a dot only one
    for name, (values, colour) in lines.items():
        axes.plot(epochs, values, color=colour, lw=1.6, label=name, marker=marker, ms=4)
    if "validation" in lines and 0 < best_epoch <= len(history):
        _mark(axes, epochs[best_epoch - 1], lines["validation"][0][best_epoch - 1])
    _finish(axes, figure_of, epochs, [v for values, _ in lines.values() for v in values])
    if len(lines) > 1:
        legend_above(axes)
    return svg(figure)


def _column(history: Sequence[Mapping[str, float]], key: str) -> list[float]:
    return [float(row.get(key, math.nan)) for row in history]


def _mark(axes: "Axes", epoch: float, value: float) -> None:
    axes.axvline(epoch, color=MUTED, lw=0.8, ls=(0, (2, 3)), zorder=0)
    axes.plot([epoch], [value], "o", color=ACCENT, ms=5.5)


def _finish(axes: "Axes", figure_of: str, epochs: list[float], values: list[float]) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator

    finite = [v for v in values if math.isfinite(v)]
    axes.set_xlabel("epoch")
    if len(epochs) == 1:
        axes.set_xticks(epochs, [f"{epochs[0]:g}"])
    else:
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    axes.set_xlim(epochs[0] - 0.5, epochs[-1] + 0.5)
    axes.tick_params(length=3)
    axes.grid(axis="y", color=MUTED, alpha=0.22, lw=0.8)
    axes.set_axisbelow(True)
    if figure_of == "accuracy":
        lowest = min(finite, default=0.0)
        axes.set_ylim(max(0.0, lowest - 0.08 * (1 - lowest) - 0.002), 1.0 + 0.03 * (1.002 - lowest))
        axes.yaxis.set_major_locator(MaxNLocator(nbins=5, steps=_STEPS))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{round(100 * v, 6):g} %"))
        return
    if figure_of == "loss" and finite and 0 < _LOG_SPAN * min(finite) < max(finite):
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 3.0), numticks=12))
        axes.yaxis.set_minor_locator(LogLocator(subs=()))
    else:
        axes.set_ylim(bottom=0.0, top=1.05 * max(finite, default=1.0) or 1.0)
        axes.yaxis.set_major_locator(MaxNLocator(nbins=5, steps=_STEPS))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: _short(v)))


def _short(value: float) -> str:
    """A number of a few letters, whatever its size.

    >>> _short(0.02), _short(0.00015)
    ('0.02', '1.5e-4')
    """
    if value and abs(value) < 1e-3:
        return f"{value:.1e}".replace(".0e", "e").replace("e-0", "e-")
    return f"{value:g}"
