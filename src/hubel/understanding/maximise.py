"""Images that a network answers to most: gradient ascent on the image, many images in one batch.

Erhan et al. 2009 and Yosinski et al. 2015 for units of any layer, Simonyan et al. 2014 ("Deep
Inside Convolutional Networks", section 2) for classes, Olah et al. 2017 for the image's
parameterisation. Image i of a batch is pulled by objective i alone, and what is drawn for it is
drawn by its objective: it comes out as if it had been made alone.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from hubel import draws
from hubel.mistakes import Mistake, unknown
from hubel.model import Model, evaluating
from hubel.understanding.arrangement import demand_maps_first
from hubel.understanding.image_parameters import PARAMETERISATIONS, Make, Parameterisation, level
from hubel.understanding.jitter import drawn, shifted
from hubel.understanding.objectives import Objective, check
from hubel.understanding.regularisers import USUAL, Regulariser
from hubel.understanding.scores import looked, slope_of, woken

OnStep = Callable[[int, Tensor, Tensor], None]  # step from 1, images (N, C, H, W), scores (N,)
JITTER = 14  # of the shorter side, one part: 2 pixels of 28, 16 of 224


class Maximised(NamedTuple):
    """Images and how they came about; N images, T steps at most.

    images (N, C, H, W) in [0, 1]. scores (T, N): each objective's measure before every step, of the
    image as it was shown (shifted, where there is jitter); NaN once the image is done. final (N,):
    the same of the image that is returned, unshifted; judged (N,): of that image, the measure that
    the goal is in. reached (N,): whether that is the goal or more; False where there is none.
    steps (N,): how many were taken.
    """

    objectives: tuple[Objective, ...]
    images: Tensor
    scores: Tensor
    final: Tensor
    judged: Tensor
    reached: Tensor
    steps: Tensor

    def verdicts(self) -> tuple[str, ...]:
        """Of each image in words: what it reached, when, or of what goal it fell short."""
        said = []
        for i, objective in enumerate(self.objectives):
            found = f"{objective}: {objective.judged} {float(self.judged[i]):.4g}"
            found += f" after {int(self.steps[i])} steps"
            if objective.goal is not None and not self.reached[i]:
                found += f", short of the goal of {objective.goal:.4g}"
            said.append(found)
        return tuple(said)


def maximise(
    network: nn.Module,
    objectives: Sequence[Objective],
    *,
    shape: tuple[int, int, int],
    steps: int = 256,
    lr: float | None = None,
    parameterisation: str | Make = "fourier",
    regularisers: Sequence[Regulariser] = USUAL,
    jitter: int | None = None,
    noise: float = 0.01,
    zero: float | Tensor | None = None,
    seed: int = 0,
    on_step: OnStep | None = None,
) -> Maximised:
    """Images of shape (C, H, W) that maximise each its own objective, all in one batch.

    network: called with pixels in [0, 1] of its parameters' type and device, which the images have,
    too. parameterisation: a name of PARAMETERISATIONS, or one's own. lr: the size of a step
    ("pixels": the root mean square of its change); None: the parameterisation's usual.
    regularisers: rows of `regularisers`, applied in this order. jitter: at every step the image is
    shifted, around its borders, by up to so many pixels each way; None: a fourteenth of the shorter
    side. zero: the image that counts as nothing, one level or one a channel; by default the mean of
    a Model's pixels, else 0.5. noise: the standard deviation of the parameters around it at the
    start ("pixels": in pixel values; Simonyan et al. start with 0).
    An image that reaches its goal is left as it is and costs nothing more; with jitter, it has to
    reach it unshifted. Departure from the papers: a gradient is divided by its size, so that lr
    means the same for every network and score; and an image without any (its unit is 0, behind a
    ReLU) is moved by the deconvnet's rule, until it has one.

    The network's mode, hooks and gradients are left as found, and so is the global generator.
    Raises Mistake for no objectives, for a layer, unit, measure or setting that does not exist, and
    Failure for a score that is not finite.
    """
    objectives = tuple(objectives)
    _check(objectives, shape, steps, lr, jitter, noise)
    jitter = min(shape[1:]) // JITTER if jitter is None else jitter
    with evaluating(network) as network, torch.inference_mode(False), torch.enable_grad():
        found = [p for p in network.parameters() if p.is_floating_point()]
        usual = network.pixels.mean if isinstance(network, Model) else None
        nothing = level(zero, shape[0], usual).to(found[0] if found else torch.empty(()))
        rows = _make(parameterisation)(shape, nothing)
        blank = rows.encode(nothing.expand(1, *shape))
        about = [noise * _drawn(objective, seed, blank[0]) for objective in objectives]
        start = rows.keep(blank + torch.stack(about)).detach()
        layers = {each.layer: None for each in objectives if each.layer is not None}
        demand_maps_first(network, rows.decode(start[:1]), layers)
        climb = _Climb(objectives, rows, start, nothing, tuple(regularisers), steps)
        for number in range(1, steps + 1):
            if climb.active:
                climb.step(network, number, rows.lr if lr is None else lr, jitter, seed)
                if on_step is not None:
                    on_step(number, climb.images.clone(), climb.scores[number - 1].clone())
        return climb.finish(network)


class _Climb:
    """Where the ascent stands: the images of the batch that still move, and what is known of all.

    active: which objectives these are. parameters (n, …) and memory: theirs. shown: the parameters
    as a leaf and the image that they mean, as long as they stand.
    """

    def __init__(
        self,
        objectives: tuple[Objective, ...],
        rows: Parameterisation,
        start: Tensor,
        zero: Tensor,
        regularisers: tuple[Regulariser, ...],
        steps: int,
    ) -> None:
        self.objectives, self.rows, self.zero = objectives, rows, zero
        self.regularisers = regularisers
        self.keys = [objective.key for objective in objectives]
        self.active = list(range(len(objectives)))
        self.parameters, self.memory = start, dict[str, Tensor]()
        self.shown: tuple[Tensor, Tensor] | None = None
        self.images = rows.decode(start).detach().clone()
        n = len(objectives)
        self.scores = self.images.new_full((steps, n), torch.nan)
        self.final = self.images.new_full((n,), torch.nan)
        self.judged = self.final.clone()
        self.reached = torch.zeros(n, dtype=torch.bool)
        self.steps = torch.zeros(n, dtype=torch.int64)

    def step(self, network: nn.Module, number: int, lr: float, jitter: int, seed: int) -> None:
        """Show, stop what has reached its goal, differentiate, move and regularise the rest."""
        leaf, decoded = self._show()
        image = decoded.detach()
        keys = [self.keys[i] for i in self.active]
        moves = drawn(keys, jitter, seed, number)
        seen = shifted(image, moves).detach().requires_grad_()
        scores, goals = looked(network, seen, [self.objectives[i] for i in self.active])
        every = len(self.active) == len(self.objectives)
        here = slice(None) if every else self.active
        self.scores[number - 1, here] = scores.detach()
        self.images[here] = image
        found = slope_of(scores, seen)
        still = (found.flatten(1) == 0).all(1)
        if bool(still.any()):
            now = [self.objectives[i] for i, each in zip(self.active, still, strict=True) if each]
            found[still] = woken(network, seen[still], now)
        slope = shifted(found, -moves)
        stay = self._stop(network, goals.tolist())
        if not self.active:
            return
        (moved,) = torch.autograd.grad(decoded, leaf, self._penalised(slope, image))
        direction = self.rows.rule(moved[stay], self.memory, number)
        self._move(self.parameters[stay] + lr * direction)
        self._regularise(slope[stay], number)
        self.steps[self.active] = number

    def _show(self) -> tuple[Tensor, Tensor]:
        if self.shown is None:
            leaf = self.parameters.detach().requires_grad_()
            self.shown = leaf, self.rows.decode(leaf)
        return self.shown

    def _move(self, parameters: Tensor) -> None:
        self.parameters, self.shown = self.rows.keep(parameters), None

    def _stop(self, network: nn.Module, goals: list[float]) -> list[int] | slice:
        """Let go of the images that are at their goal; the places in the batch of the others."""
        near = [i for i, found in zip(self.active, goals, strict=True) if self._met(i, found)]
        done = set(self.settle(network, near)) if near else set()
        if not done:
            return slice(None)
        stay = [place for place, i in enumerate(self.active) if i not in done]
        self.active = [self.active[place] for place in stay]
        self.memory = {name: value[stay] for name, value in self.memory.items()}
        return stay

    def _met(self, i: int, found: float) -> bool:
        goal = self.objectives[i].goal
        return goal is not None and found >= goal

    def settle(self, network: nn.Module, which: list[int]) -> list[int]:
        """Look at these images as they are and write down what is found; those at their goal."""
        with torch.no_grad():
            scores, goals = looked(network, self.images[which], [self.objectives[i] for i in which])
        self.final[which], self.judged[which] = scores, goals
        met = [i for i, found in zip(which, goals.tolist(), strict=True) if self._met(i, found)]
        self.reached[met] = True
        return met

    def finish(self, network: nn.Module) -> Maximised:
        if self.active:
            self.images[self.active] = self._show()[1].detach()
            self.settle(network, self.active)
        return Maximised(
            self.objectives, self.images, self.scores, self.final, self.judged, self.reached,
            self.steps,
        )  # fmt: skip

    def _penalised(self, slope: Tensor, image: Tensor) -> Tensor:
        """The score's gradient by the image, less that of all penalties."""
        leaf = image.clone().requires_grad_()
        terms = [rule.penalty(leaf - self.zero) for rule in self.regularisers if rule.penalty]
        if not terms:
            return slope
        return slope - torch.autograd.grad(torch.stack(terms).sum(), leaf)[0]

    def _regularise(self, slope: Tensor, number: int) -> None:
        """Change the image by every rule in turn, and the parameters only if one did."""
        rules = [rule.after for rule in self.regularisers if rule.after]
        if not rules:
            return
        x = before = self._show()[1].detach() - self.zero
        for rule in rules:
            x = rule(x, slope, number)
        if x is not before:
            self._move(self.rows.encode((x + self.zero).clamp(0, 1)))


