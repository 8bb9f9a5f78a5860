"""Drawings of what layers answer to: nine patches of a unit with their projections, and figures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hubel.report.drawing import ACCENT, INK, in_percent, panels, png, shortened, style
from hubel.report.seen import around_grey

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TILE, GAP, SCALE = 77, 3, 2.0  # of a patch: pixels in the file; and those to the point
BETWEEN = 8  # pixels between patches and projections
COLUMNS = 3
STRONGEST = 97.0  # percentile of a projection that is shown at full contrast
COLOURS = (ACCENT, "#2f5d8a", "#4f8a4b")

Images = NDArray[np.floating]  # (9, H, W, C)


@dataclass(frozen=True)
class Answering:
    """A unit: its name, what it answers to in words, its patches in [0, 1], the strongest first,
    and their projections, signed, both (9, H, W, C)."""

    name: str
    said: str
    patches: Images
    projections: Images


def top_nine(title: str, units: Sequence[Answering]) -> bytes:
    """Of each unit 3×3 patches and to their right 3×3 projections, in rows of COLUMNS units."""
    from matplotlib.figure import Figure

    blocks = [_block(unit) for unit in units]
    height, width = (side / SCALE for side in blocks[0].shape[:2])
    rows = -(-len(units) // COLUMNS)
    # in points: around the picture, above a unit, below it, between two of them
    margin, above, below, across, top = 10.0, 15.0, 22.0, 22.0, 26.0
    columns = min(COLUMNS, len(units))
    wide = 2 * margin + columns * width + (columns - 1) * across
    high = margin + top + rows * (above + height + below)
    with style():
        figure = Figure(figsize=(wide / 72, high / 72), dpi=72)
        figure.text(margin / wide, 1 - margin / high, title, fontsize=12, va="top", weight="bold")
        for i, (unit, block) in enumerate(zip(units, blocks, strict=True)):
            row, column = divmod(i, COLUMNS)
            left = margin + column * (width + across)
            bottom = high - margin - top - (row + 1) * (above + height) - row * below
            axes = figure.add_axes((left / wide, bottom / high, width / wide, height / high))
            axes.imshow(block, interpolation="none", aspect="auto")
            axes.set_axis_off()
            where = left / wide, (bottom + height + 4) / high
            figure.text(*where, unit.name, fontsize=9, va="bottom")
            said = shortened(unit.said, 46)
            figure.text(left / wide, (bottom - 4) / high, said, fontsize=9, va="top", color=INK)
        return png(figure, scale=SCALE)


def _block(unit: Answering) -> NDArray[np.float64]:
    """Both squares of nine, side by side on white, in pixels of the file."""
    squares = [
        _square(unit.patches),
        _square(np.stack([around_grey(_strengthened(each)) for each in unit.projections])),
    ]
    between = np.ones((squares[0].shape[0], BETWEEN, 3))
    return np.concatenate((squares[0], between, squares[1]), 1)


def _strengthened(signed: NDArray[np.floating]) -> NDArray[np.floating]:
    """Cut at a percentile: a tile is small, and a few pixels would leave the others pale."""
    most = float(np.percentile(np.abs(signed), STRONGEST))
    return np.clip(signed, -most, most) if most else signed


def _square(images: Images) -> NDArray[np.float64]:
    found = np.ones((3 * TILE + 2 * GAP, 3 * TILE + 2 * GAP, 3))
    for i, image in enumerate(images[:9]):
        row, column = (place * (TILE + GAP) for place in divmod(i, 3))
        found[row : row + TILE, column : column + TILE] = _tile(image)
    return found


def _tile(image: NDArray[np.floating]) -> NDArray[np.float64]:
    """A picture (H, W, C) as TILE × TILE × 3; the pixels of small ones stay hard-edged."""
    from PIL import Image

    levels = np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
    if levels.shape[2] == 1:
        levels = np.repeat(levels, 3, 2)
    small = max(levels.shape[:2]) <= TILE
    how = Image.Resampling.NEAREST if small else Image.Resampling.LANCZOS
    scaled: NDArray[np.float64] = (
        np.asarray(Image.fromarray(levels).resize((TILE, TILE), how), float) / 255
    )
    return scaled


@dataclass(frozen=True)
class Panel:
    """Shares in [0, 1] by layer, one curve each by its name; and by chance, dashed, if at all."""

    title: str
    curves: Mapping[str, Sequence[float]]
    by_chance: Sequence[float] = ()


def by_layer(layers: Sequence[str], shown: Sequence[Panel]) -> bytes:
    """Panels side by side, each with its curves over the layers, the shallowest first."""
    with style():
        figure, axes = panels(1, len(shown), width=250, height=250)
        for panel, axis in zip(shown, axes, strict=True):
            _curves(axis, panel, layers)
        return png(figure)


def _curves(axis: "Axes", panel: Panel, layers: Sequence[str]) -> None:
    x = range(len(layers))
    for (name, values), colour in zip(panel.curves.items(), COLOURS, strict=False):
        axis.plot(x, values, "o-", color=colour, ms=5, lw=1.6, label=name)
    for level, colour in zip(panel.by_chance, COLOURS, strict=False):
        axis.axhline(level, ls="--", color=colour, lw=1, alpha=0.7)
    axis.set_xticks(list(x), list(layers), fontsize=8)
    axis.set(ylim=(0, 1.02), xlim=(-0.2, len(layers) - 0.8))
    in_percent(axis.yaxis)
    axis.set_title(panel.title, fontsize=10, loc="left")
    axis.legend(fontsize=8, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.16))
