"""L-BFGS within the box [0, 1]: many small problems at once, each with a memory of its own.

Nocedal & Wright 2006, algorithms 7.4 (the two loops) and section 16.7 (gradient projection): a
variable at its bound that the gradient pushes outwards is held, the others take the quasi-Newton
step, and what leaves the box is projected back.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

# (points (n, D), their numbers (n,)) → values (n,), slopes (n, D)
Value = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]

ENOUGH = 1e-4  # of the decrease that the slope promises (Armijo)
SHORTER = 0.3  # what is left of a step that was refused
GIVE_UP = 1e-6  # a step this much shorter than the first one is no step any more
CURVED = 1e-8  # s·y above this share of |s||y| counts as curvature


class Problem(NamedTuple):
    """Where n problems of D variables stand.

    numbers (n,): which they are. x, slope (n, D), value (n,): the point. d (n, D), t (n,): the step
    that is tried, and how much of it. s, y (M, n, D): the last steps and changes of the slope; 0
    where there are none yet. first (n,): the inverse curvature as long as there is no memory.
    """

    numbers: Tensor
    x: Tensor
    slope: Tensor
    value: Tensor
    d: Tensor
    t: Tensor
    s: Tensor
    y: Tensor
    first: Tensor


def minimise(
    value: Value, start: Tensor, *, first: Tensor, steps: int, memory: int = 6, flat: float = 1e-4
) -> Tensor:
    """The points of least value, (N, D) in [0, 1], from start; `value` is asked steps + 1 times.

    first (N,): how far along the slope the first step goes, > 0. A problem takes part in each
    asking with a new step, or with a shorter one where the last brought too little. It ends when
    its projected slope is below flat times what it was, or when no step is short enough.
    """
    numbers = torch.arange(len(start), device=start.device)
    found = start.clone()
    if not len(start):
        return found
    worth, slope = value(start, numbers)
    none = start.new_zeros(memory, *start.shape)
    now = Problem(numbers, start, slope, worth, slope, slope[:, 0], none, none, first)
    now = now._replace(d=_direction(now), t=torch.ones_like(worth))
    bound = flat * _projected(start, slope)
    for _ in range(steps):
        going = (now.t > GIVE_UP) & (_projected(now.x, now.slope) > bound[now.numbers])
        if not bool(going.all()):
            now = _some(now, going)
        if not len(now.x):
            break
        tried = (now.x + now.t[:, None] * now.d).clamp(0, 1)
        worth, slope = value(tried, now.numbers)
        moved = tried - now.x
        better = worth <= now.value + ENOUGH * (now.slope * moved).sum(1)
        now = _accepted(now, better, tried, worth, slope)
        found[now.numbers] = now.x
    return found


def _projected(x: Tensor, slope: Tensor) -> Tensor:
    """How far the steepest step of size 1 stays within the box, (n,): 0 at a minimum."""
    size: Tensor = ((x - slope).clamp(0, 1) - x).norm(dim=1)
    return size


def _some(now: Problem, which: Tensor) -> Problem:
    parts = [part[:, which] if part.ndim == 3 else part[which] for part in now]
    return Problem(*parts)


def _accepted(now: Problem, better: Tensor, tried: Tensor, worth: Tensor, slope: Tensor) -> Problem:
    """Go to the points that are better, and look for the next step there; shorten the others'."""
    wide = better[:, None]
    s = torch.cat((now.s[1:], (tried - now.x)[None]))
    y = torch.cat((now.y[1:], (slope - now.slope)[None]))
    moved = now._replace(
        x=torch.where(wide, tried, now.x),
        slope=torch.where(wide, slope, now.slope),
        value=torch.where(better, worth, now.value),
        t=torch.where(better, 1.0, SHORTER * now.t),
        s=torch.where(wide, s, now.s),
        y=torch.where(wide, y, now.y),
    )
    return moved._replace(d=torch.where(wide, _direction(moved), now.d))


def _direction(now: Problem) -> Tensor:
    """The quasi-Newton step of the variables that are free; the steepest where that leads up."""
    free = ((now.x > 0) | (now.slope < 0)) & ((now.x < 1) | (now.slope > 0))
    slope = now.slope * free
    s, y = now.s * free, now.y * free
    curvature = (s * y).sum(2)  # (M, n)
    kept = curvature > CURVED * s.norm(dim=2) * y.norm(dim=2)
    rho = torch.where(kept, 1 / curvature, 0)
    q, alphas = slope, []
    for k in reversed(range(len(s))):
        alpha = rho[k] * (s[k] * q).sum(1)
        alphas.append(alpha)
        q = q - alpha[:, None] * y[k]
    scale = now.first
    for k in range(len(s)):  # the latest that is kept
        scale = torch.where(kept[k], curvature[k] / y[k].square().sum(1), scale)
    q = q * scale[:, None]
    for k, alpha in enumerate(reversed(alphas)):
        beta = rho[k] * (y[k] * q).sum(1)
        q = q + (alpha - beta)[:, None] * s[k]
    down = (q * slope).sum(1) > 0
    return -torch.where(down[:, None], q, now.first[:, None] * slope)
