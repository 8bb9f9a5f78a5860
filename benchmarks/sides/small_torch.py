"""hubel's `small` network written down in plain torch, for sides that must not import hubel."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def conv(before: int, width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()
    )


class Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.branch = conv(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.branch(x)


class MeanAndMax(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        both = F.adaptive_avg_pool2d(x, 1), F.adaptive_max_pool2d(x, 1)
        return torch.cat(both, 1).flatten(1)


def small(widths: tuple[int, int, int] = (16, 32, 64)) -> nn.Sequential:
    first, second, third = widths
    return nn.Sequential(
        conv(1, first), nn.MaxPool2d(2),
        conv(first, second), Residual(second), nn.MaxPool2d(2),
        conv(second, third), Residual(third), MeanAndMax(),
        nn.Linear(2 * third, 10),
    )  # fmt: skip
