"""How every figure is drawn: one ink, one accent, and from a matplotlib Figure to bytes.

matplotlib is imported when the first figure is drawn, and only its object-oriented interface is
used: no pyplot, no figure that outlives its function, rcParams left as found.
"""

import io
import re
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from hubel.legible import legible as legible

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

INK, ACCENT, MUTED = "#1b1d21", "#c4500c", "#868c96"  # muted is legible on white and on black

_HANDLE, _LETTER = 38.0, 5.6  # points in a legend: of a line with its gaps; of a letter, generously
_POINTS = 72  # an inch; a figure's unit here is the point, which is also the unit of its SVG
_BELOW = 38  # points from an axis down to what is below its ticks and its name
_IN_A_PAGE = {INK: "currentColor", ACCENT: f"var(--accent, {ACCENT})"}
_STYLE: dict[Any, Any] = {
    "font.family": ["DejaVu Sans"],  # comes with matplotlib; a page puts its own font instead
    "font.size": 10.0,
    "text.color": INK,
    "text.parse_math": False,  # a class may be called $\frac$
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": True,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "svg.fonttype": "none",  # text stays text: it can be read aloud, found and copied
    "svg.hashsalt": "hubel",  # the same figure is the same bytes
}

_DRAWING = threading.RLock()  # rcParams are the process's


@contextmanager
def style() -> Iterator[None]:
    """The house's rcParams inside, the caller's again after.

    They are the whole process's: one thread at a time, or the second would take the house's for the
    caller's, and leave them behind. matplotlib warns of a script that its font has no glyphs for;
    in an SVG the reader's own fonts draw it.
    """
    import matplotlib

    with _DRAWING, matplotlib.rc_context(_STYLE):
        yield


def canvas(
    width: float, height: float, *, left: float, right: float, top: float, bottom: float
) -> "tuple[Figure, Axes]":
    """A figure of width × height points and its one axes, within the given margins in points."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width / _POINTS, height / _POINTS), dpi=_POINTS)
    inner = (width - left - right) / width, (height - top - bottom) / height
    return figure, figure.add_axes((left / width, bottom / height, *inner))


def panels(
    rows: int, columns: int, *, width: float = 276, height: float = 210
) -> "tuple[Figure, list[Axes]]":
    """A figure of rows × columns axes, each of width × height points with its labels.

    The axes are in reading order. matplotlib finds the margins when it draws.
    """
    from matplotlib.figure import Figure

    size = columns * width / _POINTS, rows * height / _POINTS
    figure = Figure(figsize=size, dpi=_POINTS, layout="constrained")
    return figure, [figure.add_subplot(rows, columns, i + 1) for i in range(rows * columns)]


def legend_above(axes: "Axes", *, columns: int = 1) -> None:
    """What the lines are, above the axes: inside them it would cover a line sooner or later."""
    axes.legend(
        frameon=False, fontsize=8.5, ncols=columns, handlelength=1.4, handletextpad=0.6,
        loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.3, borderpad=0.2,
    )  # fmt: skip


def legend_below(figure: "Figure", *, columns: int, title: str = "") -> None:
    """What the lines of all `panels` of a figure are, each name once, below them.

    At most so many beside each other, and fewer where their names are long.
    """
    named: dict[str, Any] = {}
    for axes in figure.axes:
        for line, name in zip(*axes.get_legend_handles_labels(), strict=True):
            named.setdefault(name, line)
    widest = max(map(_columns, named), default=0)
    fitting = int(figure.bbox.width // (_HANDLE + _LETTER * widest))
    most = int((figure.bbox.width - _HANDLE) // _LETTER)
    figure.legend(
        named.values(), [shortened(name, most) for name in named], frameon=False, fontsize=9,
        ncols=max(1, min(columns, fitting)),
        title=title or None, title_fontsize=9, loc="outside lower left",
    )  # fmt: skip


def legend_under(axes: "Axes", *, columns: int = 1) -> None:
    """What the lines of one of several `panels` are, below its own labels."""
    from matplotlib.transforms import offset_copy

    below = offset_copy(axes.transAxes, axes.get_figure(root=True), y=-_BELOW, units="points")
    axes.legend(
        frameon=False, fontsize=8.5, ncols=columns, loc="upper left", borderaxespad=0,
        bbox_to_anchor=(0, 0), bbox_transform=below,
    )  # fmt: skip


def in_percent(axis: "Axis", *, whole: float = 1.0) -> None:
    """An axis of shares, `whole` being all: its ticks as percentages."""
    axis.set_major_formatter(lambda value, _: f"{round(100 * value / whole, 6):g} %")


def plain_logs(axes: "Axes", *, decades: int = 1) -> None:
    """Plain numbers at the ticks of logarithmic axes, every so many decades, and no minor ones.

    matplotlib's own are formulas, which are not read here (see `_STYLE`).
    """
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    for axis in (axes.xaxis, axes.yaxis):
        if axis.get_scale() == "log":
            axis.set_major_locator(LogLocator(10.0**decades))
            axis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}".replace("e-0", "e-")))
            axis.set_minor_locator(NullLocator())


def svg(figure: "Figure") -> bytes:
    """The figure as SVG, without prolog, metadata or links, to stand in a page or in a file.

    Its ink is the text colour around it and its accent the page's `--accent`, so that it turns
    with the page from light to dark. Ids that nothing refers to are dropped, since several
    figures share a page.
    """
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    file = io.StringIO()
    figure.savefig(file, format="svg", transparent=True, metadata=nothing)
    text = file.getvalue()
    text = text[text.index("<svg") :]
    for colour, value in _IN_A_PAGE.items():
        text = text.replace(f": {colour}", f": {value}")
    used = set(re.findall(r'(?:url\(#|href="#)([^")]+)', text))
    text = re.sub(r' id="([^"]*)"', lambda m: m[0] if m[1] in used else "", text)
    return text.encode()


def png(figure: "Figure", *, scale: float = 2.0) -> bytes:
    """The figure as PNG on white, `scale` pixels to the point."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=_POINTS * scale, facecolor="white")
    return file.getvalue()


def shortened(text: str, width: int) -> str:
    """At most `width` columns of legible text, its middle left out; a wide character takes two.

    Both ends are kept, because long class names tend to differ at one of them.

    >>> shortened("Egyptian cat", 8)
    'Egyp…cat'
    >>> shortened("猫の写真です", 7)
    '猫…です'
    """
    text = legible(text)
    if _columns(text) <= width:
        return text
    start, end = text, ""
    while start and _columns(start) > width // 2:
        start = start[:-1]
    while len(end) < len(text) and _columns(start + "…" + text[-len(end) - 1 :]) <= width:
        end = text[-len(end) - 1 :]
    return f"{start}…{end}"


def columns(text: str) -> int:
    """How many columns of a fixed grid the text takes, East Asian wide characters being two."""
    return _columns(legible(text))


def _columns(text: str) -> int:
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return len(text) + wide - sum(unicodedata.combining(c) > 0 for c in text)
