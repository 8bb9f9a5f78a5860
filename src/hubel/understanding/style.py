"""Style transfer: a picture with the content of one and the style of another.

Gatys, Ecker & Bethge 2016 ("Image Style Transfer Using Convolutional Neural Networks"): content is
what deep layers hand on, style the correlations between the maps of several layers; the picture is
found by L-BFGS on its pixels.
"""

import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from hubel.mistakes import Failure, Mistake, unknown
from hubel.twins import evaluated
from hubel.understanding.arrangement import demand_maps_first
from hubel.understanding.lbfgs import packed, unpacked
from hubel.understanding.prefix import up_to
from hubel.understanding.style_losses import LOSSES, Losses, gram, total_variation
from hubel.understanding.style_starts import begin

EDGE = 1 / 512  # pictures of 8 bits are kept half a level from black and white: a sigmoid's edges


class Layers(NamedTuple):
    """Which layers hold content and style, each with its weight in the sum."""

    content: Mapping[str, float]
    style: Mapping[str, float]


# "vgg": the paper's for VGG-19, after the ReLUs. "efficientnet-lite": found by eye, at 160 to 224
# pixels, with relative losses: the widened maps, after their ReLUs, of strides 2 to 16. What the
# blocks themselves hand on is a sixth as wide, and its Gram matrices leave grain and false colours.
_WIDE = ("stem", *(f"blocks.{n}.expand" for n in (1, 2, 3, 5, 8)))
LAYERS: dict[str, Layers] = {
    "vgg": Layers(content={"relu4_2": 1.0}, style={f"relu{n}_1": 1 / 5 for n in range(1, 6)}),
    "efficientnet-lite": Layers(
        content={"blocks.5.expand": 1.0}, style=dict.fromkeys(_WIDE, 1 / 6)
    ),
}


class Step(NamedTuple):
    """The picture after a step, and its losses; number 0 is the start.

    image (C, H, W) in [0, 1]. content, style, total_variation: unweighted, each layer by its own
    weight. loss: their sum by the weights of the three. evaluations: how often the network was run
    for this step, forward and backward.
    """

    number: int
    image: Tensor
    content: float
    style: float
    total_variation: float
    loss: float
    evaluations: int


def transfer(
    network: nn.Module,
    content: Tensor,
    style: Tensor,
    *,
    layers: Layers,
    style_weight: float = 10.0,
    content_weight: float = 1.0,
    variation_weight: float = 20.0,
    losses: str = "relative",
    start: str | Tensor = "content",
    steps: int = 200,
    memory: int = 20,
    seed: int = 0,
    state: dict[str, Tensor] | None = None,
) -> Iterator[Step]:
    """Lower α·content + β·style + γ·total variation, step by step of L-BFGS; yields each.

    network: called with pixels; takes both pictures' sizes. content (C, H, W) and style (C, h, w),
    in [0, 1]. layers: a row of LAYERS or one's own. losses: a row of LOSSES. start: "content",
    "style" (stretched to the content's size), both at less contrast, "noise" (around
    mid-grey, by the seed), or a picture, as it is; see `style_starts`.
    memory: how many steps L-BFGS remembers. The first step yielded is number 0, the start itself;
    it ends after `steps`, or when no step lowers the loss any more. A grid of style weights is
    `[[*transfer(…, style_weight=w)][-1].image for w in weights]`.

    The optimiser is torch's, with line search (strong Wolfe): its memory is made of tensors that
    can be saved, and the work stays on the network's device; SciPy's keeps its memory to itself.
    state: a dict that the steps keep up to date, of tensors alone. Given back (or saved as
    safetensors and loaded), it is gone on from, bit-equal on the same device, threads and versions;
    with "parameters" alone in it, from the same picture with an empty memory. Save it between two
    steps; the tensors are the optimiser's own.
    Departures from the paper: the picture is a sigmoid of what is optimised, so that it stays in
    [0, 1] and the losses are those of the picture that is shown; `gram` is a mean; losses are
    "relative", for which the usual weights are meant; total variation is added.

    Mode, hooks and gradients of the network are left as found, also between the steps. Raises
    Mistake for what cannot be asked, and Failure for a loss that is not finite or a state of
    another picture.
    """
    _check(content, style, layers, (content_weight, style_weight, variation_weight), losses, steps)
    state = {} if state is None else state
    objective = _Objective(
        network, content, style, layers, LOSSES[losses],
        (content_weight, style_weight, variation_weight),
    )  # fmt: skip
    fresh = not state
    if fresh:
        first = begin(start, content, style, seed)
        state["parameters"] = torch.logit(first, eps=EDGE)
        state["number"] = torch.tensor(0)
    return _steps(objective, state, fresh, steps, memory, content)


def _steps(
    objective: "_Objective",
    state: dict[str, Tensor],
    fresh: bool,
    steps: int,
    memory: int,
    content: Tensor,
) -> Iterator[Step]:
    parameters = _parameters(state, content)
    optimiser = torch.optim.LBFGS(
        [parameters], lr=1, max_iter=1, max_eval=25, history_size=memory,
        tolerance_grad=0, tolerance_change=0, line_search_fn="strong_wolfe",
    )  # fmt: skip
    # what a file held is on the processor
    own = {name: value.to(parameters.device) for name, value in state.items()}
    optimiser.state[parameters].update(unpacked(own))

    def closure() -> Tensor:
        at = objective(parameters)
        parameters.grad = at.slope.clone()
        return at.loss

    if fresh:
        yield objective.step(0, parameters)
    first = int(state.get("number", 0))
    for number in range(first + 1, steps + 1):
        before = parameters.detach().clone()
        with torch.inference_mode(False):
            optimiser.step(closure)  # type: ignore[no-untyped-call]
        if torch.equal(parameters, before):
            return
        state.clear()
        state.update(packed(optimiser.state[parameters]))
        state.update(parameters=parameters.detach(), number=torch.tensor(number))
        yield objective.step(number, parameters)


