"""Small pictures and maps in rows and columns, with a name to each."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hubel.report.drawing import canvas, png, shortened, style
from hubel.report.seen import BRIGHTEST, HEAT

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Tile = NDArray[np.floating]  # a picture (H, W, C) in [0, 1], C 1 or 3; or a map (H, W), ≥ 0
GAP, LINE = 4.0, 12.0  # points between tiles; of a line of text
LETTER = 4.6  # points that a letter of a column's name is wide


def picture_rows(
    rows: Mapping[str, Sequence[Tile]],
    columns: Sequence[str] = (),
    *,
    side: float = 60,
    margin: float = 118,
) -> bytes:
    """Each row its name and its tiles, below the names of the columns, as PNG.

    Maps are each on their own scale, dark is nothing. A name may have lines; margin: the room for
    the names of rows, side: that of a tile, both in points.
    """
    most = max(len(tiles) for tiles in rows.values())
    above = GAP + LINE * max((1 + name.count("\n") for name in columns), default=0)
    width = margin + most * (side + GAP)
    height = above + len(rows) * (side + GAP)
    with style():
        # one axes in points from the top left: a hundred of them would take seconds
        figure, axes = canvas(width, height, left=0, right=0, top=0, bottom=0)
        for i, (name, tiles) in enumerate(rows.items()):
            top = above + i * (side + GAP)
            axes.text(margin - 8, top + side / 2, name, ha="right", va="center", fontsize=9)
            for j, tile in enumerate(tiles):
                left = margin + j * (side + GAP)
                _tile(axes, tile, (left, left + side, top + side, top))
        for j, name in enumerate(columns):
            middle = margin + j * (side + GAP) + side / 2
            lines = [shortened(line, int(side / LETTER)) for line in name.split("\n")]
            axes.text(middle, above - 3, "\n".join(lines), ha="center", va="bottom", fontsize=8)
        axes.set(xlim=(0, width), ylim=(height, 0), aspect="auto")
        axes.set_axis_off()
        return png(figure)


def _tile(axes: "Axes", tile: Tile, place: tuple[float, float, float, float]) -> None:
    if tile.ndim == 3:
        picture = tile[..., 0] if tile.shape[2] == 1 else tile
        axes.imshow(picture, cmap="gray", vmin=0, vmax=1, extent=place)
        return
    brightest = float(np.percentile(tile, BRIGHTEST)) or float(tile.max())
    axes.imshow(tile, cmap=HEAT, vmin=0, vmax=max(brightest, 1e-12), extent=place)
