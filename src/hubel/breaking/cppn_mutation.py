"""How CPPNs begin and mutate: weights, functions, and nodes and connections that come and go.

NEAT's operators (Stanley & Miikkulainen 2002, section 3.1) without its crossover, as Nguyen,
Yosinski & Clune 2015 have it; the rates are those of the authors' published program
(Evolving-AI-Lab/fooling, dl_map_elites_images.cpp). All genomes are mutated together.
"""

import torch
from torch import Tensor

from hubel.breaking import polynomial
from hubel.breaking.cppn import CONNECTIONS, FUNCTIONS, HIDDEN, INPUTS, render, there
from hubel.breaking.map_elites import Encoding, Genomes, Shape
from hubel.mistakes import Mistake

BOUND = 10.0  # a weight is from −10 to 10
WEIGHT, FUNCTION = 0.1, 0.1  # the probability of each to be mutated
ADD_NODE, DROP_NODE = 0.5, 0.2  # of a genome, for one of its nodes or connections
ADD_CONNECTION, DROP_CONNECTION, MOVE_CONNECTION = 0.5, 0.3, 0.5


def start(n: int, shape: Shape, generator: torch.Generator) -> Genomes:
    """CPPNs without hidden nodes, every output joined to every input, weights drawn uniformly."""
    outputs, joined = shape[0], shape[0] * INPUTS
    if joined > CONNECTIONS - INPUTS:
        raise Mistake(f"CPPNs paint up to {CONNECTIONS // INPUTS - 1} channels, not {outputs}.")
    found = {
        name: torch.zeros((n, CONNECTIONS), dtype=torch.uint8) for name in ("sources", "targets")
    }
    found["sources"][:, :joined] = torch.arange(INPUTS).repeat(outputs)
    found["targets"][:, :joined] = HIDDEN + torch.arange(outputs).repeat_interleave(INPUTS)
    found["weights"] = torch.zeros(n, CONNECTIONS)
    found["weights"][:, :joined] = _weights((n, joined), generator)
    found["functions"] = _functions((n, HIDDEN + outputs), generator)
    found["hidden"] = torch.zeros(n, dtype=torch.int64)
    found["connections"] = torch.full((n,), joined)
    return found


def mutate(genomes: Genomes, _evaluations: int, generator: torch.Generator) -> Genomes:
    """Offspring: each operator has its chance, one after another."""
    young = {name: value.clone() for name, value in genomes.items()}
    hidden, connections = young["hidden"], young["connections"]
    fate = torch.rand((12, len(hidden)), generator=generator)
    _drop_nodes(young, _which((fate[0] < DROP_NODE) & (hidden > 0)), fate[1])
    _drop_connections(young, _which((fate[2] < DROP_CONNECTION) & (connections > 0)), fate[3])
    room = (connections > 0) & (connections < CONNECTIONS) & (hidden < HIDDEN)
    _add_nodes(young, _which((fate[4] < ADD_NODE) & room), fate[5], generator)
    room = connections < CONNECTIONS
    _add_connections(young, _which((fate[6] < ADD_CONNECTION) & room), fate[7:9], generator)
    _move_connections(young, _which((fate[9] < MOVE_CONNECTION) & (connections > 0)), fate[9:])
    weights = young["weights"]
    changed = polynomial.chosen(weights, WEIGHT, generator) & there(young)
    steps = polynomial.steps(int(changed.sum()), generator)
    weights[changed] = (weights[changed] + 2 * BOUND * steps).clamp_(-BOUND, BOUND)
    functions = young["functions"]
    changed = polynomial.chosen(functions, FUNCTION, generator)
    young["functions"] = torch.where(changed, _functions(functions.shape, generator), functions)
    return young


