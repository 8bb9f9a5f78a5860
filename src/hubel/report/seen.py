"""Drawings of what a network saw in one picture: maps, occlusion, strong units."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hubel.figures import percent
from hubel.report.drawing import ACCENT, canvas, panels, png, shortened, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Image = NDArray[np.floating]  # (H, W, C) in [0, 1], C 1 or 3
Map = NDArray[np.floating]  # (H, W)
HEAT = "magma"
CLASSES = ("#2f5d8a", "#c4500c", "#4f8a4b", "#7a7f87")  # of winners; the last of all others
MOST_MAPS = 16
PANEL, BAR = 220, 38  # points: the side of a picture alone, and of what its colours mean
WORDS, BESIDE = 10.5, 8.0  # points of the words below a picture alone, and below one of several
BRIGHTEST = 99.5  # percentile of a map that is shown brightest: single pixels would darken all


def overlay(picture: Image, values: Map) -> bytes:
    """A map ≥ 0 over the picture in grey, with what its colours mean; 0 shows the picture alone."""
    with style():
        figure, axis, bar = _panel()
        brightest = float(np.percentile(values, BRIGHTEST)) or float(values.max())
        brightest = max(brightest, 1e-12)
        _faint(axis, picture)
        # what is nothing leaves the picture to be seen
        seen = np.clip(np.asarray(values, float) / brightest, 0, 1)
        height, width = picture.shape[:2]
        drawn = axis.imshow(
            values, cmap=HEAT, vmin=0, vmax=brightest, alpha=0.75 * np.sqrt(seen),
            extent=(-0.5, width - 0.5, height - 0.5, -0.5),
        )  # fmt: skip
        _bare(axis, "")
        _scale(axis, drawn, bar)
        return png(figure)


@dataclass(frozen=True)
class Occluded:
    """What `occlusion_maps` draws, by the position of the square, (R, K) each.

    probability: of `target`, without a square `clean`. winner: indices of `names`. activity: of
    the feature map `unit`, and its projection, (H, W, C) signed, if one is followed.
    """

    square: int
    tops: Sequence[int]
    lefts: Sequence[int]
    probability: Map
    clean: float
    target: str
    winner: NDArray[np.integer]
    names: Sequence[str]
    activity: Map | None = None
    unit: str = ""
    projection: Image | None = None


def occlusion_maps(picture: Image, found: Occluded) -> bytes:
    """The picture with its square, and the paper's maps, each at the square's middle."""
    followed = found.activity is not None and found.projection is not None
    with style():
        figure, axes = panels(1, 5 if followed else 3, width=176, height=226)
        _show(axes[0], picture, f"a square of {found.square}")
        height, width = picture.shape[:2]
        _square(axes[0], found.square, (width - found.square) / 2, (height - found.square) / 2)
        _by_position(axes[1], picture, found, found.probability, low=0.0)
        name = shortened(found.target, 18)
        _bare(axes[1], f"p({name}), {percent(found.clean, 0)} without")
        _winners(axes[-1], picture, found, size=BESIDE)
        if found.activity is not None and found.projection is not None:
            _by_position(axes[2], picture, found, found.activity, low=None)
            _bare(axes[2], shortened(f"activity of {found.unit}", 26))
            _show(axes[3], around_grey(found.projection), "its projection")
        return png(figure)


def alone(picture: Image) -> bytes:
    """A picture and nothing else."""
    with style():
        figure, axis, _ = _panel()
        _show(axis, picture, "")
        return png(figure)


def costliest(picture: Image, found: Occluded) -> bytes:
    """The picture with the square where it costs the target most."""
    row, column = np.unravel_index(int(found.probability.argmin()), found.probability.shape)
    with style():
        figure, axis, _ = _panel()
        _show(axis, picture, "")
        _square(axis, found.square, found.lefts[int(column)], found.tops[int(row)])
        return png(figure)


def hiding(picture: Image, found: Occluded, values: Map, *, low: float | None) -> bytes:
    """Values by the place of the square's middle, over the picture, with what colours mean."""
    with style():
        figure, axis, bar = _panel()
        _by_position(axis, picture, found, values, low=low, bar=bar)
        _bare(axis, "")
        return png(figure)


