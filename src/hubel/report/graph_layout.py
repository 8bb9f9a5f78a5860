"""Where the boxes and arrows of a drawn graph stand: in columns, and nothing on top of anything.

In layers (Sugiyama, Tagawa & Toda 1981): every box stands behind its inputs, an arrow that passes
columns gets a free row in each, the order in a column is what makes few arrows cross, and
the heights are as near to the neighbours' as the rows allow.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

GAP, HEAD = 42.0, 9.0  # points between columns, for the arrows' curves and then their heads
ROW, LANE = 62.0, 18.0  # the height that a box takes with its two numbers, and a passing arrow
PORTS = 8.0  # between the ends of a box's arrows
SWEEPS = 12

Point = tuple[float, float]


class Layout(NamedTuple):
    """In points, from the top left. places: the middle of each box. ways: of each box, for each of
    its inputs, the points that the arrow goes through: level within a column, a curve between two.
    """

    places: tuple[Point, ...]
    ways: tuple[tuple[tuple[Point, ...], ...], ...]
    width: float
    height: float


@dataclass
class _Item:
    """A box, or an arrow's row in a column that it passes: what it is joined to on both sides."""

    column: int
    size: float
    left: list[int]
    right: list[int]
    y: float = 0.0


def layout(inputs: Sequence[tuple[int, ...]], widths: Sequence[float]) -> Layout:
    """Place a graph. inputs: of each box, indices of earlier ones. widths: of the boxes, in points.

    Boxes of a column are at least ROW apart.
    """
    items, chains = _items(inputs)
    columns = _ordered(items)
    _heights(items, columns)
    top = min(item.y - item.size / 2 for item in items)
    wide = [max([widths[i] for i in members if i < len(inputs)], default=0) for members in columns]
    lefts = [sum(wide[:c]) + GAP * c for c in range(len(wide))]
    places = [
        (lefts[item.column] + wide[item.column] / 2, item.y - top) for item in items[: len(inputs)]
    ]
    ways = []
    for i, given in enumerate(inputs):
        x, y = places[i]
        ends = sorted(range(len(given)), key=lambda k: (items[chains[i][k][-1]].y, k))
        of_box = []
        for k, j in enumerate(given):
            end = y + PORTS * (ends.index(k) - (len(given) - 1) / 2)
            points = [(places[j][0] + widths[j] / 2, places[j][1])]
            for at in chains[i][k]:
                column, level = items[at].column, items[at].y - top
                if at >= len(inputs):
                    points.append((lefts[column] - HEAD, level))
                points.append((lefts[column] + wide[column], level))
            points += [(lefts[items[i].column] - HEAD, end), (x - widths[i] / 2, end)]
            of_box.append(tuple(points))
        ways.append(tuple(of_box))
    height = max(item.y + item.size / 2 for item in items) - top
    return Layout(tuple(places), tuple(ways), lefts[-1] + wide[-1], height)


def _items(inputs: Sequence[tuple[int, ...]]) -> tuple[list[_Item], list[list[list[int]]]]:
    """Boxes, then rows of passing arrows; and of each box, for each input, the items on the way
    from that input, which is the first of them. Arrows from one box share their rows."""
    n = len(inputs)
    column = [0] * n
    for i in range(n):
        column[i] = 1 + max((column[j] for j in inputs[i]), default=-1)
    for j in range(n - 1, -1, -1):  # each stands right before the first that needs it
        fed = [column[i] for i in range(n) if j in inputs[i]]
        column[j] = min(fed) - 1 if fed else column[j]
    items = [_Item(c - min(column), ROW, [], []) for c in column]
    rows: dict[tuple[int, int], int] = {}
    chains: list[list[list[int]]] = []
    for i in range(n):
        chains.append([])
        for j in inputs[i]:
            chain = [j]
            for c in range(items[j].column + 1, items[i].column):
                if (j, c) not in rows:
                    rows[j, c] = len(items)
                    items.append(_Item(c, LANE, [], []))
                    _join(items, chain[-1], rows[j, c])
                chain.append(rows[j, c])
            _join(items, chain[-1], i)
            chains[i].append(chain)
    return items, chains


def _join(items: list[_Item], left: int, right: int) -> None:
    items[left].right.append(right)
    items[right].left.append(left)


def _ordered(items: list[_Item]) -> list[list[int]]:
    """The items of each column from top to bottom: the order of those tried that crosses least."""
    columns: list[list[int]] = [[] for _ in range(1 + max(item.column for item in items))]
    seen: set[int] = set()

    def enter(at: int) -> None:
        waiting = [at]
        while waiting:
            at = waiting.pop()
            if at not in seen:
                seen.add(at)
                columns[items[at].column].append(at)
                waiting += reversed(items[at].left)

    for at in reversed(range(len(items))):
        if not items[at].right:
            enter(at)
    best = [list(members) for members in columns]
    fewest = _crossings(items, best)
    for sweep in range(SWEEPS):
        forward = sweep % 2 == 1
        for c in range(len(columns)) if forward else reversed(range(len(columns))):
            place = {at: k for members in columns for k, at in enumerate(members)}

            def middle(at: int, place: dict[int, int] = place, left: bool = forward) -> float:
                near = items[at].left if left else items[at].right
                return sum(place[i] for i in near) / len(near) if near else place[at]

            columns[c].sort(key=middle)
        crossings = _crossings(items, columns)
        if crossings < fewest:
            best, fewest = [list(members) for members in columns], crossings
    return best


def _crossings(items: list[_Item], columns: list[list[int]]) -> int:
    count = 0
    for members, following in pairwise(columns):
        place = {at: k for k, at in enumerate(following)}
        ends = [end for at in members for end in sorted(place[i] for i in items[at].right)]
        count += sum(a > b for k, a in enumerate(ends) for b in ends[k + 1 :])
    return count


def _heights(items: list[_Item], columns: list[list[int]]) -> None:
    """Each item at the mean height of its neighbours, as nearly as its column allows."""
    for members in columns:
        _spread(items, members, [0.0] * len(members))
    for sweep in range(4 * SWEEPS):
        for members in columns if sweep % 2 else reversed(columns):
            wanted = []
            for at in members:
                near = [items[i].y for i in items[at].left + items[at].right]
                wanted.append(sum(near) / len(near) if near else items[at].y)
            _spread(items, members, wanted)


def _spread(items: list[_Item], members: list[int], wanted: list[float]) -> None:
    """The heights nearest to those wanted (least squares) that keep order and distance.

    Neighbours that want to be nearer than they may are pooled (Ayer et al. 1955).
    """
    offsets = [0.0]
    for above, below in pairwise(members):
        offsets.append(offsets[-1] + (items[above].size + items[below].size) / 2)
    pools: list[list[float]] = []
    for height, offset in zip(wanted, offsets[: len(wanted)], strict=True):
        pools.append([height - offset])
        while len(pools) > 1 and _mean(pools[-2]) > _mean(pools[-1]):
            last = pools.pop()
            pools[-1] += last
    levels = [_mean(pool) for pool in pools for _ in pool]
    for at, level, offset in zip(members, levels, offsets[: len(levels)], strict=True):
        items[at].y = level + offset


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
