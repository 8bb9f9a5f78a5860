"""LeNet-5 (LeCun, Bottou, Bengio & Haffner 1998, "Gradient-based learning applied to document
recognition", section II.B and figure 2), as published, and in the form taught today."""

import math
from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from hubel.basics.activations import ScaledTanh
from hubel.mistakes import Mistake, unknown

# Table I: which of S2's six maps each of C3's sixteen maps sees.
CONNECTIONS: tuple[tuple[int, ...], ...] = (
    *((0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (0, 4, 5), (0, 1, 5)),
    *((0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5), (0, 3, 4, 5), (0, 1, 4, 5), (0, 1, 2, 5)),
    *((0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5), (0, 1, 2, 3, 4, 5)),
)

# The classes' codes: stylised digits of 7×12 pixels. The paper shows its own in figure 3; these
# are drawn anew in their manner, which is a departure.
DIGITS = """
.......  .......  .......  .......  .......  .......  .......  .......  .......  .......
..###..  ...#...  .#####.  #######  ....##.  #######  ..####.  #######  .#####.  .#####.
.#...#.  ..##...  #.....#  .....#.  ...#.#.  #......  .#.....  #.....#  #.....#  #.....#
#.....#  .#.#...  ......#  ....#..  ...#.#.  #......  #......  .....#.  #.....#  #.....#
#.....#  ...#...  ......#  ...#...  ..#..#.  #.####.  #......  .....#.  #.....#  #.....#
#.....#  ...#...  .....#.  ..####.  .#...#.  ##....#  #.####.  ....#..  .#####.  .######
#.....#  ...#...  ....#..  ......#  #....#.  ......#  ##....#  ...#...  #.....#  ......#
#.....#  ...#...  ..##...  ......#  #######  ......#  #.....#  ...#...  #.....#  ......#
#.....#  ...#...  .#.....  ......#  .....#.  ......#  #.....#  ..#....  #.....#  ......#
.#...#.  ...#...  #......  #.....#  .....#.  #.....#  .#....#  ..#....  #.....#  .....#.
..###..  .#####.  #######  .#####.  .....#.  .#####.  ..####.  ..#....  .#####.  .####..
.......  .......  .......  .......  .......  .......  .......  .......  .......  .......
"""


def lenet5(variant: str = "modern", *, classes: int = 10, channels: int = 1,
           size: tuple[int, int] = (32, 32), dropout: float = 0.0) -> nn.Sequential:  # fmt: skip
    """Normalised pixels (N, channels, 32, 32) → logits (N, classes).

    variant "1998": the paper's network: partial connections (table I), trainable sub-sampling,
    1.7159·tanh(2x/3), and Euclidean RBF units on fixed ±1 codes; the logits are minus their
    squared distances; grey pixels and at most ten classes. Trainable parameters 156 + 12 + 1,516
    + 32 + 48,120 + 10,164 = 60,000. "softmax": a trained linear output in their place, 850 more
    with ten classes. "modern": ReLU, max pooling and full connections, for any size from 28 on.
    Children C1, S2, C3, S4, C5, F6, output, each followed by its activation. Raises Mistake for
    an unknown variant, and for pixels, classes or dropout that the variant does not have.
    """
    if variant not in ("1998", "softmax", "modern"):
        raise unknown("variant of LeNet-5", variant, ["1998", "softmax", "modern"])
    if variant == "modern":
        return _modern(classes, channels, size, dropout)
    if dropout:
        raise Mistake(f"LeNet-5 of 1998 has no dropout; got dropout={dropout}. Take 'lenet5'.")
    if tuple(size) != (32, 32):
        raise Mistake(f"LeNet-5 as published takes 32×32 pixels, not {size[0]}×{size[1]}.")
    if variant == "1998" and channels != 1:
        raise Mistake(f"LeNet-5 as published takes grey pixels (1 channel), not {channels}.")
    if variant == "1998" and classes > 10:
        raise Mistake(f"LeNet-5's codes are the ten digits; {classes} classes need more.")
    network = nn.Sequential(
        OrderedDict(
            C1=nn.Conv2d(channels, 6, 5),  # 6 × 28 × 28
            C1_squash=ScaledTanh(),
            S2=Subsampling(6),  # 6 × 14 × 14
            S2_squash=ScaledTanh(),
            C3=PartialConv2d(6, CONNECTIONS, 5),  # 16 × 10 × 10
            C3_squash=ScaledTanh(),
            S4=Subsampling(16),  # 16 × 5 × 5
            S4_squash=ScaledTanh(),
            C5=nn.Conv2d(16, 120, 5),  # 120 × 1 × 1
            C5_squash=ScaledTanh(),
            flatten=nn.Flatten(),
            F6=nn.Linear(120, 84),
            F6_squash=ScaledTanh(),
            output=RBF(codes(classes)) if variant == "1998" else nn.Linear(84, classes),
        )
    )
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            for parameter in module.parameters():
                _uniform(parameter, math.prod(module.weight.shape[1:]))
    return network


def codes(classes: int = 10) -> Tensor:
    """The first `classes` digits as (classes, 84) of ±1, rows of the 7×12 bitmaps."""
    rows = [line.split() for line in DIGITS.strip().splitlines()]
    digits = ["".join(row[k] for row in rows) for k in range(10)]
    return torch.tensor([[1.0 if c == "#" else -1.0 for c in digit] for digit in digits[:classes]])


class Subsampling(nn.Module):
    """S: coefficient · (sum of 2×2 inputs) + bias, both trained, one pair for each map."""

    def __init__(self, maps: int) -> None:
        super().__init__()
        self.sum = nn.AvgPool2d(2, divisor_override=1)
        self.weight = nn.Parameter(torch.empty(maps))
        self.bias = nn.Parameter(torch.empty(maps))
        _uniform(self.weight, 4)
        _uniform(self.bias, 4)

    def forward(self, x: Tensor) -> Tensor:
        summed: Tensor = self.sum(x)
        return summed * self.weight[:, None, None] + self.bias[:, None, None]


class PartialConv2d(nn.Module):
    """A convolution whose output maps each see some input maps only, and have no other weights.

    weight holds the kernels of all connections, (connections, k, k), map after map; they are laid
    into a full kernel with zeros for each use.
    """

    index: Tensor

    def __init__(self, channels: int, connections: Sequence[Sequence[int]], k: int) -> None:
        super().__init__()
        self.channels, self.connections = channels, tuple(map(tuple, connections))
        pairs = [o * channels + i for o, seen in enumerate(self.connections) for i in seen]
        self.register_buffer("index", torch.tensor(pairs), persistent=False)
        self.weight = nn.Parameter(torch.empty(len(pairs), k, k))
        self.bias = nn.Parameter(torch.empty(len(self.connections)))
        start = 0
        for o, seen in enumerate(self.connections):
            fan_in = len(seen) * k * k
            _uniform(self.weight[start : start + len(seen)], fan_in)
            _uniform(self.bias[o : o + 1], fan_in)
            start += len(seen)

    def forward(self, x: Tensor) -> Tensor:
        k = self.weight.shape[-1]
        full = self.weight.new_zeros(len(self.bias) * self.channels, k, k)
        full = full.index_copy(0, self.index, self.weight)
        return nn.functional.conv2d(x, full.view(-1, self.channels, k, k), self.bias)


class RBF(nn.Module):
    """Minus the squared Euclidean distance (N, K) of features (N, F) to fixed codes (K, F)."""

    codes: Tensor

    def __init__(self, codes: Tensor) -> None:
        super().__init__()
        self.register_buffer("codes", codes)

    def forward(self, x: Tensor) -> Tensor:
        return -(x[:, None] - self.codes).square().sum(2)


def _uniform(tensor: Tensor, fan_in: int) -> None:
    """Uniform in ±2.4 / fan-in (appendix A)."""
    with torch.no_grad():
        tensor.uniform_(-2.4 / fan_in, 2.4 / fan_in)


def _modern(classes: int, channels: int, size: tuple[int, int], dropout: float) -> nn.Sequential:
    if min(size) < 28:
        raise Mistake(f"lenet5 takes pixels of 28×28 or more, not {size[0]}×{size[1]}.")
    if not 0 <= dropout < 1:
        raise Mistake(f"dropout is in [0, 1), not {dropout}.")
    height, width = (((side - 4) // 2 - 4) // 2 for side in size)  # of S4's maps
    layers = OrderedDict(
        C1=nn.Conv2d(channels, 6, 5),
        C1_relu=nn.ReLU(),
        S2=nn.MaxPool2d(2),
        C3=nn.Conv2d(6, 16, 5),
        C3_relu=nn.ReLU(),
        S4=nn.MaxPool2d(2),
        flatten=nn.Flatten(),
        C5=nn.Linear(16 * height * width, 120),
        C5_relu=nn.ReLU(),
        F6=nn.Linear(120, 84),
        F6_relu=nn.ReLU(),
    )
    if dropout:
        layers["dropout"] = nn.Dropout(dropout)
    layers["output"] = nn.Linear(84, classes)
    return nn.Sequential(layers)