def winners(picture: Image, found: Occluded) -> bytes:
    """The most probable class by the place of the square's middle, over the picture."""
    with style():
        figure, axis, _ = _panel()
        _winners(axis, picture, found, size=WORDS)
        axis.set_title("")
        return png(figure)


def strongest_units(
    picture: Image,
    maps: NDArray[np.floating],
    projections: Mapping[str, NDArray[np.floating]],
    units: Sequence[str],
    boxes: Sequence[tuple[int, int, int, int]],
) -> bytes:
    """maps (U, h, w), the picture in its box, and below it projections by name, (U, H, W, C).

    boxes: (top, left, bottom, right) in pixels, of each unit.
    """
    rows = ("its map", "picture there", *projections)
    with style():
        figure, axes = panels(len(rows), len(units), width=118, height=124)
        for i, name in enumerate(units):
            above, between, *below = axes[i :: len(units)]
            above.imshow(maps[i], cmap=HEAT)
            _bare(above, name)
            _squarely(above, maps[i].shape)
            top, left, bottom, right = boxes[i]
            here = slice(top, bottom), slice(left, right)
            _show(between, picture[here], "")
            _squarely(between, picture[here].shape)
            for axis, signed in zip(below, projections.values(), strict=True):
                _show(axis, around_grey(signed[i][here]), "")
                _squarely(axis, picture[here].shape)
        for row, word in enumerate(rows):
            axes[row * len(units)].set_ylabel(word, fontsize=9)
        return png(figure)


