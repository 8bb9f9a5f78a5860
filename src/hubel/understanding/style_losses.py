"""What style transfer makes small: distances of content and of style, and total variation."""

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor


def gram(maps: Tensor) -> Tensor:
    """How much the maps of a layer fire together: (C, H, W) → (C, C), the mean over positions.

    Gatys et al. 2016, equation 3, divided by the number M of positions, so that pictures of
    different sizes can be compared.

    >>> import torch
    >>> gram(torch.tensor([[[1.0, 3.0]], [[2.0, 0.0]]])).tolist()
    [[5.0, 1.0], [1.0, 2.0]]
    """
    flat = maps.flatten(1)
    return flat @ flat.T / flat.shape[1]


def total_variation(image: Tensor) -> Tensor:
    """The mean of (a pixel − its neighbour)², down and across, of an image (C, H, W); a scalar.

    Mahendran & Vedaldi 2015, section 3 (β = 2), as means. Not in Gatys et al.
    """
    down, across = image.diff(dim=1), image.diff(dim=2)  # a side of 1 has no neighbours
    return sum((d.square().sum() / max(d.numel(), 1) for d in (down, across)), image.new_zeros(()))


class Losses(NamedTuple):
    """How far a layer is from its target: of its maps (C, H, W) both ways, to a scalar.

    content: (maps, the content picture's). style: (Gram matrix, the style picture's, positions M).
    """

    content: Callable[[Tensor, Tensor], Tensor]
    style: Callable[[Tensor, Tensor], Tensor]


def _relative(found: Tensor, target: Tensor) -> Tensor:
    return (found - target).square().sum() / target.square().sum().clamp_min(1e-12)


# "relative": squared distance over the target's own square. 1 is as far as an empty layer, whatever
# the network and the layer, so that weights mean the same everywhere. "published": equations 1 and
# 4, whose size depends on the layer; at equal sizes of the pictures they are the paper's.
LOSSES: dict[str, Losses] = {
    "relative": Losses(_relative, _relative),
    "published": Losses(
        content=lambda maps, target: (maps - target).square().sum() / 2,
        style=lambda found, target: (found - target).square().sum() / (4 * len(found) ** 2),
    ),
}
