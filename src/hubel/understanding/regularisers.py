"""What keeps a maximising image from becoming noise: each rule a row, switched on by naming it.

The image is looked at as its difference from the image that counts as zero (the training set's
mean), as in both papers: x = image − zero. Yosinski et al. 2015 ("Understanding Neural Networks
Through Deep Visualization", section 3) change x after every step; Simonyan et al. 2014 ("Deep
Inside Convolutional Networks", section 2) subtract a penalty from the score.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from hubel.mistakes import Mistake

# (x (n, C, H, W), the score's gradient by it, step from 1) → x
After = Callable[[Tensor, Tensor, int], Tensor]
Penalty = Callable[[Tensor], Tensor]  # x → (n,), subtracted from the scores


class Regulariser(NamedTuple):
    """What is done to x after a step, what is subtracted from the score, or both."""

    after: After | None = None
    penalty: Penalty | None = None


def l2_penalty(strength: float) -> Regulariser:
    """strength · ‖x‖², subtracted from the score (Simonyan et al. 2014, equation 1)."""
    _within("A penalty's strength", strength, 0, math.inf)
    return Regulariser(penalty=lambda x: strength * x.square().flatten(1).sum(1))


def l2_decay(share: float) -> Regulariser:
    """x ← (1 − share) · x, after every step (Yosinski et al. 2015, θ_decay)."""
    _within("A decay", share, 0, 1)
    return Regulariser(after=lambda x, _slope, _number: (1 - share) * x)


def blur(width: float, every: int = 1) -> Regulariser:
    """x ← x under a Gaussian, every so many steps (Yosinski et al. 2015, θ_b_width, θ_b_every).

    width: its standard deviation in pixels. The kernel reaches 3 widths; the border is repeated.
    """
    _within("A blur's width", width, 0, math.inf)
    if every < 1:
        raise Mistake(f"A blur comes every 1 steps or more, not every {every}.")

    def after(x: Tensor, _slope: Tensor, number: int) -> Tensor:
        return x if number % every or width == 0 else blurred(x, width)

    return Regulariser(after=after)


def blurred(x: Tensor, width: float) -> Tensor:
    """x (n, C, H, W) under a Gaussian of standard deviation `width` pixels; borders are repeated.

    The kernel is sampled at whole pixels out to 3 widths, and sums to 1.
    """
    reach = max(1, math.ceil(3 * width))
    steps = torch.arange(-reach, reach + 1, dtype=torch.float64)
    kernel = torch.exp(-steps.square() / (2 * width**2))
    kernel = (kernel / kernel.sum()).to(x)
    channels = x.shape[1]
    padded = F.pad(x, (reach, reach, reach, reach), mode="replicate")
    down = F.conv2d(padded, kernel.view(1, 1, -1, 1).expand(channels, 1, -1, 1), groups=channels)
    return F.conv2d(down, kernel.view(1, 1, 1, -1).expand(channels, 1, 1, -1), groups=channels)


def clip_small_norm(percent: float) -> Regulariser:
    """Set to 0 the pixels of x whose norm over the channels is among the smallest `percent`.

    Yosinski et al. 2015, θ_n_pct: what the unit does not need is left out, rather than filled.
    """
    _within("A percentage", percent, 0, 100)
    return Regulariser(after=lambda x, _slope, _number: _kept(x, x.norm(dim=1), percent))


def clip_small_contribution(percent: float) -> Regulariser:
    """Set to 0 the pixels whose contribution is among the smallest `percent`, of either sign.

    Yosinski et al. 2015, θ_c_pct: |Σ over channels of x · ∂score/∂x|, to first order what the score
    would change by if the pixel were 0. The gradient is that of the image before the step.
    """
    _within("A percentage", percent, 0, 100)
    return Regulariser(after=lambda x, slope, _number: _kept(x, (x * slope).sum(1).abs(), percent))


def _kept(x: Tensor, sizes: Tensor, percent: float) -> Tensor:
    """x where sizes (n, H, W) are above their percentile in the image; 0 elsewhere."""
    flat = sizes.flatten(1)
    count = int(flat.shape[1] * percent / 100)
    if count == 0:
        return x
    bound = flat.kthvalue(count, dim=1).values
    return x * (sizes > bound[:, None, None])[:, None]


def _within(what: str, value: float, low: float, high: float) -> None:
    if not (low <= value <= high and math.isfinite(value)):
        raise Mistake(f"{what} is from {low} to {high}, not {value}.")


REGULARISERS: dict[str, Callable[..., Regulariser]] = {
    "l2-penalty": l2_penalty,
    "l2-decay": l2_decay,
    "blur": blur,
    "clip-small-norm": clip_small_norm,
    "clip-small-contribution": clip_small_contribution,
}

# The four combinations that Yosinski et al. 2015 prefer (table 2): the paper chose them among 300
# drawn at random, for AlexNet at 227×227 with pixels of 0 to 255 and gradients as they are
YOSINSKI: dict[str, tuple[Regulariser, ...]] = {
    "a": (blur(0.5, 4), clip_small_norm(50)),
    "b": (l2_decay(0.3), clip_small_norm(20)),
    "c": (l2_decay(0.0001), blur(1.0, 4)),
    "d": (blur(0.5, 4), clip_small_contribution(90)),
}

# A little blur, seldom: enough that the fine ripples that the network falls for do not build up
# (found by eye, at 28 pixels grey and 224 in colour)
USUAL: tuple[Regulariser, ...] = (blur(0.5, 8),)
