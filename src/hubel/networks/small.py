"""`small`: our own network for small pictures and little time."""

from collections import OrderedDict
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hubel.mistakes import Mistake


def small(
    *,
    classes: int = 10,
    channels: int = 1,
    size: tuple[int, int] = (28, 28),
    widths: Sequence[int] = (16, 32, 64),
    dropout: float = 0.0,
) -> nn.Sequential:
    """Normalised pixels (N, channels, *size) → logits (N, classes), for sides of 8 to about 64.

    Five 3×3 convolutions with batch normalisation, two of them around shortcuts; two or, below 16
    pixels, one max pooling; the mean and the maximum of every last feature map, and a linear
    layer. Children conv1, conv2, res2, conv3, res3, each with its parts; head.
    Raises Mistake for sides below 4, other than three widths, or a dropout outside [0, 1).
    """
    if min(size) < 4:
        raise Mistake(f"small takes pixels of 4×4 or more, not {size[0]}×{size[1]}.")
    if len(widths) != 3 or not all(isinstance(width, int) and width >= 1 for width in widths):
        raise Mistake(f"small has three widths, whole numbers of 1 or more, not {widths}.")
    if not 0 <= dropout < 1:
        raise Mistake(f"dropout is in [0, 1), not {dropout}.")
    first, second, third = widths
    return nn.Sequential(
        OrderedDict(
            conv1=conv(channels, first),
            pool1=nn.MaxPool2d(2) if min(size) >= 16 else nn.Identity(),
            conv2=conv(first, second),
            res2=Residual(second),
            pool2=nn.MaxPool2d(2),
            conv3=conv(second, third),
            res3=Residual(third),
            pool=MeanAndMax(),
            dropout=nn.Dropout(dropout),
            head=nn.Linear(2 * third, classes),
        )
    )


def conv(before: int, width: int) -> nn.Sequential:
    """3×3 convolution, batch normalisation, ReLU."""
    return nn.Sequential(
        OrderedDict(
            conv=nn.Conv2d(before, width, 3, padding=1, bias=False),
            bn=nn.BatchNorm2d(width),
            relu=nn.ReLU(),
        )
    )


class Residual(nn.Module):
    """x + conv(x)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.branch = conv(width, width)

    def forward(self, x: Tensor) -> Tensor:
        branch: Tensor = self.branch(x)
        return x + branch


class MeanAndMax(nn.Module):
    """(N, C, H, W) → (N, 2C): the mean and the maximum of every map."""

    def forward(self, x: Tensor) -> Tensor:
        # pooling passes the gradient to one maximum; `amax` shares it out among equals, which is
        # as right and twice as slow
        mean = F.adaptive_avg_pool2d(x, 1)
        # on CUDA adaptive pooling has no deterministic gradient, on the CPU it is twice as fast
        most = F.max_pool2d(x, x.shape[2:]) if x.is_cuda else F.adaptive_max_pool2d(x, 1)
        return torch.cat((mean, most), 1).flatten(1)
