"""What is kept of a style transfer, so that it can go on: one file of tensors and its settings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hubel import reading
from hubel.mistakes import Failure, Mistake
from hubel.tensors import seal, unseal
from hubel.understanding.style import Step

STATE = "state.safetensors"
CURVE = "curve"
KEPT = ("parameters", "number")  # of a finished picture: the optimiser's memory is 40 times as much
HASHED = ("content", "style", "network")  # settings that are SHA-256 digests


@dataclass
class Painting:
    """One picture in the making.

    weight: of the style. state: what `transfer` goes on from. curve: (content, style, total
    variation) of each step from 0. ended: whether no step lowered the loss any more.
    """

    weight: float
    state: dict[str, Tensor] = field(default_factory=dict)
    curve: list[tuple[float, float, float]] = field(default_factory=list)
    ended: bool = False

    @property
    def steps(self) -> int:
        """How many are done."""
        return max(len(self.curve) - 1, 0)

    @property
    def begun(self) -> bool:
        return bool(self.curve)

    def done(self, steps: int) -> bool:
        return self.ended or self.steps >= steps

    def add(self, step: Step) -> None:
        self.curve.append((step.content, step.style, step.total_variation))

    def image(self) -> Tensor:
        """(C, H, W) in [0, 1], on the processor."""
        return torch.sigmoid(self.state["parameters"].detach()).cpu()


@dataclass
class Kept:
    """All that goes into the file.

    settings: what the pictures follow from, JSON values. steps: how many were asked for. finished:
    whether all pictures are done, and all else is written.
    """

    settings: dict[str, Any]
    environment: dict[str, Any]
    steps: int
    paintings: list[Painting]
    finished: bool = False

    @property
    def unfinished(self) -> Painting | None:
        """The first picture that is not done."""
        return next((each for each in self.paintings if not each.done(self.steps)), None)

    def packed(self) -> bytes:
        """As a sealed file, the settings in its header."""
        tensors: dict[str, Tensor] = {}
        for i, each in enumerate(self.paintings):
            done = each.done(self.steps)
            for name, value in each.state.items():
                if not done or name in KEPT:
                    tensors[f"{i}/{name}"] = value
            if each.begun:
                tensors[f"{i}/{CURVE}"] = torch.tensor(each.curve, dtype=torch.float64)
        facts = {
            "settings": self.settings,
            "environment": self.environment,
            "steps": self.steps,
            "finished": self.finished,
            "weights": [each.weight for each in self.paintings],
            "ended": [each.ended for each in self.paintings],
        }
        return seal(tensors, facts)


@dataclass(frozen=True)
class _Facts:
    """What stands in the file's header; weights, ended: of each picture."""

    settings: dict[str, Any]
    environment: dict[str, Any]
    steps: int
    finished: bool
    weights: list[float]
    ended: list[bool]

    def __post_init__(self) -> None:
        if len(self.weights) != len(self.ended):
            raise ValueError(
                f"{len(self.weights)} weights, and {len(self.ended)} that ended or not"
            )


def read(path: Path) -> Kept | None:
    """What the file holds; None where there is none. Raises Failure where it is damaged."""
    if not path.is_file():
        return None
    tensors, text = unseal(path)
    facts = reading.parsed(text, _Facts, path)
    paintings = {
        str(i): Painting(weight, ended=ended)
        for i, (weight, ended) in enumerate(zip(facts.weights, facts.ended, strict=True))
    }
    for name, tensor in tensors.items():
        number, _, part = name.partition("/")
        if number not in paintings:
            raise reading.damaged(path, f"it does not say what {name} is of")
        if part == CURVE:
            curve = [(row[0], row[1], row[2]) for row in tensor.tolist()]
            paintings[number].curve = curve
        else:
            paintings[number].state[part] = tensor
    if any(each.begun != ("parameters" in each.state) for each in paintings.values()):
        raise reading.damaged(path, "a picture is missing")
    return Kept(
        facts.settings, facts.environment, facts.steps, list(paintings.values()), facts.finished
    )


def differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """In which settings a transfer is another one, in words."""
    return [
        f"another {key}"
        if key in HASHED
        else f"{key} was {_told(then.get(key))}, now {_told(value)}"
        for key, value in now.items()
        if then.get(key) != value
    ]


def is_same(folder: Path, *, asked: Kept, resume: bool) -> bool:
    """Whether the result of a folder is the one to go on with, where none was named."""
    if resume:
        return True
    try:
        return going_on(read(folder / STATE), asked, folder, resume=False)[1]
    except (Mistake, Failure):
        return False


def going_on(found: Kept | None, asked: Kept, folder: Path, *, resume: bool) -> tuple[Kept, bool]:
    """What to work on, and whether it goes on with what the folder holds.

    An unfinished transfer of the same settings is gone on with, of others refused; a finished one
    is begun anew unless `resume` asks for more steps or weights. Raises Mistake.
    """
    if found is None:
        if resume:
            raise Mistake(f"{folder} holds no transfer to go on with: leave out --resume.")
        return asked, False
    if found.finished and not resume:
        return asked, False
    other = differences(found.settings, asked.settings)
    weights = [each.weight for each in asked.paintings]
    gone = [f"{each.weight:g}" for each in found.paintings if each.weight not in weights]
    if gone:
        other.append(f"style weight {', '.join(gone)} is not asked for")
    if other:
        raise Mistake(
            f"{folder} holds {_described(found)} of other settings: {'; '.join(other)}. Go on with "
            "the same ones, or give another folder with --out."
        )
    most = max(each.steps for each in found.paintings)
    if most > asked.steps:
        raise Mistake(f"{folder} is at step {most} already: ask for more than {asked.steps}.")
    have = {each.weight: each for each in found.paintings}
    paintings = [have.get(each.weight, each) for each in asked.paintings]
    return Kept(asked.settings, asked.environment, asked.steps, paintings), True


def _described(found: Kept) -> str:
    at = found.unfinished
    if at is None:
        return "a transfer"
    return f"an unfinished transfer (style weight {at.weight:g}, step {at.steps} of {found.steps})"


def _told(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={weight:.3g}" for name, weight in value.items())
    return f"{value}"