def feature_maps(maps: NDArray[np.floating], names: Sequence[str]) -> bytes:
    """Maps (U, h, w) of one layer, each on its own scale about 0, which is mid-grey."""
    columns = 8
    rows = -(-min(len(maps), MOST_MAPS) // columns)
    with style():
        figure, axes = panels(rows, columns, width=84, height=96)
        for axis in axes:
            axis.set_axis_off()
        for axis, values, name in zip(axes, maps[:MOST_MAPS], names, strict=False):
            largest = max(float(np.abs(values).max()), 1e-12)
            axis.imshow(values, cmap="gray", vmin=-largest, vmax=largest)
            axis.set_title(name, fontsize=10)
        return png(figure)


def around_grey(signed: Image) -> Image:
    """A signed picture (H, W, C) about mid-grey, so that its 99.5th percentile is full contrast."""
    largest = float(np.percentile(np.abs(signed), 99.5)) or float(np.abs(signed).max()) or 1.0
    shown: Image = np.clip(0.5 + 0.5 * signed / largest, 0, 1)
    return shown


def _show(axis: "Axes", picture: Image, title: str) -> None:
    grey = picture.shape[2] == 1
    axis.imshow(picture[..., 0] if grey else picture, cmap="gray", vmin=0, vmax=1)
    _bare(axis, title)


def _squarely(axis: "Axes", shape: tuple[int, ...]) -> None:
    """Room for the longer side both ways: what is not square stands in the middle of a square."""
    height, width = shape[:2]
    half = max(height, width) / 2
    down, across = (height - 1) / 2, (width - 1) / 2
    axis.set(xlim=(across - half, across + half), ylim=(down + half, down - half))


def _faint(axis: "Axes", picture: Image) -> None:
    """The picture in grey, to lay colours over."""
    axis.imshow(picture.mean(2), cmap="gray", vmin=0, vmax=1)


def _panel() -> "tuple[Figure, Axes, Axes]":
    """A figure for one picture: its axes, and below it those of what colours mean, empty."""
    figure, axis = canvas(PANEL, PANEL + BAR, left=0, right=0, top=0, bottom=BAR)
    axis.set_anchor("N")
    low, high = (BAR - 12) / (PANEL + BAR), (BAR - 5) / (PANEL + BAR)
    bar = figure.add_axes((0.07, low, 0.86, high - low))
    bar.set_axis_off()
    return figure, axis, bar


def _scale(axis: "Axes", drawn: Any, bar: "Axes | None" = None) -> None:
    """What the colours mean, below: where they begin and end. bar: its axes."""
    ends = drawn.get_clim()
    room: dict[str, Any] = {"cax": bar} if bar else {"ax": axis, "fraction": 0.05, "pad": 0.03}
    scale: Any = axis.figure.colorbar(drawn, orientation="horizontal", ticks=ends, **room)
    scale.ax.set_axis_on()
    scale.solids.set_alpha(1)
    scale.ax.tick_params(labelsize=WORDS if bar else BESIDE, length=2)
    scale.outline.set_visible(False)
    scale.ax.set_xticklabels([f"{end:.3g}" for end in ends])
    for word, side in zip(scale.ax.get_xticklabels(), ("left", "right"), strict=True):
        word.set_horizontalalignment(side)


def _bare(axis: "Axes", title: str) -> None:
    axis.set(xticks=[], yticks=[])
    axis.set_title(title, fontsize=9)
    axis.spines[:].set_visible(False)


def _square(axis: "Axes", side: int, left: float, top: float) -> None:
    from matplotlib.patches import Rectangle

    corner = left - 0.5, top - 0.5
    axis.add_patch(Rectangle(corner, side, side, facecolor="#808080", edgecolor=ACCENT, lw=1.6))


def _by_position(
    axis: "Axes", picture: Image, found: Occluded, values: Map, *, low: float | None,
    bar: "Axes | None" = None,
) -> None:  # fmt: skip
    """Values where the square's middle was, on the picture's coordinates."""
    across, down = (_edges(starts, found.square) for starts in (found.lefts, found.tops))
    _faint(axis, picture)
    drawn = axis.pcolormesh(
        across, down, values, cmap="viridis", vmin=low, shading="flat", alpha=0.7, lw=0
    )
    _within(axis, picture)
    _scale(axis, drawn, bar)


def _winners(axis: "Axes", picture: Image, found: Occluded, *, size: float) -> None:
    """The most probable class by position; the most frequent ones by name, in points of size."""
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    classes, counts = np.unique(found.winner, return_counts=True)
    order = classes[np.argsort(-counts, kind="stable")]
    named = order[: len(CLASSES) - 1]
    index = np.full(found.winner.shape, len(CLASSES) - 1)
    for k, label in enumerate(named):
        index[found.winner == label] = k
    across, down = (_edges(starts, found.square) for starts in (found.lefts, found.tops))
    _faint(axis, picture)
    axis.pcolormesh(
        across, down, index, cmap=ListedColormap(CLASSES), vmin=0, vmax=len(CLASSES) - 1,
        alpha=0.6, lw=0,
    )  # fmt: skip
    _within(axis, picture)
    _bare(axis, "most probable class")
    patches = [
        Patch(color=CLASSES[k], label=shortened(found.names[int(label)], 13))
        for k, label in enumerate(named)
    ]
    if len(order) > len(named):
        patches.append(Patch(color=CLASSES[-1], label=f"{len(order) - len(named)} others"))
    axis.legend(
        handles=patches, fontsize=size, frameon=False, loc="upper center", ncols=2,
        bbox_to_anchor=(0.5, -0.01), handlelength=1, columnspacing=0.8,
    )  # fmt: skip


def _edges(starts: Sequence[int], square: int) -> NDArray[np.float64]:
    """Borders half way between the square's middles."""
    middles = np.asarray(starts, float) + square / 2 - 0.5
    if len(middles) == 1:
        return np.array([middles[0] - square / 2, middles[0] + square / 2])
    between = (middles[1:] + middles[:-1]) / 2
    first, last = 2 * middles[0] - between[0], 2 * middles[-1] - between[-1]
    return np.concatenate(([first], between, [last]))


def _within(axis: "Axes", picture: Image) -> None:
    height, width = picture.shape[:2]
    axis.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5), aspect="equal")
