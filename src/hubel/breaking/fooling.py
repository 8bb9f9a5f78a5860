"""Images that a classifier is sure of and that show nothing: evolved, or climbed to from noise.

Nguyen, Yosinski & Clune 2015 ("Deep neural networks are easily fooled: high confidence predictions
for unrecognizable images"): two encodings by MAP-Elites (section 3.1 to 3.3), and gradient ascent
(section 3.8). Images are made of the levels of an image file, and every confidence is that of the
image as it can be saved.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from hubel.breaking.cppn_mutation import CPPN
from hubel.breaking.direct_encoding import DIRECT
from hubel.breaking.map_elites import OFFSPRING, Encoding, Generation, evolve, genomes, median
from hubel.inference.answers import prepared
from hubel.mistakes import Mistake, unknown
from hubel.model import Classifier, evaluating
from hubel.understanding.maximise import OnStep, maximise
from hubel.understanding.objectives import Objective

ENCODINGS: dict[str, Encoding] = {"cppn": CPPN, "direct": DIRECT}
GRADIENT = "gradient"
WAYS = (*ENCODINGS, GRADIENT)
# Images answered at a time: so many fit a processor's cache, and keep a card busy.
AT_ONCE, ON_CARDS = 64, 512
GOAL, NOISE = 0.99, 0.1  # of the ascent: where it may end; its start's standard deviation
SMALL = 64 * 64  # pixels: smaller images are answered in larger batches than others
LARGE_AT_ONCE = 16


class Fooling(NamedTuple):
    """What came of one way, for K classes.

    images (K, C, H, W) uint8, on the processor: the levels of an image file. confidences (K,)
    float32: the classifier's probability of the class for that very image. evaluations: images
    answered in all (by gradient: forward and backward). curve (G, 3) float64: evaluations so far,
    median confidence and the least, after each generation (by gradient: of the classes done).
    """

    way: str
    classes: tuple[int, ...]
    images: Tensor
    confidences: Tensor
    evaluations: int
    curve: Tensor


def fool(
    classifier: Classifier,
    way: str = "cppn",
    *,
    classes: Sequence[int] | None = None,
    evaluations: int = 40_000,
    offspring: int = OFFSPRING,
    goal: float | None = None,
    seed: int = 0,
    state: dict[str, Tensor] | None = None,
    patience: int | None = None,
    on_step: Callable[..., None] = lambda *_: None,
) -> Iterator[Generation]:
    """Search an image for every class; yields after each generation, so that one may stop there.

    way: a row of ENCODINGS, evolved by MAP-Elites, or "gradient", see `ascent`. classes: None: all.
    evaluations, goal, patience: where the search ends; see `evolve`. on_step: called every second
    or so; what it raises ends the generation at work, and the state is that before it. state: a
    dict of tensors, kept up to date, to go on from and for `fooled`. A copy of the classifier
    answers, its batch norms folded; the classifier itself is left as it is. Raises Mistake for
    another way or class, Failure for answers that are not finite.
    """
    if way not in WAYS:
        raise unknown("way of fooling", way, WAYS)
    wanted = _wanted(classifier, classes)
    if way == GRADIENT:
        return ascent(
            classifier, classes=wanted, goal=goal or GOAL, seed=seed, state=state, on_step=on_step
        )
    return evolve(
        ENCODINGS[way], answering(classifier, wanted, on_step), shape=_shape(classifier),
        evaluations=evaluations, offspring=offspring, goal=goal, seed=seed,
        device=classifier.mean.device, state=state, patience=patience,
    )  # fmt: skip


def ascent(
    classifier: Classifier,
    *,
    classes: Sequence[int] | None = None,
    goal: float = GOAL,
    steps: int = 256,
    seed: int = 0,
    state: dict[str, Tensor] | None = None,
    on_step: OnStep | None = None,
) -> Iterator[Generation]:
    """Climb from noise to an image of every class, some classes at a time; yields after each.

    Plain gradient ascent on the class's probability, pixel by pixel, no regulariser, from noise
    about the mean colour, until it is `goal` or after `steps`. It aims halfway from there to 1, as
    rounding to levels costs a little; what is judged is the rounded image. state: as in `evolve`
    but for the genomes, in whose place are "images"; confidences are NaN of classes to come.
    Departure from the paper (section 3.8): steps are of one size whatever the gradient's, see
    `maximise`, so that a probability near 0 is climbed, too.
    """
    wanted = _wanted(classifier, classes)
    if not 0 < goal < 1 or steps < 1:
        raise Mistake(f"A goal is between 0 and 1, and steps 1 or more, not {goal} and {steps}.")
    state = {} if state is None else state
    return _ascents(classifier, wanted, goal, steps, seed, state, on_step)


def _ascents(
    classifier: Classifier, classes: tuple[int, ...], goal: float, steps: int, seed: int,
    state: dict[str, Tensor], on_step: OnStep | None,
) -> Iterator[Generation]:  # fmt: skip
    shape, device = _shape(classifier), classifier.mean.device
    group = _at_once(shape, device)
    if not state:
        state.update(
            images=torch.zeros((len(classes), *shape), dtype=torch.uint8),
            confidences=torch.full((len(classes),), torch.nan), evaluations=torch.tensor(0),
            generation=torch.tensor(0), curve=torch.empty(0, 3, dtype=torch.float64),
        )  # fmt: skip
    while (first := int((~state["confidences"].isnan()).sum())) < len(classes):
        part = classes[first : first + group]
        aims = [Objective(k, measure="probability", goal=(1 + goal) / 2) for k in part]
        found = maximise(
            classifier, aims, shape=shape, steps=steps, parameterisation="pixels", regularisers=(),
            jitter=0, noise=NOISE, seed=seed, on_step=on_step,
        )  # fmt: skip
        levels = found.images.detach().mul(255).round_().to(torch.uint8)
        state["images"][first : first + group] = levels.cpu()
        state["confidences"][first : first + group] = confidences(classifier, levels, part)
        state["generation"] += 1
        # each step looks once, as does the check of the rounded image
        state["evaluations"] += int(found.steps.sum()) + 2 * len(part)
        done = state["confidences"][: first + len(part)]
        row = [[float(state["evaluations"]), median(done), float(done.min())]]
        state["curve"] = torch.cat((state["curve"], torch.tensor(row, dtype=torch.float64)))
        yield Generation(
            int(state["generation"]), int(state["evaluations"]), state["confidences"], len(part)
        )


def fooled(
    classifier: Classifier,
    way: str,
    state: dict[str, Tensor],
    *,
    classes: Sequence[int] | None = None,
) -> Fooling:
    """The images that a search has come to, and what the classifier itself says to each.

    state: that of `fool`, after a generation or more; classes: the same as there. By gradient,
    classes that were not reached are left out.
    """
    wanted = _wanted(classifier, classes)
    if way not in WAYS:
        raise unknown("way of fooling", way, WAYS)
    if way == GRADIENT:
        there = ~state["confidences"].isnan()
        images = state["images"][there]
        wanted = tuple(k for k, known in zip(wanted, there.tolist(), strict=True) if known)
    else:
        shape, found = _shape(classifier), genomes(state)
        size = _at_once(shape, classifier.mean.device)
        parts = [
            {n: v[i : i + size] for n, v in found.items()} for i in range(0, len(wanted), size)
        ]
        render = ENCODINGS[way].render
        images = torch.cat([render(part, shape, torch.device("cpu")) for part in parts])
    return Fooling(
        way, wanted, images, confidences(classifier, images, wanted), int(state["evaluations"]),
        state["curve"].clone(),
    )  # fmt: skip


def confidences(classifier: Classifier, images: Tensor, classes: Sequence[int]) -> Tensor:
    """(n,) float32 on the processor: the probability that each image (uint8) has of its class."""
    size = _at_once(_shape(classifier), classifier.mean.device)
    own = torch.tensor(classes, dtype=torch.int64)
    found = []
    with evaluating(classifier) as classifier, torch.inference_mode(False), torch.no_grad():
        for first in range(0, len(images), size):
            part = images[first : first + size].to(classifier.mean.device)
            wanted = own[first : first + size, None]
            found.append(_shares(classifier, part).gather(1, wanted)[:, 0])
    return torch.cat(found) if found else torch.empty(0)


def answering(
    classifier: Classifier, classes: Sequence[int], on_part: Callable[[], None] = lambda: None
) -> Callable[[Tensor], Tensor]:
    """Images uint8 (n, C, H, W) → probabilities of these classes (n, K), by a copy made for speed.

    What cannot be copied (a network of the user's that holds on to a graph, say) answers itself.
    """
    ready, layout = prepared(classifier)
    every = tuple(classes) == tuple(range(len(classifier.classes)))
    own = torch.tensor(classes, dtype=torch.int64)
    size = _at_once(_shape(classifier), classifier.mean.device)

    def answer(images: Tensor) -> Tensor:
        with torch.inference_mode(False), torch.no_grad():
            parts = []
            for first in range(0, len(images), size):
                on_part()
                part = images[first : first + size].contiguous(memory_format=layout)
                parts.append(_shares(ready, part))
        shares = torch.cat(parts)
        return shares if every else shares.index_select(1, own)

    return answer


def _shares(classifier: Classifier, images: Tensor) -> Tensor:
    """Probabilities of all classes, (n, K) on the processor."""
    shares: Tensor = classifier.probabilities(images.float().div_(255)).cpu()
    return shares


def _shape(classifier: Classifier) -> tuple[int, int, int]:
    return (classifier.pixels.channels, *classifier.pixels.size)


def _at_once(shape: tuple[int, int, int], device: torch.device) -> int:
    if device.type != "cpu":
        return ON_CARDS
    return AT_ONCE if shape[1] * shape[2] <= SMALL else LARGE_AT_ONCE


def _wanted(classifier: Classifier, classes: Sequence[int] | None) -> tuple[int, ...]:
    """The classes by number. Raises Mistake for none, for one that is not there, or twice."""
    known = len(classifier.classes)
    wanted = tuple(range(known)) if classes is None else tuple(int(k) for k in classes)
    if not wanted:
        raise Mistake("Name at least one class to be fooled into.")
    if wrong := [k for k in wanted if not 0 <= k < known]:
        raise Mistake(f"The classes are 0 to {known - 1}; found {wrong[0]}.")
    if len(set(wanted)) < len(wanted):
        raise Mistake("Each class can be named once.")
    return wanted
