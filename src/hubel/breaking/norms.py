"""The geometry of an attack: how large a change is, which changes are allowed, and which way to go.

The loop of projected gradient descent is written once, in `gradient`; it asks a `Norm`.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

TINY = 1e-12  # below this a length counts as none


class Norm(NamedTuple):
    """One way to measure a change, of pictures d (N, …) and each picture by itself.

    size(d) → (N,): its norm. steepest(g) → like g: the direction of size 1 in which a linear
    function of gradient g rises most; 0 where g is. project(d, ε) → like d: the nearest change (in
    L2) of size at most ε. start(d, generator) → like d: a change drawn from the ball of size 1,
    of one picture (…). everything(n) → the ε within which there is every picture of n pixels.
    """

    name: str
    size: Callable[[Tensor], Tensor]
    steepest: Callable[[Tensor], Tensor]
    project: Callable[[Tensor, float], Tensor]
    start: Callable[[Tensor, torch.Generator], Tensor]
    everything: Callable[[int], float]


def _each(values: Tensor, like: Tensor) -> Tensor:
    """One value a picture, shaped to go with the pictures."""
    return values.view(-1, *(1 for _ in like.shape[1:]))


def _largest(d: Tensor) -> Tensor:
    found: Tensor = torch.linalg.vector_norm(d.flatten(1), torch.inf, dim=1)
    return found


def _in_cube(like: Tensor, generator: torch.Generator) -> Tensor:
    return torch.rand(like.shape, generator=generator).mul_(2).sub_(1).to(like)


def _length(d: Tensor) -> Tensor:
    found: Tensor = torch.linalg.vector_norm(d.flatten(1), dim=1)
    return found


def _in_ball(like: Tensor, generator: torch.Generator) -> Tensor:
    """Even over the ball: a direction, and a radius of which the n-th power is even (Muller)."""
    direction = torch.randn(like.shape, generator=generator)
    radius = torch.rand((), generator=generator) ** (1 / max(like.numel(), 1))
    found: Tensor = direction * (radius / direction.norm().clamp_min(TINY))
    return found.to(like)


LINF = Norm(
    "linf",
    size=_largest,
    steepest=torch.sign,
    project=lambda d, epsilon: d.clamp(-epsilon, epsilon),
    start=_in_cube,
    everything=lambda _: 1.0,
)
L2 = Norm(
    "l2",
    size=_length,
    steepest=lambda g: g / _each(_length(g).clamp_min(TINY), g),
    project=lambda d, epsilon: d * _each((epsilon / _length(d).clamp_min(TINY)).clamp(max=1), d),
    start=_in_ball,
    everything=math.sqrt,
)
NORMS: dict[str, Norm] = {norm.name: norm for norm in (LINF, L2)}
