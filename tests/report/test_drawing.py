import re
import threading
import warnings

import matplotlib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubel.report.drawing import (
    ACCENT,
    INK,
    canvas,
    columns,
    in_percent,
    legend_above,
    legend_below,
    legend_under,
    legible,
    panels,
    png,
    shortened,
    style,
    svg,
)


@given(st.text(max_size=60), st.integers(3, 40))
def test_shortened_fits_and_keeps_what_fits(text: str, width: int) -> None:
    short = shortened(text, width)
    assert columns(short) <= width
    if columns(text) <= width:
        assert short == legible(text)


@given(st.text(st.characters(codec=None)))
def test_legible_text_can_be_written_and_is_left_alone_the_second_time(text: str) -> None:
    once = legible(text)
    once.encode()
    assert legible(once) == once
    assert len(once) == len(text)


def test_legends_cover_no_line() -> None:
    with style():
        one, axes = canvas(276, 220, left=44, right=8, top=38, bottom=34)
        several, beside = panels(1, 2)
        for each in (axes, *beside):
            for name in ("training: augmented, smoothed", "validation"):
                each.plot([0, 1], [0, 1], label=name)
        legend_above(axes)
        legend_below(several, columns=2, title="weight")
        for figure in (one, several):
            figure.draw_without_rendering()
            [legend] = [*figure.legends, *(axis.legend_ for axis in figure.axes if axis.legend_)]
            box = legend.get_window_extent()
            assert not any(box.overlaps(axis.get_window_extent()) for axis in figure.axes)
            assert figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1
            assert figure.bbox.y0 <= box.y0 < box.y1 <= figure.bbox.y1
        assert [text.get_text() for text in several.legends[0].get_texts()] == [
            "training: augmented, smoothed", "validation",
        ]  # fmt: skip


def test_a_legend_under_one_of_several_panels_covers_none() -> None:
    with style():
        figure, axes = panels(2, 2)
        for each in axes:
            each.plot([0, 1], [0, 1], label="a line")
            each.set(xlabel="epoch", title="a panel")
            legend_under(each, columns=2)
        figure.draw_without_rendering()
        for each in axes:
            box = each.legend_.get_window_extent()
            assert not any(box.overlaps(axis.get_window_extent()) for axis in axes)
            assert box.y1 < each.xaxis.label.get_window_extent().y0
            assert not any(box.overlaps(axis.title.get_window_extent()) for axis in axes)


def test_ticks_are_percentages_whatever_is_all() -> None:
    with style():
        _, axes = panels(1, 2)
        for axis, whole in zip(axes, (1.0, 100.0), strict=True):
            axis.plot([0, 1], [0, 0.15 * whole])
            in_percent(axis.yaxis, whole=whole)
            axis.set_yticks([0, 0.15 * whole])
            assert [text.get_text() for text in axis.get_yticklabels()] == ["0 %", "15 %"]


def test_rc_params_and_warnings_are_left_as_found() -> None:
    before, filters = dict(matplotlib.rcParams), list(warnings.filters)
    with style():
        assert matplotlib.rcParams["svg.fonttype"] == "none"
    assert dict(matplotlib.rcParams) == before
    assert warnings.filters == filters
    with pytest.raises(ZeroDivisionError), style():
        _ = 1 / 0
    assert dict(matplotlib.rcParams) == before


def test_two_threads_that_draw_leave_rc_params_as_found() -> None:
    before = dict(matplotlib.rcParams)
    begun, second, end = threading.Event(), threading.Event(), threading.Event()

    def first() -> None:
        with style():
            begun.set()
            end.wait(60)

    def other() -> None:
        with style():
            second.set()

    threads = [threading.Thread(target=each) for each in (first, other)]
    threads[0].start()
    begun.wait(60)
    threads[1].start()
    assert not second.wait(0.2)  # the first one is at work
    end.set()
    for thread in threads:
        thread.join()
    assert dict(matplotlib.rcParams) == before


def test_an_svg_takes_its_colours_from_the_page() -> None:
    with style():
        figure, axes = canvas(100, 50, left=0, right=0, top=0, bottom=0)
        axes.plot([0, 1], color=INK)
        axes.plot([1, 0], color=ACCENT)
        text = svg(figure).decode()
    assert text.startswith("<svg")
    assert 'viewBox="0 0 100 50"' in text
    assert "stroke: currentColor" in text
    assert f"stroke: var(--accent, {ACCENT})" in text
    assert "metadata" not in text
    referred = set(re.findall(r'(?:url\(#|href="#)([^")]+)', text))
    assert set(re.findall(r' id="([^"]+)"', text)) == referred  # no "figure_1" twice in a page


def test_a_png_has_two_pixels_to_the_point() -> None:
    with style():
        figure, _ = canvas(100, 50, left=0, right=0, top=0, bottom=0)
        content = png(figure)
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    assert int.from_bytes(content[16:20], "big") == 200
    assert int.from_bytes(content[20:24], "big") == 100
