"""The linear classifier f(x, W) = Wx + b: one row of weights, a template, for each class."""

from collections import OrderedDict

from torch import nn


def linear(
    *, classes: int = 10, channels: int = 3, size: tuple[int, int] = (32, 32)
) -> nn.Sequential:
    """Normalised pixels (N, channels, *size) → logits (N, classes).

    Children flatten, score; 32×32×3 pixels and 10 classes: 30,730 parameters.
    """
    return nn.Sequential(
        OrderedDict(flatten=nn.Flatten(), score=nn.Linear(channels * size[0] * size[1], classes))
    )