class _At(NamedTuple):
    """What is known of one picture: its parameters, losses (content, style, variation), slope."""

    parameters: Tensor
    parts: tuple[float, float, float]
    loss: Tensor
    slope: Tensor


class _Objective:
    """The loss and its gradient by the parameters; what was looked at last is not computed again.

    The line search ends at a picture that it has looked at, where L-BFGS begins its next step.
    """

    def __init__(
        self,
        network: nn.Module,
        content: Tensor,
        style: Tensor,
        layers: Layers,
        losses: Losses,
        weights: tuple[float, float, float],
    ) -> None:
        self.network = evaluated(network)
        self.layers, self.losses, self.weights = layers, losses, weights
        self.seen: list[_At] = []
        self.evaluations = 0
        with torch.inference_mode(False), torch.no_grad():
            demand_maps_first(self.network, content[None], {**layers.content, **layers.style})
            maps = self._maps(content.clone(), layers.content)
            self.content = {name: maps[name] for name in layers.content}
            maps = self._maps(style.clone(), layers.style)
            self.style = {name: gram(maps[name]) for name in layers.style}

    def _maps(self, image: Tensor, names: Mapping[str, object]) -> dict[str, Tensor]:
        found = up_to(self.network, image[None], names) if names else {}
        for name, value in found.items():
            if value.ndim != 4:
                raise Mistake(f"{name} hands on {tuple(value.shape)}, not maps (N, C, H, W).")
        return {name: value[0] for name, value in found.items()}

    def __call__(self, parameters: Tensor) -> _At:
        for at in self.seen:
            if torch.equal(at.parameters, parameters):
                return at
        with torch.inference_mode(False), torch.enable_grad():
            leaf = parameters.detach().clone().requires_grad_()
            image = torch.sigmoid(leaf)
            parts = self.parts(image)
            loss = torch.stack(
                [w * part for w, part in zip(self.weights, parts, strict=True)]
            ).sum()
            (slope,) = torch.autograd.grad(loss, leaf)
        if not bool(loss.isfinite()):
            raise Failure("The loss is not finite: the network or its weights cannot be followed.")
        one, two, three = torch.stack(parts).tolist()
        self.seen.append(_At(leaf.detach(), (one, two, three), loss.detach(), slope))
        self.evaluations += 1
        return self.seen[-1]

    def parts(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Content, style and total variation of an image (C, H, W), scalars with their graph."""
        maps = self._maps(image, {**self.layers.content, **self.layers.style})
        zero = image.new_zeros(())
        content = [
            weight * self.losses.content(maps[name], self.content[name])
            for name, weight in self.layers.content.items()
        ]
        style = [
            weight * self.losses.style(gram(maps[name]), self.style[name])
            for name, weight in self.layers.style.items()
        ]
        return sum(content, zero), sum(style, zero), total_variation(image)

    def step(self, number: int, parameters: Tensor) -> Step:
        """What is shown of the picture at these parameters; of what was seen, only that is kept."""
        at = self(parameters)
        count, self.evaluations, self.seen = self.evaluations, 0, [at]
        return Step(number, torch.sigmoid(at.parameters), *at.parts, float(at.loss), count)


def _parameters(state: Mapping[str, Tensor], content: Tensor) -> Tensor:
    """The parameters to go on from. Raises Failure where they are not those of such a picture."""
    found = state.get("parameters")
    if found is None or found.shape != content.shape:
        raise Failure(
            f"The state is not that of a picture of {tuple(content.shape)}: "
            f"it has {'no parameters' if found is None else tuple(found.shape)}."
        )
    with torch.inference_mode(False):
        return found.detach().to(content).clone().requires_grad_()


def _check(
    content: Tensor,
    style: Tensor,
    layers: Layers,
    weights: tuple[float, float, float],
    losses: str,
    steps: int,
) -> None:
    for name, image in (("content", content), ("style", style)):
        if image.ndim != 3 or not bool(((image >= 0) & (image <= 1)).all()):
            raise Mistake(
                f"The {name} is one picture (C, H, W) with pixels in [0, 1]; "
                f"found {tuple(image.shape)} from {float(image.min())} to {float(image.max())}."
            )
    if content.shape[0] != style.shape[0]:
        raise Mistake(
            f"Both pictures have as many channels; the content has {content.shape[0]}, "
            f"the style {style.shape[0]}."
        )
    for weight in (*weights, *layers.content.values(), *layers.style.values()):
        if not 0 <= weight < math.inf:
            raise Mistake(f"A weight is 0 or more, and finite, not {weight}.")
    if not (layers.content or layers.style):
        raise Mistake("Name at least one layer for the content or the style.")
    if losses not in LOSSES:
        raise unknown("kind of loss", losses, LOSSES)
    if steps < 1:
        raise Mistake(f"A transfer takes 1 step or more, not {steps}.")
