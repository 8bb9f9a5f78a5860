"""A function of pictures at every position of a square that hides a part of one.

By boxes where the function can be traced, which is exact; the boxes are checked against the full
computation at some positions, and not used if they fail. Else in full, and the reason is kept.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from hubel.understanding.incremental.engine import Incremental, replayed
from hubel.understanding.incremental.plan import Plan
from hubel.understanding.incremental.results import Results
from hubel.understanding.incremental.runs import Untraceable
from hubel.understanding.incremental.tracing import Traced, traced

BATCH, MANY = 16, 256  # pictures at a time in the full computation: on a processor, elsewhere
CHECKED = 12  # positions that are also computed in full
TOLERANCE = 1e-3  # of the judged results' range: beyond it boxes are not believed

Function = Callable[[Tensor], Sequence[Tensor]]  # (N, C, H, W) → results, each (N, …)
Progress = Callable[[int, int], None]


class Squares(NamedTuple):
    """Positions: a square of so many pixels with its corner at each of tops × lefts."""

    square: int
    tops: tuple[int, ...]
    lefts: tuple[int, ...]


@dataclass(frozen=True)
class Method:
    """How results were found.

    boxes: by boxes; else in full, for the reason in `why`. whole: operations on maps that no rule
    knows, from which on maps were computed whole. work: the multiply-adds done, as a share of those
    in full. difference: the largest one of the judged results from the full computation at
    `checked` positions, and share, of their range over all. reach: below 1 an approximation.
    """

    boxes: bool
    why: str = ""
    whole: tuple[str, ...] = ()
    work: float = 1.0
    checked: int = 0
    difference: float = 0.0
    share: float = 0.0
    reach: float = 1.0


def by_position(
    function: Function,
    pixels: Tensor,
    hidden: Tensor,
    squares: Squares,
    *,
    judged: Callable[[Sequence[Tensor]], Tensor],
    fast: bool | None = None,
    reach: float = 1.0,
    progress: Progress | None = None,
) -> tuple[list[Tensor], Method]:
    """The function's results by position, each (R, K, …) on the processor.

    pixels: the picture, (C, H, W). hidden: what the square shows of itself, (C, H, W). judged: of
    results (N, …) the numbers (N, M) by which boxes are checked. fast: by boxes, or in full; None:
    what is faster on the device. Call it without gradients.
    """
    told = progress or (lambda _done, _total: None)
    if fast is None and reach == 1 and pixels.device.type != "cpu":
        # measured on an H200: starting many small operations takes longer than the whole maps
        why = f"on {pixels.device.type} whole pictures are faster than boxes"
        return _in_full(function, pixels, hidden, squares, told), Method(False, why)
    if fast is False:
        return _in_full(function, pixels, hidden, squares, told), Method(False, "as asked for")
    try:
        network = traced(function, pixels.shape, device=pixels.device, dtype=pixels.dtype)
        _demand_alike(network, function, pixels[None])
        results, work = _by_boxes(network, pixels, hidden, squares, reach, told)
    except Untraceable as wrong:
        why = f"the network cannot be traced ({wrong})"
        return _in_full(function, pixels, hidden, squares, told), Method(False, why)
    method = Method(True, "", network.whole, work, reach=reach)
    method = _checked(method, results, function, pixels, hidden, squares, judged)
    if reach == 1 and not method.share <= TOLERANCE:
        why = f"boxes differed by {method.difference:.2g}"
        return _in_full(function, pixels, hidden, squares, told), Method(False, why)
    return results, method


def _demand_alike(network: Traced, function: Function, pixels: Tensor) -> None:
    """Raises Untraceable unless the steps, on whole pictures, do as the function does.

    pixels (N, C, H, W): as many as there were in none of the runs that the steps are from.
    """
    try:
        ours = replayed(network, pixels)
    except RuntimeError as wrong:
        first = str(wrong).splitlines()[0]
        raise Untraceable(f"another number of pictures does not fit: {first}") from wrong
    for found, expected in zip(ours, function(pixels), strict=True):
        if found.shape == expected.shape and not expected.numel():
            continue
        span = float(expected.max() - expected.min())
        alike = found.shape == expected.shape
        if not alike or not float((found - expected).abs().max()) <= TOLERANCE * span:
            raise Untraceable("with another number of pictures its steps give something else")


def _by_boxes(
    network: Traced, pixels: Tensor, hidden: Tensor, squares: Squares, reach: float, told: Progress
) -> tuple[list[Tensor], float]:
    """The results, and the work as a share of the full computation's."""
    engine = Incremental(network, pixels)
    plan = Plan(network, *squares, reach=reach, device=pixels.device)
    total = len(squares.tops) * len(squares.lefts)
    results = Results(engine, len(squares.tops), len(squares.lefts))
    done, work = 0, 0.0
    for group in plan.groups():
        results.add(group, engine.run(group, hidden))
        work += plan.multiply_adds(group)
        done += group.count
        told(done, total)
    full = total * sum(step.multiply_adds for step in network.steps)
    return results.all(), work / full if full else 1.0