def _functions(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    return torch.randint(len(FUNCTIONS), shape, generator=generator, dtype=torch.uint8)


def _weights(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    return (2 * torch.rand(shape, generator=generator) - 1) * BOUND


def _which(mask: Tensor) -> Tensor:
    return mask.nonzero()[:, 0]


def _one_of(number: Tensor, fate: Tensor) -> Tensor:
    """0 … number − 1, each as likely: which one, fate in [0, 1) says."""
    return (fate * number).long().minimum(number - 1)


def _drop_nodes(young: Genomes, of: Tensor, fate: Tensor) -> None:
    """Take a hidden node out, with all its connections; the later ones move up."""
    sources, targets = young["sources"][of], young["targets"][of]
    gone = _one_of(young["hidden"][of], fate[of])[:, None]
    stays = there({"connections": young["connections"][of]})
    stays &= (sources != INPUTS + gone) & (targets != gone)
    sources = torch.where(sources > INPUTS + gone, sources - 1, sources)
    targets = torch.where((targets > gone) & (targets < HIDDEN), targets - 1, targets)
    order = (~stays).to(torch.uint8).argsort(dim=1, stable=True)
    young["sources"][of] = sources.gather(1, order)
    young["targets"][of] = targets.gather(1, order)
    young["weights"][of] = young["weights"][of].gather(1, order)
    young["connections"][of] = stays.sum(1)
    now = torch.arange(young["functions"].shape[1]).expand(len(of), -1)
    before = torch.where((now >= gone) & (now < HIDDEN - 1), now + 1, now)
    young["functions"][of] = young["functions"][of].gather(1, before)
    young["hidden"][of] -= 1


def _add_nodes(young: Genomes, of: Tensor, fate: Tensor, generator: torch.Generator) -> None:
    """Put a node of any function into a connection: 1 leads to it, the old weight away from it."""
    split, end = _one_of(young["connections"][of], fate[of]), young["connections"][of]
    sources, targets = young["sources"][of], young["targets"][of]
    rows = torch.arange(len(of))
    old_source, target = sources[rows, split], targets[rows, split].long()
    fresh = torch.where(target < HIDDEN, target, young["hidden"][of])  # before what it leads to
    place = fresh[:, None]
    sources = torch.where(sources >= INPUTS + place, sources + 1, sources)
    targets = torch.where((targets >= place) & (targets < HIDDEN), targets + 1, targets)
    sources[rows, split] = (INPUTS + fresh).to(torch.uint8)
    sources[rows, end] = old_source
    targets[rows, end] = fresh.to(torch.uint8)
    young["sources"][of], young["targets"][of] = sources, targets
    young["weights"][of, end] = 1.0
    now = torch.arange(young["functions"].shape[1]).expand(len(of), -1)
    before = torch.where((now > place) & (now < HIDDEN), now - 1, now)
    functions = young["functions"][of].gather(1, before)
    functions[rows, fresh] = _functions((len(of),), generator)
    young["functions"][of] = functions
    young["hidden"][of] += 1
    young["connections"][of] += 1


def _drop_connections(young: Genomes, of: Tensor, fate: Tensor) -> None:
    """The last one takes the place of the one that goes."""
    last = young["connections"][of] - 1
    gone = _one_of(last + 1, fate[of])
    for name in ("sources", "targets", "weights"):
        young[name][of, gone] = young[name][of, last]
    young["connections"][of] = last


def _add_connections(young: Genomes, of: Tensor, fate: Tensor, generator: torch.Generator) -> None:
    weights = _weights((len(of),), generator)
    free, source, target = _between(young, of, fate)
    of, end = of[free], young["connections"][of[free]]
    young["sources"][of, end] = source
    young["targets"][of, end] = target
    young["weights"][of, end] = weights[free]
    young["connections"][of] += 1


def _move_connections(young: Genomes, of: Tensor, fate: Tensor) -> None:
    """A connection joins two other nodes, by the same weight."""
    free, source, target = _between(young, of, fate[1:])
    of = of[free]
    # what is left of the number that let it be moved, spread over [0, 1) again
    moved = _one_of(young["connections"][of], fate[0, of] / MOVE_CONNECTION)
    young["sources"][of, moved] = source
    young["targets"][of, moved] = target


def _between(young: Genomes, of: Tensor, fate: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """A target, and a source that may lead to it, drawn for each; where they are joined, none.

    Which of them have one, and of those source and target, uint8.
    """
    hidden = young["hidden"][of]
    outputs = young["functions"].shape[1] - HIDDEN
    target = _one_of(hidden + outputs, fate[0, of])
    before = torch.minimum(target, hidden)  # hidden nodes that stand before it
    target = torch.where(target < hidden, target, HIDDEN + target - hidden)
    source = _one_of(INPUTS + before, fate[1, of])
    same = (young["sources"][of] == source[:, None]) & (young["targets"][of] == target[:, None])
    same &= there({"connections": young["connections"][of]})
    free = _which(~same.any(1))
    return free, source[free].to(torch.uint8), target[free].to(torch.uint8)


CPPN = Encoding(start, mutate, render, beside=False)
