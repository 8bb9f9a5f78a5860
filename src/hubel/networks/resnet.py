"""Residual networks (He, Zhang, Ren & Sun 2015, "Deep residual learning for image recognition").

The family for small pictures of section 4.2: 6n + 2 layers in three stages of n blocks.
"""

from collections import OrderedDict

import torch.nn.functional as F
from torch import Tensor, nn

from hubel.mistakes import Mistake, unknown

WIDTHS = (16, 32, 64)
# depth → blocks in each of the three stages
DEPTHS = {20: 3, 32: 5, 44: 7, 56: 9, 110: 18}


def resnet(
    depth: int = 20, *, classes: int = 10, channels: int = 3, size: tuple[int, int] = (32, 32)
) -> nn.Sequential:
    """Normalised pixels (N, channels, *size) → logits (N, classes); published for 32×32×3.

    Shortcuts are option A: no parameters. Children conv1, bn1, relu1, stage1 … stage3 of blocks,
    pool, flatten, fc; convolutions initialised as in He et al. 2015, "Delving deep", from the
    fan-out. With 3 channels and 10 classes ResNet-20 has 269,722 parameters.
    Raises Mistake for another depth, or sides below 4.
    """
    if depth not in DEPTHS:
        raise unknown("depth of the small-image ResNet", str(depth), map(str, DEPTHS))
    if min(size) < 4:
        raise Mistake(f"The ResNets take pixels of 4×4 or more, not {size[0]}×{size[1]}.")
    stages: list[nn.Sequential] = []
    before = WIDTHS[0]
    for width in WIDTHS:
        blocks = [Block(before if n == 0 else width, width) for n in range(DEPTHS[depth])]
        stages.append(nn.Sequential(*blocks))
        before = width
    network = nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(channels, WIDTHS[0], 3, padding=1, bias=False),
            bn1=nn.BatchNorm2d(WIDTHS[0]),
            relu1=nn.ReLU(),
            stage1=stages[0],
            stage2=stages[1],
            stage3=stages[2],
            pool=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            fc=nn.Linear(WIDTHS[-1], classes),
        )
    )
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return network


class Block(nn.Module):
    """Two 3×3 convolutions and a shortcut; where the width grows, the first one has stride 2."""

    def __init__(self, before: int, width: int) -> None:
        super().__init__()
        stride = 1 if before == width else 2
        self.conv1 = nn.Conv2d(before, width, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.shortcut = nn.Identity() if before == width else PadShortcut(width - before, stride)
        self.relu2 = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu1(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        output: Tensor = self.relu2(y + self.shortcut(x))
        return output


class PadShortcut(nn.Module):
    """Option A: every second pixel, and zeros for the channels that are new (behind the old)."""

    def __init__(self, new: int, stride: int) -> None:
        super().__init__()
        self.new, self.stride = new, stride

    def forward(self, x: Tensor) -> Tensor:
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.new))
