"""Top patches: for every unit the pictures that excite it most, and where in each.

Zeiler & Fergus 2014 (section 4, figure 2) show for a feature map the nine strongest activations
over a validation set. Here one pass finds them for all units of all asked layers at once. A unit is
a channel of maps (N, C, H, W) or a number of (N, units); a picture counts once for it, where it is
excited most. What is kept does not grow with the number of pictures.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from hubel.mistakes import Failure, Mistake, unknown
from hubel.model import Model
from hubel.twins import evaluated
from hubel.understanding.arrangement import demand_maps_first
from hubel.understanding.peaks import Looks, Peaks
from hubel.understanding.probes import tapping

PARTS = ("values", "pictures", "rows", "columns")  # of TopPatches
Batch = tuple[Sequence[int] | Tensor, Tensor]  # the pictures' numbers (N,), their pixels


class TopPatches(NamedTuple):
    """Of one layer, the k strongest of each unit, all (units, k), the strongest first.

    values: activations; −inf where fewer than k pictures have been seen. pictures: their numbers,
    −1 there. rows, columns: the strongest position in the picture's map, the first of equals; 0
    where units have no positions. Of equal activations the picture of lower number comes first.
    """

    values: Tensor
    pictures: Tensor
    rows: Tensor
    columns: Tensor


@dataclass(frozen=True)
class Strongest:
    """The top patches of several layers after so many pictures: `found["conv1"]`.

    units: how many each layer has, by name. top: of all of them, one layer below the other.
    """

    units: Mapping[str, int]
    top: TopPatches
    seen: int

    @property
    def k(self) -> int:
        return self.top.values.shape[1]

    @property
    def starts(self) -> dict[str, int]:
        """Of each layer the first row in `top`."""
        ends = torch.tensor(list(self.units.values())).cumsum(0).tolist()
        return {name: end - n for (name, n), end in zip(self.units.items(), ends, strict=True)}

    def __getitem__(self, layer: str) -> TopPatches:
        if layer not in self.units:
            raise unknown("layer among those looked at", layer, self.units)
        start = self.starts[layer]
        return TopPatches(*(part[start : start + self.units[layer]] for part in self.top))

    def tensors(self) -> dict[str, Tensor]:
        """Plain tensors by name, to be saved: "seen", and "conv1/values" and its like."""
        found = {"seen": torch.tensor(self.seen)}
        for layer in self.units:
            parts = zip(PARTS, self[layer], strict=True)
            found |= {f"{layer}/{name}": part.clone() for name, part in parts}
        return found


def restored(tensors: Mapping[str, Tensor], layers: Iterable[str]) -> Strongest:
    """What `Strongest.tensors` gave, for these layers in this order; a file knows no order.

    Raises Failure where a part is missing or does not fit the others.
    """
    names = list(dict.fromkeys(layers))
    wanted = ["seen", *(f"{layer}/{part}" for layer in names for part in PARTS)]
    if missing := [name for name in wanted if name not in tensors]:
        raise Failure(f"The saved top patches are not complete: {missing[0]} is missing.")
    shapes = {layer: {tuple(tensors[f"{layer}/{part}"].shape) for part in PARTS} for layer in names}
    ks = {shape[-1:] for found in shapes.values() for shape in found}
    if len(ks) > 1 or any(len(f) > 1 or len(next(iter(f))) != 2 for f in shapes.values()):
        raise Failure(f"The saved top patches do not fit together: their shapes are {shapes}.")
    units = {layer: len(tensors[f"{layer}/values"]) for layer in names}
    top = (torch.cat([tensors[f"{layer}/{part}"] for layer in names]) for part in PARTS)
    return Strongest(units, TopPatches(*top), int(tensors["seen"]))


def strongest(
    network: nn.Module,
    batches: Iterable[Batch],
    layers: Iterable[str],
    *,
    k: int = 9,
    state: Strongest | None = None,
) -> Iterator[Strongest]:
    """Look at pictures batch by batch; after each, the top patches of all that were seen so far.

    batches: the pictures' numbers (N,), each 0 or more and seen once, and their pixels
    (N, C, H, W) in [0, 1]. layers: of a Model, its network's, as `hubel.summary` names them. state:
    goes on from there, and the caller gives the batches that follow. The result does not depend on
    how pictures are batched, as far as their activations do not, nor on their order; a number that
    is kept already is passed over. Between batches the network is as it was found.

    Raises Mistake for no pictures, no layer or an unknown one, k below 1, a state of other layers
    or another k, and a layer whose output is not (N, C, H, W) or (N, units); Failure for an
    activation that is not finite.
    """
    names = list(dict.fromkeys(layers))
    if not names:
        raise Mistake("No layer was asked for: name one or more.")
    if k < 1:
        raise Mistake(f"k, the patches for a unit, is 1 or more, not {k}.")
    if state is not None and (list(state.units) != names or state.k != k):
        raise Mistake(
            f"The state holds the {state.k} strongest of {', '.join(state.units)}; asked for are "
            f"the {k} strongest of {', '.join(names)}."
        )
    network = evaluated(network)
    for indices, pixels in batches:
        if len(pixels):
            if state is None:
                demand_maps_first(network, pixels, names)
            state = _after(network, names, k, state, _numbers(indices, pixels), pixels)
            yield state
    if state is None:
        raise Mistake("There are no pictures to look for patches in.")


def _numbers(indices: Sequence[int] | Tensor, pixels: Tensor) -> Tensor:
    numbers = torch.as_tensor(indices, device=pixels.device)
    if pixels.ndim != 4 or numbers.shape != pixels.shape[:1]:
        raise Mistake(
            "A batch is the pictures' numbers (N,) and their pixels (N, C, H, W), "
            f"not {tuple(numbers.shape)} and {tuple(pixels.shape)}."
        )
    if numbers.is_floating_point() or int(numbers.min()) < 0:
        raise Mistake("Pictures are numbered by whole numbers from 0.")
    if len(torch.unique(numbers)) < len(numbers):
        raise Mistake("A batch holds a picture's number twice.")
    return numbers.long()


class _Candidates(NamedTuple):
    """Activations of a layer that may be among the k strongest: of M, the picture's place in the
    batch, the unit, the value, and the place in its map; the map's width."""

    n: Tensor
    unit: Tensor
    value: Tensor
    place: Tensor
    width: int


