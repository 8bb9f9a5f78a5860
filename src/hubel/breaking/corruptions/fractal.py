"""A plasma fractal: the clouds of fog, by the diamond-square algorithm (Fournier et al. 1982)."""

import torch
from torch import Tensor

from hubel.breaking.corruptions.chance import Chance


def plasma(chance: Chance, side: int, decay: float) -> Tensor:
    """(N, side, side) in [0, 1]: rough at every scale, the less so the faster it decays.

    Every point is the mean of four around it and a draw, whose size falls by decay² from one scale
    to the next, as the published fog has it (its documentation says decay). The map has the next
    power of two for its side and its opposite borders meet; the part wanted is cut from a corner.
    """
    whole = 1 << max(1, side - 1).bit_length()
    drawn = chance.field("plasma", lambda g: torch.rand(whole, whole, generator=g)).double() * 2 - 1
    field = torch.zeros_like(drawn)
    step, size = whole, 1.0
    while step >= 2:
        half = step // 2
        corners = field[:, ::step, ::step]
        beside = corners + corners.roll(-1, 1)
        here = slice(half, None, step), slice(half, None, step)
        field[:, *here] = (beside + beside.roll(-1, 2)) / 4 + size * drawn[:, *here]
        middles = field[:, *here]
        here = slice(0, None, step), slice(half, None, step)
        around = middles + middles.roll(1, 1) + corners + corners.roll(-1, 2)
        field[:, *here] = around / 4 + size * drawn[:, *here]
        here = slice(half, None, step), slice(0, None, step)
        around = middles + middles.roll(1, 2) + corners + corners.roll(-1, 1)
        field[:, *here] = around / 4 + size * drawn[:, *here]
        step, size = half, size / decay**2
    low, high = field.amin((1, 2), keepdim=True), field.amax((1, 2), keepdim=True)
    return ((field - low) / (high - low).clamp_min(1e-12))[:, :side, :side]
