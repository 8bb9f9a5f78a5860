"""Networks of few or many blocks without batch normalisation, and how one becomes a deeper one."""

from collections import OrderedDict
from typing import cast

import torch
from torch import Tensor, nn

from hubel.labs.learning import Pictures
from hubel.training.initialisation import initialise

WIDTHS = (16, 32)  # maps of the two stages


def stack(blocks: int, data: Pictures, *, residual: bool, seed: int) -> nn.Sequential:
    """Two stages of a convolution with ReLU and so many blocks; pooling, and a linear layer.

    He's initialisation; without batch normalisation, whose batches would undo an identity.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    before = data.train.shape[1]
    for k, width in enumerate(WIDTHS, 1):
        layers[f"conv{k}"] = nn.Conv2d(before, width, 3, padding=1)
        layers[f"relu{k}"] = nn.ReLU()
        layers[f"pool{k}"] = nn.MaxPool2d(2)
        for n in range(1, blocks + 1):
            layers[f"block{k}_{n}"] = (Residual if residual else Plain)(width)
        before = width
    layers |= {"pool": nn.AdaptiveAvgPool2d(1), "flatten": nn.Flatten()}
    layers["score"] = nn.Linear(before, len(data.classes))
    network = nn.Sequential(layers)
    initialise(network, "he", seed=seed)
    return network


def deepen(shallow: nn.Sequential, deep: nn.Sequential) -> None:
    """Copy the shallow network into the deep one; what that has more becomes the identity."""
    known = dict(shallow.named_children())
    with torch.no_grad():
        for name, child in deep.named_children():
            if name in known:
                child.load_state_dict(known[name].state_dict())
            elif isinstance(child, Plain):
                child.be_identity()


class Plain(nn.Module):
    """Two 3×3 convolutions, each with its ReLU: (N, width, H, W) → the same shape."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.relu2 = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.relu2(self.conv2(self.relu1(self.conv1(x))))
        return output

    def be_identity(self) -> None:
        """Kernels of a single 1 and ReLUs: x itself, wherever x is not negative."""
        for conv in (self.conv1, self.conv2):
            nn.init.dirac_(conv.weight)
            nn.init.zeros_(cast("nn.Parameter", conv.bias))


class Residual(Plain):
    """The same around a shortcut, its last scale zero at the start (De & Smith 2020, SkipInit)."""

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.scale = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        branch = self.conv2(self.relu1(self.conv1(x)))
        output: Tensor = self.relu2(x + self.scale * branch)
        return output

    def be_identity(self) -> None:
        """A scale of zero; the kernels keep the weights that they were drawn with."""
        nn.init.zeros_(self.scale)
