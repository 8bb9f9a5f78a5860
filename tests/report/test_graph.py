"""The drawn graph: nothing on top of each other, arrows to the right, frames as many as steps."""

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from hubel.mistakes import Mistake
from hubel.report.graph import MOST_FRAMES, Box, Frame, frames_picture, graph_picture, layout

LECTURE = [(), (), (0, 1), (), (2, 3)]


@st.composite
def graphs(draw: st.DrawFn) -> list[tuple[int, ...]]:
    n = draw(st.integers(1, 20))
    rows: list[tuple[int, ...]] = [()]
    for i in range(1, n):
        before = st.integers(0, i - 1)
        rows.append(tuple(draw(st.lists(before, max_size=2, unique=True))))
    return rows


@settings(max_examples=150, deadline=None)
@given(graphs())
def test_nodes_keep_apart_and_stand_behind_their_inputs(rows: list[tuple[int, ...]]) -> None:
    places = layout(rows)
    for i, (x, y) in enumerate(places):
        assert all(places[j][0] < x for j in rows[i])
        for other_x, other_y in places[:i]:
            assert other_x != x or abs(other_y - y) > 0.999


def test_the_lectures_graph() -> None:
    x, y, q, z, f = layout(LECTURE)
    assert x[0] == y[0] < q[0] == z[0] < f[0]
    assert x[1] > y[1]
    assert q[1] > z[1]


def frame(words: str = "") -> Frame:
    boxes = [Box(name, inputs, "1", "−2") for name, inputs in zip("xyqzf", LECTURE, strict=True)]
    return Frame(tuple(boxes), 2, words)


def test_pictures() -> None:
    one = Image.open(io.BytesIO(graph_picture(frame())))
    several = Image.open(io.BytesIO(frames_picture([frame(str(i)) for i in range(5)])))
    assert one.format == several.format == "PNG"
    assert several.height > one.height / 1.5
    many = Image.open(io.BytesIO(frames_picture([frame()] * (MOST_FRAMES + 30))))
    enough = Image.open(io.BytesIO(frames_picture([frame()] * MOST_FRAMES)))
    assert many.size == enough.size
    with pytest.raises(Mistake, match="no node"):
        graph_picture(Frame((), None, ""))
