"""The drawn graph: nothing on top of each other, arrows to the right, frames as many as steps."""

import io
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from hubel.mistakes import Mistake
from hubel.report.graph import (
    MOST_BOXES,
    MOST_FRAMES,
    MOST_PIXELS,
    Box,
    Frame,
    frames_picture,
    graph_picture,
    last_frames,
)
from hubel.report.graph_layout import ROW, layout

LECTURE = [(), (), (0, 1), (), (2, 3)]


@st.composite
def graphs(draw: st.DrawFn) -> list[tuple[int, ...]]:
    n = draw(st.integers(1, 20))
    rows: list[tuple[int, ...]] = [()]
    for i in range(1, n):
        before = st.integers(0, i - 1)
        rows.append(tuple(draw(st.lists(before, max_size=2, unique=True))))
    return rows


WIDTHS = st.lists(st.floats(20, 200), min_size=20, max_size=20)


@settings(max_examples=100)
@given(graphs(), WIDTHS)
def test_nothing_is_on_top_of_anything(rows: list[tuple[int, ...]], widths: list[float]) -> None:
    found = layout(rows, widths[: len(rows)])
    boxes = [
        (x - w / 2, x + w / 2, y - ROW / 2, y + ROW / 2)
        for (x, y), w in zip(found.places, widths, strict=False)
    ]
    for i, (left, right, top, bottom) in enumerate(boxes):
        assert -1e-6 < left < right < found.width + 1e-6
        assert -1e-6 < top < bottom < found.height + 1e-6
        assert all(boxes[j][1] < left for j in rows[i])  # inputs stand left of it
        for other in boxes[:i]:
            apart = other[1] < left or right < other[0]
            assert apart or other[3] < top + 1e-6 or bottom < other[2] + 1e-6
    for i, ways in enumerate(found.ways):
        for j, points in zip(rows[i], ways, strict=True):
            others = [box for k, box in enumerate(boxes) if k not in (i, j)]
            for start, end in pairwise(points):
                assert start[0] <= end[0] + 1e-6
                assert not any(_meets(start, end, box) for box in others)


def _meets(
    start: tuple[float, float], end: tuple[float, float], box: tuple[float, float, float, float]
) -> bool:
    """Whether the rectangle that the piece of an arrow stays within overlaps the box."""
    left, right, top, bottom = box
    low, high = sorted((start[1], end[1]))
    slack = 1e-6
    return (
        start[0] < right - slack and end[0] > left + slack
        and low < bottom - slack and high > top + slack
    )  # fmt: skip


def test_the_lectures_graph() -> None:
    x, y, q, z, f = layout(LECTURE, [30.0] * 5).places
    assert x[0] == y[0] < q[0] == z[0] < f[0]
    assert x[1] < y[1]  # from the top
    assert q[1] < z[1]


def test_arrows_end_where_the_boxes_are_in_their_order() -> None:
    found = layout([(), (), (1, 0)], [30.0, 50.0, 40.0])
    assert found.ways[2][0][0][1] == found.places[1][1]  # its first input's height
    assert {way[-1][0] for way in found.ways[2]} == {found.places[2][0] - 20}
    heights = [way[-1][1] for way in found.ways[2]]
    assert (heights[0] < heights[1]) == (found.places[1][1] < found.places[0][1])
    twice = layout([(), (0, 0)], [30.0, 30.0])
    assert len({way[-1] for way in twice.ways[1]}) == 2  # x · x: two arrows


def test_arrows_do_not_cross_needlessly() -> None:
    # two chains that meet at the end: however their inputs are numbered, they run side by side
    rows: list[tuple[int, ...]] = [(), (), (1,), (0,), (2,), (3,), (4, 5)]
    y = [place[1] for place in layout(rows, [30.0] * 7).places]
    assert (y[1] < y[0]) == (y[2] < y[3]) == (y[4] < y[5])
    # the first order found crosses once here; none has to
    found = layout([(), (0,), (0,), (2, 1), (3, 2)], [30.0] * 5)
    passing = found.ways[4][1][2][1]  # from box 2 past box 3
    assert (passing < found.places[3][1]) == (found.places[2][1] < found.places[1][1])


def frame(words: str = "") -> Frame:
    boxes = [Box(name, inputs, "1", "−2") for name, inputs in zip("xyqzf", LECTURE, strict=True)]
    return Frame(tuple(boxes), 2, words)


def test_pictures() -> None:
    one = Image.open(io.BytesIO(graph_picture(frame())))
    several = Image.open(io.BytesIO(frames_picture([frame(str(i)) for i in range(5)])))
    assert one.format == several.format == "PNG"
    assert several.width > 2 * one.width / 1.5  # one is drawn 1.5 times as large
    with pytest.raises(Mistake, match="no node"):
        graph_picture(Frame((), None, ""))


def test_a_sheet_has_room_for_so_many() -> None:
    assert len(last_frames([frame()] * (MOST_FRAMES + 30))) == MOST_FRAMES
    large = Frame(tuple(Box("x", (), "", "") for _ in range(MOST_BOXES // 4)), None, "")
    assert len(last_frames([large] * 9)) == 4
    frames = [frame(str(i)) for i in range(7)]
    assert list(last_frames(frames)) == frames


@pytest.mark.slow
def test_a_long_graph_is_drawn_smaller() -> None:
    boxes = tuple(Box(f"q{i} = q{i - 1}", (i - 1,) if i else ()) for i in range(200))
    one = Image.open(io.BytesIO(graph_picture(Frame(boxes, None, ""))))
    assert 0.9 * MOST_PIXELS < one.width <= MOST_PIXELS + 1
