"""Where the boxes of a network stand: one below the other, branches beside each other, in as many
columns as make the picture neither a strip nor a band."""

from collections.abc import Sequence
from dataclasses import dataclass

from hubel.report.boxes import Box

ASPECT = 1.35  # width to height that is aimed at
MOST_COLUMNS = 8
BOX_HEIGHT, STEP = 30.0, 46.0  # of a box, and from one to the next below it, in points
LANE_GAP, SIDE, GUTTER = 14.0, 30.0, 22.0  # between lanes; for arrows at the left; between columns
FRAME_TOP, FRAME_BOTTOM = 20.0, 8.0  # a frame's name, and its lower edge


@dataclass(frozen=True)
class Place:
    """A box's column, rank (from the top of all), lane and the last lane it reaches; its middle
    x, top y and width in points, y growing downwards."""

    column: int
    rank: int
    lane: int
    until: int
    x: float
    y: float
    width: float


@dataclass(frozen=True)
class Placing:
    """All places, index 0 being the picture's and i + 1 that of box i, and the size of it all."""

    places: tuple[Place, ...]
    width: float
    height: float


def placed(boxes: Sequence[Box], box_width: float) -> Placing:
    """Places for the boxes and the picture above them, boxes being box_width points wide."""
    ranks, lanes = _ranks(boxes), _lanes(boxes)
    breaks = _breaks(boxes, ranks)
    best: Placing | None = None
    for columns in range(1, MOST_COLUMNS + 1):
        starts = _starts(breaks, max(ranks) + 1, columns)
        found = _laid(boxes, ranks, lanes, starts, box_width)
        if best is None or _off(found) < _off(best):
            best = found
    return best or Placing((), 0, 0)


def _off(placing: Placing) -> float:
    aspect = placing.width / placing.height / ASPECT
    return max(aspect, 1 / aspect)


def _ranks(boxes: Sequence[Box]) -> list[int]:
    """How many boxes stand above each on the longest way to it; first the picture's, 0."""
    ranks = [0]
    for box in boxes:
        ranks.append(1 + max((ranks[i + 1] for i in box.inputs), default=0))
    return ranks


def _lanes(boxes: Sequence[Box]) -> list[tuple[int, int]]:
    """(first, last) lane of each: the first of its inputs', or the next that is free."""
    ranks = _ranks(boxes)
    lanes = [(0, 0)]
    taken = {(0, 0)}
    for box, rank in zip(boxes, ranks[1:], strict=True):
        above = [lanes[i + 1] for i in box.inputs]
        lane = min((first for first, _ in above), default=0)
        # inputs that stand right in this way take no part in how wide a joint is
        until = max((first for first, _ in above), default=0) if box.joins else lane
        while (rank, lane) in taken:
            lane, until = lane + 1, max(until, lane + 1)
        taken |= {(rank, each) for each in range(lane, until + 1)}
        lanes.append((lane, until))
    return lanes


def _breaks(boxes: Sequence[Box], ranks: Sequence[int]) -> list[int]:
    """Ranks before which a column may end: one edge alone goes on, and no frame is cut."""
    good = []
    for rank in range(2, max(ranks) + 1):
        crossing = {
            i
            for box, own in zip(boxes, ranks[1:], strict=True)
            for i in box.inputs
            if own >= rank > ranks[i + 1]
        }
        above = {box.frame for box, own in zip(boxes, ranks[1:], strict=True) if own < rank}
        below = {box.frame for box, own in zip(boxes, ranks[1:], strict=True) if own >= rank}
        if len(crossing) == 1 and not (above & below - {""}):
            [source] = crossing
            if ranks[source + 1] == rank - 1:
                good.append(rank)
    return good


def _starts(breaks: Sequence[int], total: int, columns: int) -> list[int]:
    """The first rank of each column, as even as the breaks allow."""
    starts = [0]
    for k in range(1, columns):
        aim = total * k / columns
        later = [rank for rank in breaks if rank > starts[-1] + 1]
        if later:
            nearest = min(later, key=lambda rank: abs(rank - aim))
            starts.append(nearest)
    return starts


def _laid(
    boxes: Sequence[Box],
    ranks: Sequence[int],
    lanes: Sequence[tuple[int, int]],
    starts: Sequence[int],
    box_width: float,
) -> Placing:
    frames = ["", *(box.frame for box in boxes)]
    column_of = [sum(start <= rank for start in starts) - 1 for rank in ranks]
    tops = _tops(frames, ranks, starts)
    left = [0.0]
    for column in range(len(starts)):
        wide = 1 + max(lanes[i][1] for i in range(len(ranks)) if column_of[i] == column)
        left.append(left[-1] + SIDE + wide * (box_width + LANE_GAP) + GUTTER)
    places = []
    for i, rank in enumerate(ranks):
        first, last = lanes[i]
        start = left[column_of[i]] + SIDE + first * (box_width + LANE_GAP)
        width = (last - first) * (box_width + LANE_GAP) + box_width
        places.append(Place(column_of[i], rank, first, last, start + width / 2, tops[rank], width))
    height = max(place.y for place in places) + BOX_HEIGHT + FRAME_BOTTOM
    return Placing(tuple(places), left[-1] - GUTTER, height)


def _tops(frames: Sequence[str], ranks: Sequence[int], starts: Sequence[int]) -> list[float]:
    """The y of each rank within its column, with room for the frames' names and edges."""
    opening: dict[str, int] = {}
    closing: dict[str, int] = {}
    for frame, rank in zip(frames, ranks, strict=True):
        if frame:
            opening[frame] = min(rank, opening.get(frame, rank))
            closing[frame] = max(rank, closing.get(frame, rank))
    tops: list[float] = []
    for rank in range(max(ranks) + 1):
        above = FRAME_TOP if rank in opening.values() else 0.0
        below = FRAME_BOTTOM if rank - 1 in closing.values() else 0.0
        tops.append(above if rank in starts else tops[-1] + STEP + above + below)
    return tops
