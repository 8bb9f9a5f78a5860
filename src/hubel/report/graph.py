"""A computational graph as a picture: boxes and arrows, values above, gradients below.

The inputs stand left, the result right; each step of the computation is a frame, with what it is
about in the accent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from hubel.mistakes import Mistake
from hubel.report.drawing import ACCENT, INK, MUTED, canvas, png, style
from hubel.report.graph_layout import Layout, Point, layout

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.path import Path

MOST_FRAMES, MOST_BOXES = 60, 1200  # on a sheet: of longer computations the last are shown
MOST_PIXELS = 20_000  # along a side: what is longer is drawn smaller
PAGE = 1600.0  # points: a sheet is as wide, unless one frame is wider
SIZE = 10.0  # of the letters, in points
BOX = 20.0  # the height of a box
MARGIN, HEAD = 14.0, 22.0  # around a frame, and over it for its words


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
    return frames_picture([frame], scale=3.0)


def last_frames(frames: Sequence[Frame]) -> Sequence[Frame]:
    """Those that a sheet has room for, at least one."""
    boxes = max(1, len(frames[0].boxes)) if frames else 1
    return frames[-max(1, min(MOST_FRAMES, MOST_BOXES // boxes)) :]


def frames_picture(frames: Sequence[Frame], *, scale: float = 2.0) -> bytes:
    """The last frames of one graph in reading order, PNG; see `last_frames`.

    scale: pixels to the point. Raises Mistake for a graph without boxes.
    """
    if not frames or not frames[0].boxes:
        raise Mistake("There is no graph to draw: it has no node.")
    shown = last_frames(frames)
    inputs = [box.inputs for box in shown[0].boxes]
    wide = [_wide([frame.boxes[i] for frame in shown]) for i in range(len(inputs))]
    boxes = [_measured(box.text) + 14 for box in shown[0].boxes]
    places = layout(inputs, wide)
    words = max(_measured(frame.words) for frame in shown)
    head = HEAD if words else 0.0
    across, down = max(places.width, words) + 2 * MARGIN, places.height + 2 * MARGIN + head
    columns = max(1, min(len(shown), 4, int(PAGE // across)))
    rows = -(-len(shown) // columns)
    with style():
        figure, axes = canvas(across * columns, down * rows, left=0, right=0, top=0, bottom=0)
        axes.set_axis_off()
        axes.set(xlim=(0, across * columns), ylim=(down * rows, 0))  # in points, from the top left
        for i, frame in enumerate(shown):
            x, y = across * (i % columns) + MARGIN, down * (i // columns) + MARGIN
            axes.text(x, y + 4, frame.words, size=SIZE, va="center", color=INK)
            left = x + (across - 2 * MARGIN - places.width) * (0.5 if len(shown) == 1 else 0)
            _draw(axes, frame, places, boxes, (left, y + head))
        longest = max(across * columns, down * rows)
        return png(figure, scale=min(scale, MOST_PIXELS / longest))


def _draw(
    axes: "Axes", frame: Frame, places: Layout, boxes: Sequence[float], corner: Point
) -> None:
    """A frame, its top left at `corner`. boxes: their widths, without what stands above them."""
    from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

    for i, ways in enumerate(places.ways):
        for j, points in zip(frame.boxes[i].inputs, ways, strict=True):
            # from edge to edge of the boxes themselves, which may be narrower than their numbers
            start, *between, end = points
            start = places.places[j][0] + boxes[j] / 2, start[1]
            end = places.places[i][0] - boxes[i] / 2, end[1]
            axes.add_artist(
                FancyArrowPatch(
                    path=_path([(x + corner[0], y + corner[1]) for x, y in (start, *between, end)]),
                    arrowstyle="-|>,head_length=4,head_width=2", color=MUTED, lw=1, zorder=1,
                )
            )  # fmt: skip
    for i, (box, place) in enumerate(zip(frame.boxes, places.places, strict=True)):
        x, y = place[0] + corner[0], place[1] + corner[1]
        about = i == frame.about
        axes.add_artist(
            FancyBboxPatch(
                (x - boxes[i] / 2 + 5, y - BOX / 2 + 5), boxes[i] - 10, BOX - 10,
                boxstyle="round,pad=5", fc="white", ec=ACCENT if about else MUTED,
                lw=1.8 if about else 1.0, zorder=2,
            )
        )  # fmt: skip
        axes.text(x, y, box.text, size=SIZE, ha="center", va="center_baseline", zorder=3)
        for text, side, colour in ((box.value, -1, INK), (box.gradient, 1, ACCENT)):
            axes.text(
                x, y + side * (BOX / 2 + 9), text, size=SIZE, color=colour, ha="center",
                va="center", weight="bold" if about else "normal", zorder=3,
            )  # fmt: skip


def _path(points: Sequence[Point]) -> "Path":
    """Level where two points are as high as each other, else a curve that begins and ends level."""
    from matplotlib.path import Path

    codes, through = [Path.MOVETO], [points[0]]
    for (x, y), (to_x, to_y) in pairwise(points):
        middle = (x + to_x) / 2
        through += [(middle, y), (middle, to_y), (to_x, to_y)]
        codes += [Path.CURVE4] * 3
    return Path(through, codes)


def _wide(boxes: Sequence[Box]) -> float:
    """The width of a box over all frames, with the numbers above and below it."""
    numbers = {text for box in boxes for text in (box.value, box.gradient)}
    return max(_measured(boxes[0].text) + 14, *(_measured(text) * 1.1 + 4 for text in numbers))


def _measured(text: str) -> float:
    """How wide a text is, in points."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    if not text.strip():
        return 0.0
    font = FontProperties(family="DejaVu Sans")
    return float(TextPath((0, 0), text, size=SIZE, prop=font).get_extents().width)