class _Look:
    """The taps of one batch, and what they find.

    They compute as little as they can for each layer: its peaks, a comparison, and a look at the
    maps that may count.
    """

    def __init__(
        self, network: nn.Module, numbers: Tensor, k: int, state: Strongest | None
    ) -> None:
        self.inner = network.network if isinstance(network, Model) else network
        self.numbers, self.k, self.state = numbers, k, state
        self.looks = Looks()
        self.later = False
        self.units: dict[str, int] = {}
        self.found: dict[str, _Candidates] = {}
        if state is not None:
            sizes = list(state.units.values())
            weakest = (torch.split(part[:, -1], sizes) for part in state.top[:2])
            self.weakest = dict(zip(state.units, zip(*weakest, strict=True), strict=True))
            # only a picture of higher number gives its place to an equal: mostly there is none
            self.later = int(numbers.min()) > int(state.top.pictures.max())

    def tap(self, layer: str, output: Tensor) -> None:
        if output.ndim not in (2, 4) or len(output) != len(self.numbers):
            raise Mistake(
                f"Top patches are of maps (N, C, H, W) or of (N, units); {layer} hands on "
                f"{tuple(output.shape)} for {len(self.numbers)} pictures."
            )
        known = self.looks.recall(output)
        # a block hands on the very tensor that its last layer did: it is looked at once
        if known is not None and self._compared_alike(layer, known.layer):
            self.units[layer], self.found[layer] = self.units[known.layer], self.found[known.layer]
            return
        module = self.inner.get_submodule(layer.partition("#")[0])
        peaks = self.looks.after(layer, module, output)
        n, unit = self._better(layer, peaks).nonzero().unbind(1)
        if output.ndim == 2:
            value, place, width = output[n, unit], torch.zeros_like(unit), 1
        else:
            maps, width = output[n, unit].flatten(1), output.shape[3]
            place = maps.argmax(1)
            value = maps.gather(1, place[:, None])[:, 0]
        self.units[layer] = peaks.most.shape[1]
        self.found[layer] = _Candidates(n, unit, value, place, width)

    def _compared_alike(self, layer: str, other: str) -> bool:
        if self.state is None:
            return True
        return all(map(torch.equal, self.weakest[layer], self.weakest[other]))

    def _better(self, layer: str, peaks: Peaks) -> Tensor:
        """Which of them, (N, units), may be among the k strongest; and all that are no numbers."""
        least, most = peaks
        if self.state is None:  # at least k are as strong as the batch's own k-th
            weakest = least.topk(min(self.k, len(least)), 0).values[-1]
            return most.lt(weakest).logical_not_()
        values, pictures = self.weakest[layer]
        if len(values) != most.shape[1]:
            raise Mistake(f"{layer} has {most.shape[1]} units, and in the state {len(values)}.")
        better = most.le(values).logical_not_()
        if not self.later:
            equal = (least <= values) & (values <= most)
            better |= equal & (self.numbers[:, None] < pictures)
        return better


