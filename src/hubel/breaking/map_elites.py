"""MAP-Elites: one elite for every class, and all classes at once.

Mouret & Clune 2015 ("Illuminating search spaces by mapping elites"), as Nguyen, Yosinski & Clune
2015 ("Deep neural networks are easily fooled", section 2.2) use it: the map's cells are the
classes, an image's fitness in a cell is the classifier's probability of that class. Whoever turns
out better at any class than its elite takes that place, whichever class its parent came from.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from hubel import draws
from hubel.mistakes import Failure, Mistake

Genomes = dict[str, Tensor]  # tensors of n genomes: (n, …) each
Shape = tuple[int, int, int]  # channels, height, width
# images uint8 (n, C, H, W) on the network's device → probabilities (n, K) on the processor
Answer = Callable[[Tensor], Tensor]
# A generation. The authors' is 400; on Fashion-MNIST, after 40,000 images pixel by pixel, the least
# sure class was at 25 % by 400, at 58 % by 100.
OFFSPRING = 100
RISE = 0.01  # of a confidence, below which nothing has changed
GENOME = "genome/"  # how the genomes' tensors are called in a state


class Encoding(NamedTuple):
    """How a genome means an image; n genomes at a time.

    start(n, shape, generator) → genomes to begin with. mutate(genomes, evaluations, generator) →
    their offspring, one each, as new tensors; evaluations: how many there were so far.
    render(genomes, shape, device) → images uint8 (n, C, H, W), the levels of an image file.
    beside: whether the genomes are kept on the network's device, for they are large; else they
    stay on the processor. The generator is on the genomes' device.
    """

    start: Callable[[int, Shape, torch.Generator], Genomes]
    mutate: Callable[[Genomes, int, torch.Generator], Genomes]
    render: Callable[[Genomes, Shape, torch.device], Tensor]
    beside: bool


class Generation(NamedTuple):
    """Where the search stands after a generation, the first being number 1.

    evaluations: images answered so far. confidences (K,): of each class's elite, float32 on the
    processor. replaced: how many classes have a new elite.
    """

    number: int
    evaluations: int
    confidences: Tensor
    replaced: int


def evolve(
    encoding: Encoding,
    answer: Answer,
    *,
    shape: Shape,
    evaluations: int,
    offspring: int = OFFSPRING,
    goal: float | None = None,
    seed: int = 0,
    device: torch.device | str = "cpu",
    state: dict[str, Tensor] | None = None,
    patience: int | None = None,
) -> Iterator[Generation]:
    """Evolve an image for every class that `answer` gives a probability of; yields generations.

    A generation is `offspring` images, answered at once: the first drawn afresh, the later ones
    each the mutated copy of an elite, drawn uniformly from all classes'. It ends with the first
    generation that brings the number of evaluations to `evaluations`, or every class to `goal`, or
    after which neither the median confidence nor the least has risen by RISE for `patience`
    evaluations.

    state: a dict that each generation keeps up to date, of tensors alone: the elites' genomes
    ("genome/…", (K, …) each), "confidences" (K,), "evaluations", "generation", and "curve" (G, 3):
    of each generation the evaluations so far, the median confidence and the least. Given back, or
    saved as safetensors and loaded, it is gone on from, bit-equal on the same device, threads and
    versions: what a generation draws follows from the seed and its number. device: the
    network's.
    Departure from the paper: its generations are of 400; smaller ones need fewer images, as elites
    are parents sooner.

    Raises Mistake for settings that mean nothing, Failure for probabilities that are not finite.
    """
    if evaluations < 1 or offspring < 1:
        raise Mistake(
            f"Evaluations and offspring are 1 or more, not {evaluations} and {offspring}."
        )
    search = _Search(encoding, answer, shape, offspring, seed, torch.device(device))
    return _generations(search, evaluations, goal, patience, {} if state is None else state)


def _generations(
    search: "_Search", evaluations: int, goal: float | None, patience: int | None,
    state: dict[str, Tensor],
) -> Iterator[Generation]:  # fmt: skip
    while not ended(state, evaluations, goal, patience):
        with torch.inference_mode(False), torch.no_grad():  # between two, the caller's modes
            at = search.generation(state)
        yield at


class _Search(NamedTuple):
    """All that a generation follows from, but where the search stands; device: the network's."""

    encoding: Encoding
    answer: Answer
    shape: Shape
    offspring: int
    seed: int
    device: torch.device

    def generation(self, state: dict[str, Tensor]) -> Generation:
        """Draw, render and answer the next generation, and bring the state up to date."""
        number = int(state["generation"]) + 1 if state else 1
        done = int(state["evaluations"]) if state else 0
        here = self.device if self.encoding.beside else torch.device("cpu")
        generator = torch.Generator(here)
        generator.manual_seed(draws.integer(self.seed, "map-elites", number))
        elites = {name: value.to(here) for name, value in genomes(state).items()}
        if state:
            cells = len(state["confidences"])
            parents = torch.randint(cells, (self.offspring,), generator=generator, device=here)
            young = {name: value[parents] for name, value in elites.items()}
            young = self.encoding.mutate(young, done, generator)
        else:
            young = self.encoding.start(self.offspring, self.shape, generator)
        found = self.answer(self.encoding.render(young, self.shape, self.device))
        if not bool(found.isfinite().all()):
            raise Failure("The network's answers to these images are not finite.")
        which = found.argmax(0)  # (K,): whose probability is highest, the first where some are even
        best = found.gather(0, which[None])[0]
        confidences = state["confidences"] if state else torch.full_like(best, -torch.inf)
        places = (best > confidences).nonzero()[:, 0]
        for name, value in young.items():
            fresh = value[which[places].to(here)]
            if state:
                elites[name][places.to(here)] = fresh
            else:  # every class has its first elite
                elites[name] = fresh
        confidences = torch.maximum(confidences, best)
        done += self.offspring
        row = torch.tensor(
            [[done, median(confidences), float(confidences.min())]], dtype=torch.float64
        )
        state.update({GENOME + name: value for name, value in elites.items()})
        state.update(
            confidences=confidences, evaluations=torch.tensor(done),
            generation=torch.tensor(number),
            curve=torch.cat((state["curve"], row)) if "curve" in state else row,
        )  # fmt: skip
        return Generation(number, done, confidences, len(places))


def genomes(state: dict[str, Tensor]) -> Genomes:
    """The elites' genomes in a state."""
    return {n.removeprefix(GENOME): value for n, value in state.items() if n.startswith(GENOME)}


def median(values: Tensor) -> float:
    """The median, of an even number the mean of the two in the middle (torch's is the lower)."""
    return float(values.double().quantile(0.5))


def ended(
    state: dict[str, Tensor], evaluations: int, goal: float | None = None,
    patience: int | None = None,
) -> bool:  # fmt: skip
    """Whether a search that stands at this state is at its end; see `evolve`."""
    if not state:
        return False
    met = goal is not None and bool((state["confidences"] >= goal).all())
    still = patience is not None and stalled(state["curve"], patience)
    return met or still or int(state["evaluations"]) >= evaluations


def stalled(curve: Tensor, patience: int) -> bool:
    """Whether for so many evaluations neither the median confidence nor the least rose by RISE.

    curve (G, 3): as in a state.
    """
    before = curve[curve[:, 0] <= curve[-1, 0] - patience]
    return len(before) > 0 and bool((curve[-1, 1:] - before[-1, 1:] < RISE).all())
