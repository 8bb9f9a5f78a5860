"""The slope of a function along one of its numbers, kinks told apart from curves."""

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

STEPS = (1e-3, 1e-4, 1e-5, 1e-6)  # in turn, where a larger one meets a kink
SETTLED = 1e-7  # two estimates that differ by less, relatively, are one


class Slope(NamedTuple):
    """The estimate, what rounding may add to it, the slopes on both sides; whether a kink."""

    best: float
    blur: float
    left: float
    right: float
    kink: bool


def slope(flat: Tensor, i: int, change: Callable[[], float], noise: float, least: float) -> Slope:
    """The slope along entry i of flat, which is moved and put back.

    change: what the function has changed by, as flat now is. noise: what rounding may add to that.
    least: the smallest slope that matters. The central differences at h and h/2 are extrapolated
    (Richardson); where those two disagree h is made smaller, from 1e-3 to 1e-6. Of a smooth
    function the difference falls with h²; where it does not, there is a kink.
    """
    before = float(flat[i])

    def side(h: float) -> float:
        flat[i] = before + h
        found = change() / (float(flat[i]) - before)  # over the step that rounding left
        flat[i] = before
        return found

    tried: list[tuple[float, float, float]] = []  # (how far apart, the estimate, its rounding)
    for step in STEPS:
        h = step * max(1.0, abs(before))
        right, left, nearer_right, nearer_left = side(h), side(-h), side(h / 2), side(-h / 2)
        wide, narrow = (right + left) / 2, (nearer_right + nearer_left) / 2
        # without a kink both are small, the second because the gap between right and left halves
        # with h; with one within h at least one is not, wherever in h it is
        bend = (right - left) - 2 * (nearer_right - nearer_left)
        tried.append((max(abs(wide - narrow), abs(bend)), (4 * narrow - wide) / 3, noise / h))
        settled = max(SETTLED * max(abs(narrow), least), noise / h)
        if tried[-1][0] <= settled:
            return Slope(*tried[-1][1:], nearer_left, nearer_right, False)
    # from the first step to the last, h² falls to a millionth and h to a thousandth
    kink = tried[-1][0] > max(1e-4 * tried[0][0], settled)
    return Slope(*min(tried)[1:], nearer_left, nearer_right, kink)