def _after(
    network: nn.Module,
    names: Sequence[str],
    k: int,
    state: Strongest | None,
    numbers: Tensor,
    pixels: Tensor,
) -> Strongest:
    """The state after one batch."""
    if state is not None and state.top.values.device != pixels.device:  # it was saved elsewhere
        top = TopPatches(*(part.to(pixels.device) for part in state.top))
        state = replace(state, top=top)
    look = _Look(network, numbers, k, state)
    # a tensor made in inference mode does not say whether it was written to
    with torch.inference_mode(False), torch.no_grad():
        pixels = pixels.clone() if pixels.is_inference() else pixels
        taps = {name: partial(look.tap, name) for name in names}
        before = {name: partial(look.looks.before, name) for name in names}
        with tapping(network, taps, before=before):
            network(pixels)
        found = [look.found[name] for name in names]
        value = torch.cat([each.value for each in found])
        if not bool(value.isfinite().all()):
            wrong = (name for name, f in look.found.items() if not f.value.isfinite().all())
            raise Failure(f"An activation of {next(wrong)} is not finite.")
        value = value if value.dtype == torch.float64 else value.float()
        if state is None:
            state = _nothing({name: look.units[name] for name in names}, k, value)
        starts = state.starts.values()
        unit = torch.cat([each.unit + at for each, at in zip(found, starts, strict=True)])
        counts = torch.tensor([len(each.unit) for each in found])
        width = torch.tensor([each.width for each in found]).repeat_interleave(counts).to(unit)
        place = torch.cat([each.place for each in found])
        new = TopPatches(
            value, numbers[torch.cat([each.n for each in found])], place // width, place % width
        )
        if not look.later:  # what is kept already is not new
            fresh = (state.top.pictures[unit] != new.pictures[:, None]).all(1)
            unit, new = unit[fresh], TopPatches(*(part[fresh] for part in new))
        return Strongest(state.units, _merged(state.top, unit, new), state.seen + len(numbers))


def _nothing(units: Mapping[str, int], k: int, like: Tensor) -> Strongest:
    values = like.new_full((sum(units.values()), k), -math.inf)
    zeros = torch.zeros_like(values, dtype=torch.long)
    return Strongest(units, TopPatches(values, zeros - 1, zeros, zeros), 0)


def _merged(top: TopPatches, unit: Tensor, new: TopPatches) -> TopPatches:
    """The k strongest of those kept, (units, k), and M new ones, of the units `unit` (M,)."""
    k = top.values.shape[1]
    units, owner = torch.unique(unit, return_inverse=True)
    owner = torch.cat((torch.arange(len(units)).to(owner).repeat_interleave(k), owner))
    parts = TopPatches(
        *(torch.cat((kept[units].flatten(), more)) for kept, more in zip(top, new, strict=True))
    )
    order = parts.pictures.argsort(stable=True)
    order = order[parts.values[order].argsort(stable=True, descending=True)]
    order = order[owner[order].argsort(stable=True)]
    # of each unit the first k; there are so many, as k were kept
    counts = owner.bincount(minlength=len(units))
    chosen = order[(counts.cumsum(0) - counts)[:, None] + torch.arange(k).to(counts)]
    return TopPatches(
        *(
            kept.index_copy(0, units, part[chosen].to(kept))
            for kept, part in zip(top, parts, strict=True)
        )
    )
