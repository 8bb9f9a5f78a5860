"""What an image is to make large: a class's score or probability, or a unit of any layer."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from hubel import draws
from hubel.mistakes import Mistake, unknown

# (what a layer hands on (n, K, …), a unit for each image (n,)) → a number for each image (n,)
Measure = Callable[[Tensor, Tensor], Tensor]


def _score(values: Tensor, units: Tensor) -> Tensor:
    """A unit's value, or the mean of its map."""
    chosen = values[torch.arange(len(units), device=values.device), units]
    return chosen.flatten(1).mean(1) if chosen.ndim > 1 else chosen


def _probability(values: Tensor, units: Tensor) -> Tensor:
    return _score(values.softmax(1), units)


def _centre(values: Tensor, units: Tensor) -> Tensor:
    """A unit's value in the middle of its map (of an even side, the later of the two)."""
    chosen = values[torch.arange(len(units), device=values.device), units]
    for side in values.shape[2:]:
        chosen = chosen[:, side // 2]
    return chosen


MEASURES: dict[str, Measure] = {"score": _score, "probability": _probability, "centre": _centre}


@dataclass(frozen=True)
class Objective:
    """What one image is to make large.

    unit: a class, or a channel of the layer. layer: a module's path as in `probes`; None: the
    network's output. measure: a row of MEASURES: "score" (a class's logit, a map's mean),
    "probability" (softmax over the units), "centre" (the middle position of a map). goal: where the
    ascent may stop; judged in the same measure, or in another one (goal_in): a logit can be raised
    until the probability is 0.99. draw: another number gives another image of the same unit.
    """

    unit: int
    layer: str | None = None
    measure: str = "score"
    goal: float | None = None
    goal_in: str | None = None
    draw: int = 0

    @property
    def judged(self) -> str:
        """The measure that the goal is in."""
        return self.goal_in or self.measure

    @property
    def key(self) -> int:
        """What its draws are drawn by: the unit and the draw, not its place in a batch."""
        return draws.integer(0, "image", self.layer or "", self.unit, self.draw)

    def __str__(self) -> str:
        return f"class {self.unit}" if self.layer is None else f"{self.layer}, unit {self.unit}"


def measured(
    values: Mapping[str | None, Tensor], objectives: Sequence[Objective], measures: Sequence[str]
) -> Tensor:
    """(n,): of image i, its own unit. Objectives of one layer and measure are taken in one go."""
    groups: dict[tuple[str | None, str], list[int]] = {}
    for i, (objective, measure) in enumerate(zip(objectives, measures, strict=True)):
        groups.setdefault((objective.layer, measure), []).append(i)
    found = []
    for (layer, measure), places in groups.items():
        value = values[layer]
        units = [objectives[i].unit for i in places]
        name = "output" if layer is None else layer
        if value.ndim < 2 or len(value) != len(objectives):
            raise Mistake(f"{name} hands on {tuple(value.shape)}, not units for each image.")
        if wrong := [unit for unit in units if not 0 <= unit < value.shape[1]]:
            raise Mistake(f"The units of {name} are 0 to {value.shape[1] - 1}; found {wrong[0]}.")
        own = value if len(groups) == 1 else value[places]
        found.append(MEASURES[measure](own, torch.tensor(units, device=value.device)))
    order = torch.tensor([i for places in groups.values() for i in places])
    return torch.cat(found)[order.argsort().to(found[0].device)]


def check(objectives: Sequence[Objective]) -> None:
    """Raises Mistake where there are none, or a measure does not exist."""
    if not objectives:
        raise Mistake("There is nothing to maximise: give at least one Objective.")
    for name in (name for o in objectives for name in (o.measure, o.judged)):
        if name not in MEASURES:
            raise unknown("measure", name, MEASURES)
