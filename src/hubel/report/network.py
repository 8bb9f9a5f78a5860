"""A network as a picture: boxes with names and shapes, branches side by side, shortcuts drawn.

And as a page: the picture, and the table of its layers.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hubel.basics.summary import HEAD, NUMBERS
from hubel.findings import Drawing
from hubel.report.boxes import Box, Layer, boxes
from hubel.report.drawing import ACCENT, INK, MUTED, canvas, png, shortened, style
from hubel.report.html import HERE, Onward, render
from hubel.report.lecture import picture_of
from hubel.report.placing import BOX_HEIGHT, FRAME_BOTTOM, FRAME_TOP, SIDE, Place, Placing, placed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Layer", "drawn", "network_page"]

_MARGIN, _HEAD = 18.0, 62.0
_LETTER = 4.75  # an average one's width at the boxes' 7.5 points
_NARROW, _WIDE = 150.0, 250.0


def drawn(
    layers: Sequence[Layer], *, title: str, picture: tuple[int, int, int], note: str = ""
) -> bytes:
    """The picture of a network as PNG.

    layers: in the order in which they run, with the indices of their inputs. What only finishes a
    layer (norm, activation, dropout) is in its box; the parts of a module with branches stand in a
    frame; in long networks, what repeats is drawn once with its number. picture: (C, H, W) of what
    it is given. note: a line under the title.
    """
    made = boxes(layers)
    longest = max((len(line) for box in made for line in (box.title, box.text)), default=0)
    width = min(max(longest * _LETTER + 14, _NARROW), _WIDE)
    placing = placed(made, width)
    wide = max(placing.width, len(note) * _LETTER * 1.1)
    with style():
        figure, axes = canvas(
            wide + 2 * _MARGIN,
            placing.height + _HEAD + _MARGIN,
            left=_MARGIN,
            right=_MARGIN,
            top=_HEAD,
            bottom=_MARGIN,
        )
        axes.set_axis_off()
        axes.set_xlim(0, wide)
        axes.set_ylim(placing.height, 0)
        axes.annotate(title, (0, 1), (0, 42), xycoords="axes fraction", fontsize=13,
                      textcoords="offset points", va="center", weight="bold")  # fmt: skip
        axes.annotate(note, (0, 1), (0, 26), xycoords="axes fraction", fontsize=8.5,
                      textcoords="offset points", va="center", color=MUTED)  # fmt: skip
        _frames(axes, made, placing)
        _edges(axes, made, placing)
        sides = "×".join(map(str, picture))
        _box(axes, placing.places[0], "picture", sides, edge=MUTED, fill="white")
        for box, place in zip(made, placing.places[1:], strict=True):
            edge, fill = _colours(box)
            _box(axes, place, box.title, box.text, edge=edge, fill=fill)
        return png(figure)


def network_page(
    picture: bytes,
    table: Sequence[Sequence[str]],
    totals: Sequence[str],
    facts: Mapping[str, Any],
    onward: Onward = HERE,
) -> str:
    """The whole page as HTML.

    picture: as `drawn` makes it. table: the layers, below HEAD; totals: what they come to. facts:
    name, source, note, parameters, multiply_adds, depth, receptive_field, pixels, published.
    """
    caption = (
        "Layers with weights are orange, poolings grey. Norms, activations and dropout stand in "
        "the box of the layer that they follow; a part that repeats is drawn once, with its count."
    )
    rounds = any(row[-1] for row in table)
    columns = slice(None if rounds else -1)
    return render(
        "network.html",
        onward=onward,
        picture=picture_of(Drawing(facts["name"], picture, caption)),
        head=[name or "rounding" for name in HEAD[columns]],
        numbers=NUMBERS,
        layers=[row[columns] for row in table],
        rounds=rounds,
        totals=totals,
        facts=facts,
    )


def _colours(box: Box) -> tuple[str, str]:
    """Layers with weights are warm, poolings grey, the rest white."""
    if box.layer.weighted:
        return ACCENT, "#fbeee6"
    if box.pools:
        return MUTED, "#e7e9ec"
    return (INK if box.joins else MUTED), "white"


def _box(axes: "Axes", place: Place, title: str, text: str, *, edge: str, fill: str) -> None:
    from matplotlib.patches import FancyBboxPatch

    axes.add_patch(
        FancyBboxPatch(
            (place.x - place.width / 2 + 3, place.y + 3),
            place.width - 6,
            BOX_HEIGHT - 6,
            boxstyle="round,pad=3,rounding_size=4",
            facecolor=fill,
            edgecolor=edge,
            linewidth=0.9,
            zorder=3,
            clip_on=False,
        )
    )
    room = int((place.width - 10) / _LETTER)
    for line, drop, weight in ((title, 9.5, "bold"), (text, 20.5, "normal")):
        axes.text(place.x, place.y + drop, shortened(line, room), ha="center", va="center",
                  fontsize=7.5, weight=weight, zorder=4)  # fmt: skip


def _frames(axes: "Axes", made: Sequence[Box], placing: Placing) -> None:
    from matplotlib.patches import FancyBboxPatch

    parts: dict[str, list[int]] = {}
    for i, box in enumerate(made):
        if box.frame:
            parts.setdefault(box.frame, []).append(i)
    for members in parts.values():
        places = [placing.places[i + 1] for i in members]
        left = min(place.x - place.width / 2 for place in places) - SIDE + 8
        right = max(place.x + place.width / 2 for place in places) + 5
        top = min(place.y for place in places) - FRAME_TOP + 2
        bottom = max(place.y for place in places) + BOX_HEIGHT + FRAME_BOTTOM - 2
        shape = FancyBboxPatch((left, top), right - left, bottom - top, zorder=0, clip_on=False,
                               boxstyle="round,pad=0,rounding_size=5", linewidth=0.8,
                               facecolor="#f6f7f8", edgecolor="#d5d8dd")  # fmt: skip
        axes.add_patch(shape)
        # at the right, where no edge passes
        room = int((places[0].width / 2 - 4) / 4)
        heading = shortened(made[members[0]].heading, room)
        axes.text(right - 6, top + 8, heading, fontsize=7, ha="right", va="center",
                  color="#5c626c", zorder=2)  # fmt: skip


def _edges(axes: "Axes", made: Sequence[Box], placing: Placing) -> None:
    for i, box in enumerate(made):
        for source in box.inputs:
            above, below = placing.places[source + 1], placing.places[i + 1]
            if above.column != below.column:
                _around(axes, above, below, placing)
            elif _blocked(placing, source, i):
                _beside(axes, above, below)
            else:
                _down(axes, above, below)


def _blocked(placing: Placing, source: int, target: int) -> bool:
    """Whether other boxes stand between the two in the lane that the edge would take."""
    above, below = placing.places[source + 1], placing.places[target + 1]
    lane = _lane(above, below)
    return any(
        place.lane <= lane <= place.until
        for place in placing.places
        if place.column == above.column and above.rank < place.rank < below.rank
    )


def _lane(above: Place, below: Place) -> int:
    """The lane that an edge goes down in."""
    return below.lane if above.lane <= below.lane <= above.until else above.lane


def _down(axes: "Axes", above: Place, below: Place) -> None:
    """Straight where both have a lane in common; else from the upper box's over to the lower's."""
    narrow = above if above.width <= below.width else below
    start, end = above.y + BOX_HEIGHT, below.y
    if below.lane <= narrow.lane <= below.until and above.lane <= narrow.lane <= above.until:
        _arrow(axes, [(narrow.x, start), (narrow.x, end)])
        return
    turn = end - 6.5 if below.lane > above.lane else start + 6.5
    x, to = above.x, below.x
    if above.lane <= below.lane <= above.until:
        x = to
    _arrow(axes, [(x, start), (x, turn), (to, turn), (to, end)])


def _beside(axes: "Axes", above: Place, below: Place) -> None:
    """A shortcut: out at the left, down past what it leaves out, and in again from the left."""
    left = below.x - below.width / 2
    out = min(above.x - above.width / 2, left) - 10
    y, end = above.y + BOX_HEIGHT + 5, below.y + BOX_HEIGHT / 2
    start = above.x - above.width / 2 + 16
    points = [(start, above.y + BOX_HEIGHT), (start, y), (out, y), (out, end), (left, end)]
    _arrow(axes, points, colour=INK, width=1.3)


def _around(axes: "Axes", above: Place, below: Place, placing: Placing) -> None:
    """From the foot of one column to the head of the next, or past its first boxes."""
    right = max(
        place.x + place.width / 2 for place in placing.places if place.column == above.column
    )
    foot, head = above.y + BOX_HEIGHT + 8, -8.0
    x = right + 9
    points = [(above.x, above.y + BOX_HEIGHT), (above.x, foot), (x, foot), (x, head)]
    if below.rank == min(place.rank for place in placing.places if place.column == below.column):
        _arrow(axes, [*points, (below.x, head), (below.x, below.y)])
        return
    left, end = below.x - below.width / 2, below.y + BOX_HEIGHT / 2  # a shortcut
    out = left - 10
    _arrow(axes, [*points, (out, head)], head=False)
    _arrow(axes, [(out, head), (out, end), (left, end)], colour=INK, width=1.3)


def _arrow(
    axes: "Axes",
    points: Sequence[tuple[float, float]],
    *,
    colour: str = "#5c626c",
    width: float = 0.9,
    head: bool = True,
) -> None:
    xs, ys = zip(*points, strict=True)
    axes.plot(xs, ys, color=colour, lw=width, solid_joinstyle="round", zorder=2, clip_on=False)
    if head:
        props = {"arrowstyle": "-|>,head_width=0.16,head_length=0.3", "color": colour, "lw": width}
        axes.annotate("", points[-1], points[-2], zorder=2, annotation_clip=False,
                      arrowprops={**props, "shrinkA": 0, "shrinkB": 0})  # fmt: skip