def _in_full(
    function: Function, pixels: Tensor, hidden: Tensor, squares: Squares, told: Progress
) -> list[Tensor]:
    total = len(squares.tops) * len(squares.lefts)
    parts: list[list[Tensor]] = []
    size = BATCH if pixels.device.type == "cpu" else MANY
    for start in range(0, total, size):
        chosen = range(start, min(start + size, total))
        results = function(occluded(pixels, hidden, squares, chosen))
        parts.append([result.cpu() for result in results])
        told(chosen.stop, total)
    shape = (len(squares.tops), len(squares.lefts))
    joined = [torch.cat(each) for each in zip(*parts, strict=True)]
    return [each.view(*shape, *each.shape[1:]) for each in joined]


def occluded(pixels: Tensor, hidden: Tensor, squares: Squares, chosen: Sequence[int]) -> Tensor:
    """The picture with a part hidden, (N, C, H, W), at positions counted row by row."""
    places = [divmod(i, len(squares.lefts)) for i in chosen]
    down = _covered([squares.tops[row] for row, _ in places], squares.square, pixels.shape[1])
    across = _covered([squares.lefts[k] for _, k in places], squares.square, pixels.shape[2])
    inside = (down[:, None, :, None] & across[:, None, None, :]).to(pixels.device)
    return torch.where(inside, hidden, pixels)


def _covered(starts: Sequence[int], length: int, side: int) -> Tensor:
    """Which of the side's places each interval covers, (N, side)."""
    first, at = torch.tensor(starts, dtype=torch.long)[:, None], torch.arange(side)
    return (first <= at) & (at < first + length)


def _checked(
    method: Method, results: Sequence[Tensor], function: Function, pixels: Tensor, hidden: Tensor,
    squares: Squares, judged: Callable[[Sequence[Tensor]], Tensor],
) -> Method:  # fmt: skip
    """The method with its largest difference from the full computation, evenly over positions."""
    flat = [result.flatten(0, 1) for result in results]
    total = len(flat[0])
    chosen = sorted({round(i * (total - 1) / max(CHECKED - 1, 1)) for i in range(CHECKED)})
    full = judged([each.cpu() for each in function(occluded(pixels, hidden, squares, chosen))])
    ours = judged(flat)
    differences = (ours[chosen] - full).abs().amax(0)
    spans = torch.maximum(ours.amax(0) - ours.amin(0), full.amax(0) - full.amin(0))
    shares = torch.where(spans > 0, differences / spans, (differences > 0).float())
    worst = int(shares.argmax())  # a NaN, if there is one
    return replace(
        method, checked=len(chosen), difference=float(differences[worst]),
        share=float(shares[worst]),
    )  # fmt: skip
