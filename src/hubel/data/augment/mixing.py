"""Two pictures into one, and their labels likewise."""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from hubel.data.augment.drawing import Draw, drawn
from hubel.data.augment.patches import boxes

# pixels (N, C, H, W), labels (N,), the samples' indices, seed, epoch → pixels, and shares of the
# classes (N, K)
Mixing = Callable[[Tensor, Tensor, NDArray[np.int64], int, int], tuple[Tensor, Tensor]]


def mixing(*, mixup: float = 0.0, cutmix: float = 0.0, classes: int) -> Mixing | None:
    """Each batch mixed in the way whose α is above 0; of two one is drawn for the batch."""
    ways = [(_mixup, mixup), (_cutmix, cutmix)]
    ways = [(way, alpha) for way, alpha in ways if alpha]
    if not ways:
        return None

    def mix(
        pixels: Tensor, labels: Tensor, indices: NDArray[np.int64], seed: int, epoch: int
    ) -> tuple[Tensor, Tensor]:
        draw = drawn(indices, seed, epoch)
        if len(labels) == 0:
            return pixels, shares(labels, pixels.new_empty(0), classes)
        way, alpha = ways[int(draw("way")[0] * len(ways))]
        return way(pixels, labels, draw, alpha=alpha, classes=classes)

    return mix


def mixup(
    pixels: Tensor, labels: Tensor, draw: Draw, *, alpha: float, classes: int
) -> tuple[Tensor, Tensor]:
    """λ of each picture and 1 − λ of its neighbour in the batch (Zhang et al. 2018).

    λ of the distribution Beta(alpha, alpha), for each picture its own, where the paper's code draws
    one for the batch.
    """
    share = beta(draw("mixup"), alpha).to(pixels.device, pixels.dtype)
    mixed = torch.lerp(pixels.roll(1, 0), pixels, share.view(-1, 1, 1, 1))
    return mixed, shares(labels, share, classes)


def cutmix(
    pixels: Tensor, labels: Tensor, draw: Draw, *, alpha: float, classes: int
) -> tuple[Tensor, Tensor]:
    """A box of each picture from its neighbour in the batch (Yun et al. 2019).

    The box has the picture's sides' ratio and 1 − λ of its area, λ of Beta(alpha, alpha); the
    labels count the pixels that the box really has. It lies inside, where the paper cuts it at the
    border.
    """
    side = (1 - beta(draw("cutmix"), alpha)).sqrt()
    inside = boxes(
        (pixels.shape[2], pixels.shape[3]),
        wide=side,
        high=side,
        across=draw("cutmix across"),
        down=draw("cutmix down"),
    ).to(pixels.device)
    mixed = torch.where(inside.unsqueeze(1), pixels.roll(1, 0), pixels)
    share = 1 - inside.flatten(1).to(pixels.dtype).mean(1)
    return mixed, shares(labels, share, classes)


_mixup, _cutmix = mixup, cutmix  # the settings of `mixing` carry the ways' own names


def beta(draws: Tensor, alpha: float) -> Tensor:
    """(N,) uniform in [0, 1) → of the distribution Beta(alpha, alpha), by its inverse."""
    from scipy.special import betaincinv  # heavy: only where it is needed

    return torch.from_numpy(betaincinv(alpha, alpha, draws.numpy()))


def shares(labels: Tensor, share: Tensor, classes: int) -> Tensor:
    """(N, K): `share` (N,) for each label, the rest for its neighbour's in the batch."""
    own = F.one_hot(labels, classes).to(share.dtype)
    return torch.lerp(own.roll(1, 0), own, share.view(-1, 1))
