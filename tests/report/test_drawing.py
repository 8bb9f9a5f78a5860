import re
import threading
import warnings

import matplotlib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubel.report.drawing import ACCENT, INK, canvas, columns, legible, png, shortened, style, svg


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
