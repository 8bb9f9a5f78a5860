"""Windows of convolutions and poolings in words: their sides, and what a size is rounded to."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, NamedTuple


class Window(NamedTuple):
    """Along one side: how many units a window has, how far apart windows and their units are."""

    size: int
    stride: int
    padding: int
    dilation: int


def windows(name: str, arguments: Mapping[str, Any]) -> list[Window]:
    """Of one of aten's convolutions or poolings, one window for each side; else none."""
    if name.endswith("convolution"):
        sizes = list(arguments["weight"].shape[2:])
        strides = arguments["stride"]
    elif "pool" in name and "kernel_size" in arguments and "adaptive" not in name:
        sizes = list(arguments["kernel_size"])
        strides = arguments["stride"] or sizes
    else:
        return []
    paddings, dilations = arguments["padding"], arguments.get("dilation") or [1]
    return [
        Window(size, at(strides, i), at(paddings, i), at(dilations, i))
        for i, size in enumerate(sizes)
    ]


def described(name: str, arguments: Mapping[str, Any]) -> str:
    """Sides, stride, dilation and groups, as far as they are not 1: "11×11/4", "3×3, 2 groups"."""
    rows = windows(name, arguments)
    if len(rows) not in (1, 2):  # 3: response normalisation pools over maps
        return ""
    words = "×".join(str(row.size) for row in rows)
    if any(row.stride > 1 for row in rows):
        words += f"/{_once([row.stride for row in rows])}"
    if any(row.dilation > 1 for row in rows):
        words += f", dilation {_once([row.dilation for row in rows])}"
    if arguments.get("groups", 1) > 1:
        words += f", {arguments['groups']} groups"
    return words


def rounding(
    name: str, arguments: Mapping[str, Any], given: Sequence[int], out: Sequence[int]
) -> str:
    """Where windows do not divide a side: what it would be, and what it is ("54.25 → 54").

    Different sides are given one behind the other, height first. "" where all divide.
    """
    rows = windows(name, arguments)
    if len(rows) not in (1, 2) or arguments.get("transposed"):
        return ""
    said = []
    for row, before, behind in zip(rows, given[-len(rows) :], out[-len(rows) :], strict=True):
        rest = before + 2 * row.padding - row.dilation * (row.size - 1) - 1
        size = Fraction(rest, row.stride) + 1
        said.append(f"{float(size):.4g} → {behind}" if size != behind else "")
    return said[0] if len(set(said)) == 1 else ", ".join(word or "fits" for word in said)


def at(values: Sequence[int], i: int) -> int:
    """The value for side i; a list of one is for all sides."""
    return int(values[i] if len(values) > 1 else values[0])


def _once(values: Sequence[int]) -> str:
    return str(values[0]) if len(set(values)) == 1 else "×".join(map(str, values))
