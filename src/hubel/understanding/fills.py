"""What stands in for hidden pixels: pictures (N, C, H, W) in [0, 1] → the same shape."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from hubel.mistakes import Mistake, unknown

BLUR = 0.05  # the blurred fill's standard deviation, as a share of the shorter side

Fill = Callable[[Tensor], Tensor]


def grey(pixels: Tensor) -> Tensor:
    """0.5 everywhere. (Zeiler and Fergus's square of zeros is grey because they centre first.)"""
    return torch.full_like(pixels, 0.5)


def mean(pixels: Tensor) -> Tensor:
    """Each picture's own mean colour."""
    return pixels.mean((2, 3), keepdim=True).expand_as(pixels)


def blur(pixels: Tensor) -> Tensor:
    """Each picture out of focus: a Gaussian of BLUR of the shorter side."""
    from scipy.ndimage import gaussian_filter  # heavy: only where it is needed

    deviation = BLUR * min(pixels.shape[2:])
    made = gaussian_filter(pixels.cpu().numpy(), deviation, axes=(2, 3), mode="nearest")
    return torch.from_numpy(made).to(pixels)


FILLS: Mapping[str, Fill] = {"grey": grey, "mean": mean, "blur": blur}


def filled(pixels: Tensor, fill: str | Tensor) -> Tensor:
    """The pictures wholly hidden, by a row of FILLS or by a picture of one's own, (C, H, W).

    Raises Mistake for an unknown fill, and for a picture of another shape.
    """
    if isinstance(fill, Tensor):
        if fill.shape != pixels.shape[1:]:
            size = tuple(pixels.shape[1:])
            raise Mistake(
                f"A fill is a picture like those it hides, {size}, not {tuple(fill.shape)}."
            )
        return fill.to(pixels).expand_as(pixels)
    if fill not in FILLS:
        raise unknown("fill", fill, FILLS)
    return FILLS[fill](pixels)