def _drawn(objective: Objective, seed: int, like: Tensor) -> Tensor:
    generator = torch.Generator().manual_seed(draws.integer(seed, "maximise", objective.key))
    return torch.randn(like.shape, generator=generator).to(like)


def _make(parameterisation: str | Make) -> Make:
    if not isinstance(parameterisation, str):
        return parameterisation
    if parameterisation not in PARAMETERISATIONS:
        raise unknown("parameterisation", parameterisation, PARAMETERISATIONS)
    return PARAMETERISATIONS[parameterisation]


def _check(
    objectives: Sequence[Objective],
    shape: tuple[int, int, int],
    steps: int,
    lr: float | None,
    jitter: int | None,
    noise: float,
) -> None:
    check(objectives)
    if len(shape) != 3 or min(shape) < 1:
        raise Mistake(f"An image's shape is (channels, height, width), not {tuple(shape)}.")
    if steps < 1:
        raise Mistake(f"An ascent takes 1 step or more, not {steps}.")
    if lr is not None and not 0 < lr < math.inf:
        raise Mistake(f"The size of a step is above 0 and finite, not {lr}.")
    if jitter is not None and not 0 <= jitter < min(shape[1:]):
        raise Mistake(f"Jitter is from 0 to below the image's sides, not {jitter}.")
    if not 0 <= noise < math.inf:
        raise Mistake(f"The start's noise is 0 or more, and finite, not {noise}.")
