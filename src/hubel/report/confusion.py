"""The confusion matrix, from 2 classes to hundreds."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hubel.mistakes import Mistake
from hubel.report.drawing import ACCENT, MUTED, canvas, columns, shortened, style, svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class _Look(NamedTuple):
    """How a matrix of up to `classes` classes is drawn; sizes in points."""

    classes: int
    cell: float
    names: float
    counts: float | None
    letters: int


# above 100 classes the last row's matrix shrinks its cells and names every so many
_LOOKS = (
    _Look(4, 52, 11, 12, 22),
    _Look(12, 28, 10, 9.5, 16),
    _Look(30, 21, 9, 7.5, 16),
    _Look(100, 9, 8.3, None, 14),
)
_RIGHT_ANSWERS = 0.32  # the opacity of a whole row in one cell
_WRONG_ANSWERS = 0.75


class Confusion(NamedTuple):
    """So many pictures of class `true` were called `predicted`: a share in [0, 1] of all of it."""

    true: str
    predicted: str
    pictures: int
    share: float


def confusion(matrix: NDArray[np.int64], classes: Sequence[str]) -> bytes:
    """The matrix as SVG: rows true, columns predicted, right answers grey, wrong ones coloured.

    matrix (K, K) counts. A cell is as strong as the square root of its share of its row, so that
    rare mistakes can be seen at all. Up to 30 classes the counts are written in, up to 100 every
    class is named. Raises Mistake for a shape that does not fit the classes.
    """
    _check(matrix, classes)
    k = len(classes)
    look = next((row for row in _LOOKS if k <= row.classes), _LOOKS[-1])
    cell = min(look.cell, look.cell * look.classes / k)
    names = [shortened(name, look.letters) for name in classes]
    longest = 0.62 * look.names * max(map(columns, names))
    level = longest < cell  # the names of the columns fit above their cells as they are
    slanted = 0.0 if level else longest * math.sqrt(0.5)
    left, right, top = longest + 24, slanted + 8, slanted + 38
    with style():
        width, height = left + k * cell + right, top + k * cell + 6
        figure, axes = canvas(width, height, left=left, right=right, top=top, bottom=6)
        axes.imshow(_colours(matrix), extent=(0, k, k, 0), interpolation="none", aspect="auto")
        axes.set_axis_off()
        _rule(axes, k)
        for i in range(0, k, math.ceil(k / 100)):
            _name(axes, i, names[i], size=look.names, gap=4 / cell, level=level)
        if look.counts is not None:
            for i, j in np.argwhere(matrix).tolist():
                count = _count(int(matrix[i, j]))
                axes.text(j + 0.5, i + 0.5, count, size=look.counts, ha="center", va="center")
        axes.text(0, -(top - 11) / cell, "predicted →", color=MUTED, va="center")
        axes.text(
            -(left - 9) / cell, k / 2, "← true", color=MUTED, ha="center", va="center", rotation=90
        )
        return svg(figure)


def _rule(axes: "Axes", k: int) -> None:
    """A grid that is hardly there, in a frame; limits in cells, the first row on top."""
    for line in range(k + 1):
        opacity = 0.9 if line in (0, k) else 0.18
        axes.axhline(line, color=MUTED, lw=0.6, alpha=opacity)
        axes.axvline(line, color=MUTED, lw=0.6, alpha=opacity)
    axes.set_xlim(0, k)
    axes.set_ylim(k, 0)


def _name(axes: "Axes", i: int, name: str, *, size: float, gap: float, level: bool) -> None:
    """The name of class i before its row and above its column, `gap` cells away from them."""
    axes.text(-gap, i + 0.5, name, size=size, ha="right", va="center")
    if level:
        axes.text(i + 0.5, -gap, name, size=size, ha="center", va="bottom")
    else:
        axes.text(i + 0.5, -gap, name, size=size, rotation=45, rotation_mode="anchor")


def worst(matrix: NDArray[np.int64], classes: Sequence[str], most: int = 8) -> list[Confusion]:
    """The most frequent confusions, most pictures first, of equal counts the larger share first.

    >>> worst(np.array([[8, 2], [0, 5]]), ["cat", "dog"])
    [Confusion(true='cat', predicted='dog', pictures=2, share=0.2)]
    """
    _check(matrix, classes)
    wrong = matrix * (1 - np.eye(len(classes), dtype=matrix.dtype))
    shares = wrong / np.maximum(matrix.sum(1, keepdims=True), 1)
    order = np.lexsort((-shares.ravel(), -wrong.ravel()))[:most]
    pairs = [divmod(int(place), len(classes)) for place in order]
    return [
        Confusion(classes[i], classes[j], int(wrong[i, j]), float(wrong[i, j] / matrix[i].sum()))
        for i, j in pairs
        if wrong[i, j] > 0
    ]


def _colours(matrix: NDArray[np.int64]) -> NDArray[np.float64]:
    """(K, K) counts → RGBA (K, K, 4) in [0, 1]; nothing counted is transparent."""
    share = np.sqrt(matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1))
    right = np.eye(len(matrix), dtype=bool)[..., None]
    colour = np.where(right, _rgb(MUTED), _rgb(ACCENT))
    opacity = np.where(right[..., 0], _RIGHT_ANSWERS, _WRONG_ANSWERS) * share
    return np.concatenate([colour, opacity[..., None]], axis=2)


def _rgb(colour: str) -> NDArray[np.float64]:
    return np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255


def _count(n: int) -> str:
    return str(n) if n < 10_000 else f"{n / 1000:.0f}k"


def _check(matrix: NDArray[np.int64], classes: Sequence[str]) -> None:
    k = len(classes)
    if k == 0 or matrix.shape != (k, k):
        raise Mistake(
            f"A confusion matrix of {k} classes has the shape ({k}, {k}), not {matrix.shape}: "
            "give one row and one column for each class."
        )
