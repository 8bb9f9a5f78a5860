"""Compositional pattern-producing networks: a small network from a pixel's place to its colour.

Stanley 2007; as Nguyen, Yosinski & Clune 2015, section 2.2 encode images by them: inputs are x, y,
the distance from the middle and a bias; nodes are sine, sigmoid, Gaussian or linear; outputs are
the grey level, or hue, saturation and value. They start without hidden nodes and grow by mutation
(`cppn_mutation`). Any number of them is evaluated together.

A genome has a fixed size, its places filled from the first on:
sources, targets (n, CONNECTIONS) uint8 and weights (n, CONNECTIONS) float32: its connections; a
source is an input, or INPUTS + a hidden node, a target a hidden node, or HIDDEN + an output.
functions (n, HIDDEN + C) uint8: rows of FUNCTIONS, of hidden nodes and outputs. hidden and
connections (n,) int64: how many there are; what stands in the places after them means nothing.
Hidden nodes stand in an order in which each receives from earlier ones alone.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from hubel.breaking.hsv import levels
from hubel.breaking.map_elites import Genomes, Shape

HIDDEN = 16  # places for hidden nodes
CONNECTIONS = 64  # places for connections
INPUTS = 4  # x, y, distance, bias
FAR = 9.0  # where a Gaussian is nothing: further out its numbers are too small to be fast
# All from −1 to 1, whatever they are given.
FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "sine": torch.sin,
    "sigmoid": lambda z: torch.tanh(0.5 * z),  # 2σ(z) − 1
    "gaussian": lambda z: z.clamp(-FAR, FAR).square_().neg_().exp_().mul_(2).sub_(1),
    "linear": lambda z: z.clamp(-1, 1),
}
# values in work at a time: what a processor's cache holds, and what keeps a card busy
IN_CACHE, ON_CARD = 2**20, 2**28
STRETCH = 2**13  # pixels at a time, at most


class Step(NamedTuple):
    """Nodes that are evaluated together: rows first … last of all values.

    sources (E,), weights (E,), offsets (last − first,): of each node, from its offset on, which
    rows it receives by which weights. functions: where the rows of each begin.
    """

    first: int
    last: int
    sources: Tensor
    weights: Tensor
    offsets: Tensor
    functions: list[int]


class Plan(NamedTuple):
    """Some CPPNs as one list of nodes behind the inputs, each step's behind those it receives from.

    rows: how many values there are, inputs included. outputs (n, C): where the outputs stand.
    """

    rows: int
    steps: list[Step]
    outputs: Tensor


def coordinates(height: int, width: int) -> Tensor:
    """float32 (INPUTS, height · width): x and y from −1 to 1 over the longer side, distance, 1."""
    longer = max(height, width)
    across, down = (
        (torch.arange(side) - (side - 1) / 2) * (2 / max(longer - 1, 1)) for side in (width, height)
    )
    y, x = torch.meshgrid(down, across, indexing="ij")
    return torch.stack((x, y, (x.square() + y.square()).sqrt(), torch.ones_like(x))).flatten(1)


def there(genomes: Genomes) -> Tensor:
    """bool (n, CONNECTIONS): which places hold a connection."""
    return torch.arange(CONNECTIONS) < genomes["connections"][:, None]


def depths(genomes: Genomes) -> Tensor:
    """uint8 (n, HIDDEN + C): how many steps each node is from the inputs, outputs all the most.

    0 where no output depends on a hidden node; 1 where it receives from inputs alone, or nothing.
    """
    genome, place = there(genomes).nonzero(as_tuple=True)
    source, target = (genomes[name][genome, place].long() for name in ("sources", "targets"))
    nodes = genomes["functions"].shape[1]
    joined = torch.zeros((len(genomes["hidden"]), nodes, INPUTS + HIDDEN), dtype=torch.uint8)
    joined[genome, target, source] = 1
    between = joined[:, :, INPUTS:]  # (n, HIDDEN + C, HIDDEN)
    needed = between[:, HIDDEN:].amax(1)
    most = int(genomes["hidden"].max()) if len(joined) else 0
    for node in range(most - 1, 0, -1):  # back from the outputs
        needed |= between[:, node] & needed[:, node, None]
    found = torch.zeros(joined.shape[:2], dtype=torch.uint8)
    for node in range(most):
        deepest = (between[:, node, :node] * found[:, :node]).amax(1) if node else 0
        found[:, node] = needed[:, node] * (deepest + 1)
    found[:, HIDDEN:] = HIDDEN + 1
    return found


def planned(genomes: Genomes, depth: Tensor, device: torch.device) -> Plan:
    """How to evaluate these CPPNs, whose nodes' depths are known."""
    genome, node = depth.nonzero(as_tuple=True)
    key = depth[genome, node].long() * len(FUNCTIONS) + genomes["functions"][genome, node]
    key, order = key.sort(stable=True)
    # where the value of each input and node stands: what no output depends on, before the first
    row = torch.full((len(depth), INPUTS + depth.shape[1]), -1)
    row[:, :INPUTS] = torch.arange(INPUTS)
    row[genome[order], INPUTS + node[order]] = torch.arange(INPUTS, INPUTS + len(order))
    genome, place = there(genomes).nonzero(as_tuple=True)
    sources = row[genome, genomes["sources"][genome, place].long()]
    targets = row[genome, genomes["targets"][genome, place].long() + INPUTS]
    used = ((sources >= 0) & (targets >= 0)).nonzero()[:, 0]
    targets, by_target = targets[used].sort(stable=True)
    used = used[by_target]
    strengths = genomes["weights"][genome[used], place[used]].to(device)
    sources = sources[used].to(device)
    begins = torch.searchsorted(targets, torch.arange(INPUTS, INPUTS + len(order) + 1))
    ends = torch.searchsorted(key, torch.arange((HIDDEN + 2) * len(FUNCTIONS) + 1)).tolist()
    steps = []
    for level in range(1, HIDDEN + 2):
        cuts = ends[level * len(FUNCTIONS) : (level + 1) * len(FUNCTIONS) + 1]
        first, last = cuts[0], cuts[-1]
        if first < last:
            edges = slice(int(begins[first]), int(begins[last]))
            offsets = (begins[first:last] - begins[first]).to(device)
            steps.append(
                Step(INPUTS + first, INPUTS + last, sources[edges], strengths[edges], offsets,
                     [INPUTS + cut for cut in cuts])
            )  # fmt: skip
    return Plan(INPUTS + len(order), steps, row[:, INPUTS + HIDDEN :])


