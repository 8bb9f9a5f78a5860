"""Two pictures into one, and their labels likewise."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from scipy.special import betaincinv
from torch import Tensor

from hubel.data.augment.drawing import Draw
from hubel.data.augment.patches import boxes

# pixels (N, C, H, W), labels (N,) → pixels, and shares of the classes (N, K)
Mixing = Callable[[Tensor, Tensor, Draw], tuple[Tensor, Tensor]]


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


def beta(draws: Tensor, alpha: float) -> Tensor:
    """(N,) uniform in [0, 1) → of the distribution Beta(alpha, alpha), by its inverse."""
    return torch.from_numpy(betaincinv(alpha, alpha, draws.numpy()))


def shares(labels: Tensor, share: Tensor, classes: int) -> Tensor:
    """(N, K): `share` (N,) for each label, the rest for its neighbour's in the batch."""
    own = F.one_hot(labels, classes).to(share.dtype)
    return torch.lerp(own.roll(1, 0), own, share.view(-1, 1))
