"""A computational graph as a picture: boxes and arrows, values above, gradients below.

The inputs stand left, the result right; each step of the computation is a frame, with what it is
about in the accent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hubel.mistakes import Mistake
from hubel.report.drawing import ACCENT, INK, MUTED, panels, png, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_FRAMES = 24  # on a sheet: of longer computations the last ones are shown


@dataclass(frozen=True)
class Box:
    """A node: what stands in it; value and gradient as text, empty until they are there."""

    text: str
    inputs: tuple[int, ...]
    value: str = ""
    gradient: str = ""


@dataclass(frozen=True)
class Frame:
    """The boxes after a step, the box that it was about (None: no one), and a line of words."""

    boxes: tuple[Box, ...]
    about: int | None
    words: str


def graph_picture(frame: Frame) -> bytes:
    """One frame, large, as PNG. Raises Mistake for a graph without boxes."""
    return frames_picture([frame], columns=1, scale=1.5)


def frames_picture(frames: Sequence[Frame], *, columns: int = 3, scale: float = 1.0) -> bytes:
    """The frames in reading order, PNG; at most the last MOST_FRAMES."""
    if not frames or not frames[0].boxes:
        raise Mistake("There is no graph to draw: it has no node.")
    shown = list(frames)[-MOST_FRAMES:]
    places = layout([box.inputs for box in shown[0].boxes])
    across = 1 + max(x for x, _ in places)
    down = 1 + max(y for _, y in places) - min(y for _, y in places)
    columns = min(columns, len(shown), max(1, round(9 / across)) if len(shown) > 1 else 1)
    rows = -(-len(shown) // columns)
    with style():
        figure, axes = panels(
            rows, columns, width=scale * (40 + 92 * across), height=scale * (46 + 66 * down)
        )
        for i, one in enumerate(axes):
            one.set_axis_off()
            if i < len(shown):
                _draw(one, shown[i], places, scale)
        return png(figure)


def layout(inputs: Sequence[tuple[int, ...]]) -> list[tuple[float, float]]:
    """(column, height) of each node: behind its inputs, at the middle of those it feeds.

    inputs: of each node, indices of earlier ones; the last node is the result. Nodes of a column
    are at least 1 apart.
    """
    n = len(inputs)
    column = [0] * n
    for i in range(n):
        column[i] = 1 + max((column[j] for j in inputs[i]), default=-1)
    fed: list[list[int]] = [[i for i in range(n) if j in inputs[i]] for j in range(n)]
    for i in range(n - 2, -1, -1):  # each stands right before the first that needs it
        column[i] = min((column[k] for k in fed[i]), default=column[i] + 1) - 1
    height = [0.0] * n
    for at in range(max(column), -1, -1):
        members = [i for i in range(n) if column[i] == at]
        wanted = {i: _middle([height[k] + _lean(inputs[k], i) for k in fed[i]]) for i in members}
        members.sort(key=lambda i: (-wanted[i], i))
        taken: list[float] = []
        for i in members:
            taken.append(min([wanted[i], *([taken[-1] - 1] if taken else [])]))
        shift = _middle([wanted[i] - y for i, y in zip(members, taken, strict=True)])
        for i, y in zip(members, taken, strict=True):
            height[i] = y + shift
    return [(float(x), y) for x, y in zip(column, height, strict=True)]


def _lean(inputs: tuple[int, ...], one: int) -> float:
    """The first input stands a little above the node, the last a little below."""
    return (len(inputs) - 1) / 2 - inputs.index(one)


def _middle(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _draw(axes: "Axes", frame: Frame, places: Sequence[tuple[float, float]], scale: float) -> None:
    size = 9.0 * (1 + (scale - 1) / 2)
    for i, box in enumerate(frame.boxes):
        for j in box.inputs:
            axes.annotate(
                "", xy=places[i], xytext=places[j], zorder=1,
                arrowprops={"arrowstyle": "-|>", "color": MUTED, "lw": 1.0,
                            "shrinkA": 16 * scale, "shrinkB": 20 * scale},
            )  # fmt: skip
    for i, (box, (x, y)) in enumerate(zip(frame.boxes, places, strict=True)):
        edge = ACCENT if i == frame.about else MUTED
        axes.text(
            x, y, box.text, size=size, ha="center", va="center", zorder=3,
            bbox={"boxstyle": "round,pad=0.45", "fc": "white", "ec": edge,
                  "lw": 1.8 if i == frame.about else 1.0},
        )  # fmt: skip
        for text, side, colour in ((box.value, 1, INK), (box.gradient, -1, ACCENT)):
            axes.annotate(
                text, (x, y), xytext=(0, side * 15 * scale), textcoords="offset points",
                size=size, color=colour, ha="center", va="bottom" if side > 0 else "top",
                weight="bold" if i == frame.about else "normal", zorder=4,
                bbox={"boxstyle": "square,pad=0.05", "fc": "white", "lw": 0} if text else None,
            )  # fmt: skip
    xs, ys = [x for x, _ in places], [y for _, y in places]
    axes.set_xlim(min(xs) - 0.55, max(xs) + 0.6)
    axes.set_ylim(min(ys) - 0.75, max(ys) + 0.75)
    axes.set_title(frame.words, size=size, color=INK, loc="left")