def evaluated(plan: Plan, places: Tensor) -> Tensor:
    """(n, C, P): the outputs at the places (INPUTS, P), from −1 to 1."""
    values = places.new_empty(plan.rows, places.shape[1])
    values[:INPUTS] = places
    for step in plan.steps:
        sums = embedding_bag(  # each row the weighted sum of others, in one pass
            step.sources, values[: step.first], step.offsets, mode="sum",
            per_sample_weights=step.weights,
        )  # fmt: skip
        for function, first, last in zip(
            FUNCTIONS.values(), step.functions, step.functions[1:], strict=False
        ):
            if first < last:
                values[first:last] = function(sums[first - step.first : last - step.first])
    n, channels = plan.outputs.shape
    found = values.index_select(0, plan.outputs.flatten().to(values.device))
    return found.view(n, channels, -1)


def render(genomes: Genomes, shape: Shape, device: torch.device) -> Tensor:
    """uint8 (n, C, H, W) on the device: what the CPPNs paint.

    An output from −1 to 1 is a level from 0 to 1: grey, or of three channels hue, saturation and
    value; where there are two channels, or more than three, a level each.
    """
    channels, height, width = shape
    # other devices than these two have no weighted sums of rows
    where = device if device.type == "cuda" else torch.device("cpu")
    n, pixels = len(genomes["hidden"]), height * width
    images = torch.empty((n, channels, pixels), dtype=torch.uint8, device=where)
    places = coordinates(height, width).to(where)
    depth = depths(genomes)
    room = ON_CARD if where.type == "cuda" else IN_CACHE
    load = (depth > 0).sum(1).cumsum(0) * min(pixels, STRETCH) // room  # rises by 1 when it is full
    for number in sorted(set(load.tolist())):
        group = slice(*torch.searchsorted(load, torch.tensor([number, number + 1])).tolist())
        some = {name: value[group] for name, value in genomes.items()}
        plan = planned(some, depth[group], where)
        for begin in range(0, pixels, STRETCH):
            part = slice(begin, begin + STRETCH)
            found = evaluated(plan, places[:, part])
            images[group, :, part] = levels(found.add_(1).mul_(0.5))
    return images.view(n, channels, height, width).to(device)
