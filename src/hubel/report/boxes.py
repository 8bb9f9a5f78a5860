"""From the layers of a network to the boxes of its picture: a convolution and what merely follows
it are one box, the parts of one block stand in one frame, and what repeats is shown once."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

PICTURE = -1  # as an input: the picture itself
LONG = 44  # boxes from which on repetitions are shown once
SHORT = {
    "BatchNorm2d": "BN",
    "LocalResponseNorm": "LRN",
    "Flatten": "flatten",
    "Dropout": "dropout",
}


class Layer(NamedTuple):
    """One layer as plain data: inputs are indices of layers before it, −1 for the picture."""

    name: str
    kind: str
    detail: str
    shape: tuple[int, ...]
    inputs: tuple[int, ...]
    weighted: bool
    parameters: int


@dataclass(frozen=True)
class Box:
    """One box: a layer and what follows it. inputs: indices of boxes. frame: the module that it is
    a part of, where that has branches. times: how often it, or its frame, comes one after the
    other; last: the name of the last of them."""

    layer: Layer
    shape: tuple[int, ...]
    inputs: tuple[int, ...]
    frame: str = ""
    followers: tuple[str, ...] = ()
    times: int = 1
    last: str = ""

    @property
    def joins(self) -> bool:
        return len(self.inputs) > 1

    @property
    def pools(self) -> bool:
        return "pool" in self.layer.kind.lower()

    @property
    def title(self) -> str:
        """Its name within its frame, and what follows: "conv1 + BN + ReLU"."""
        name = within(self.layer.name, self.frame)
        if self.times > 1 and not self.frame:
            name = f"{self.times} × {name} … {self.last}"
        return " + ".join([name, *self.followers])

    @property
    def heading(self) -> str:
        """Its frame's name, or from which to which: "conv4_x.1…35 (35×)"."""
        if self.times == 1:
            return self.frame
        return f"{self.frame}…{self.last.rpartition('.')[2]} ({self.times}×)"

    @property
    def text(self) -> str:
        """What it does and what comes out: "Conv2d 3×3/2 → 128×28×28"."""
        sides = "×".join(map(str, self.shape)) or "1"
        if self.layer.kind == within(self.layer.name, self.frame):  # an operation is its own name
            return sides
        return f"{self.layer.kind} {self.layer.detail}".rstrip() + f" → {sides}"


def boxes(layers: Sequence[Layer]) -> list[Box]:
    """The boxes of a network in the order of its layers; long ones show repetitions once."""
    made = _merged(layers)
    return _once(made) if len(made) > LONG else made


def within(name: str, frame: str) -> str:
    """The name as its frame's parts are called; a frame that is itself the layer keeps its name."""
    return name.removeprefix(f"{frame}.") if frame else name


def _merged(layers: Sequence[Layer]) -> list[Box]:
    uses = [0] * len(layers)
    for layer in layers:
        for i in layer.inputs:
            if i != PICTURE:
                uses[i] += 1
    frames = {layer.name.rpartition(".")[0] for layer in layers if len(layer.inputs) > 1} - {""}
    made: list[Box] = []
    box_of = {PICTURE: PICTURE}
    for i, layer in enumerate(layers):
        before = layer.inputs[0] if len(layer.inputs) == 1 else PICTURE
        alone = before != PICTURE and uses[before] == 1
        frame = _frame(layer.name, frames)
        if alone and _follows(layer, layers[before]):
            box = made[box_of[before]]
            if box.frame == frame or not frame:
                word = SHORT.get(layer.kind, layer.kind)
                followers = (*box.followers, word)
                made[box_of[before]] = replace(box, shape=layer.shape, followers=followers)
                box_of[i] = box_of[before]
                continue
        inputs = tuple(dict.fromkeys(box_of[j] for j in layer.inputs))
        padded = alone and layer.weighted and "pad" in layers[before].kind.lower()
        if padded and box_of[before] == len(made) - 1:
            inputs = made.pop().inputs  # padding goes with the convolution that it is for
        made.append(Box(layer, layer.shape, inputs, frame))
        box_of[i] = len(made) - 1
    return made


def _follows(layer: Layer, before: Layer) -> bool:
    """Whether a layer only finishes the one before it: norms, activations, dropout, flattening."""
    if layer.weighted or "pool" in layer.kind.lower():
        return False
    return layer.shape == before.shape or layer.kind.lower() in ("flatten", "view")


def _frame(name: str, frames: set[str]) -> str:
    """The innermost module with branches that a layer is a part of."""
    around = [frame for frame in frames if name.startswith(f"{frame}.")]
    return max(around, key=len, default="")


def _once(made: Sequence[Box]) -> list[Box]:
    """Of segments that repeat one behind the other, the first, with their number."""
    kept: list[Box] = []
    moved = {PICTURE: PICTURE}
    runs: list[tuple[object, int, int]] = []  # signature, first kept box, its segment's length
    for start, end in _segments(made):
        signature = _signature(made, start, end)
        length = end - start
        chained = all(i >= start - 1 for box in made[start:end] for i in box.inputs)
        if runs and runs[-1][0] == signature and chained:
            first = runs[-1][1]
            for k in range(length):
                box = kept[first + k]
                last = made[start + k].frame or made[start + k].layer.name
                kept[first + k] = replace(box, times=box.times + 1, last=last)
                moved[start + k] = first + k
            continue
        runs.append((signature, len(kept), length))
        for k in range(start, end):
            inputs = tuple(moved[i] for i in made[k].inputs)
            moved[k] = len(kept)
            kept.append(replace(made[k], inputs=inputs))
    return kept


def _segments(made: Sequence[Box]) -> list[tuple[int, int]]:
    """Runs of boxes of one frame; a box without a frame is a segment of its own."""
    found: list[tuple[int, int]] = []
    for i, box in enumerate(made):
        if found and box.frame and made[i - 1].frame == box.frame:
            found[-1] = (found[-1][0], i + 1)
        else:
            found.append((i, i + 1))
    return found


def _signature(made: Sequence[Box], start: int, end: int) -> object:
    """What two segments have in common that do the same: all but their names."""
    return tuple(
        (
            within(box.layer.name, box.frame) if box.frame else "",
            *(box.layer.kind, box.layer.detail, box.layer.parameters, box.shape, box.followers),
            tuple(i - start for i in box.inputs),
        )
        for box in made[start:end]
    )
