"""Residual networks (He, Zhang, Ren & Sun 2015, "Deep residual learning for image recognition"):
those for ImageNet (table 1), the family for small pictures (section 4.2), and both without
shortcuts.

Every ReLU writes into its input, which nothing else reads: three hundredths of the time.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from hubel.mistakes import Mistake, unknown

Shortcuts = Literal["A", "B", "none"]
EXPANSION = 4  # a bottleneck's last convolution has so many times the maps of its others


@dataclass(frozen=True)
class Variant:
    """A row: the blocks of each stage, their maps, and whether they are bottlenecks of three.

    Four stages are for photographs and begin with a 7×7 convolution and a pooling, of stride 2
    each; three are for small pictures and begin with a 3×3 convolution.
    """

    blocks: tuple[int, ...]
    widths: tuple[int, ...]
    bottleneck: bool = False

    @property
    def large(self) -> bool:
        return len(self.blocks) == 4


LARGE, SMALL = (64, 128, 256, 512), (16, 32, 64)
DEPTHS: dict[int, Variant] = {
    18: Variant((2, 2, 2, 2), LARGE),
    34: Variant((3, 4, 6, 3), LARGE),
    50: Variant((3, 4, 6, 3), LARGE, bottleneck=True),
    101: Variant((3, 4, 23, 3), LARGE, bottleneck=True),
    152: Variant((3, 8, 36, 3), LARGE, bottleneck=True),
    # 6n + 2 layers for small pictures
    20: Variant((3, 3, 3), SMALL),
    32: Variant((5, 5, 5), SMALL),
    44: Variant((7, 7, 7), SMALL),
    56: Variant((9, 9, 9), SMALL),
    110: Variant((18, 18, 18), SMALL),
}


def resnet(
    depth: int = 20,
    shortcuts: Shortcuts = "A",
    stride_at: int = 2,
    *,
    classes: int = 10,
    channels: int = 3,
    size: tuple[int, int] = (32, 32),
) -> nn.Sequential:
    """Normalised pixels (N, channels, *size) → logits (N, classes).

    shortcuts, where the maps grow: "A" has no parameters, "B" projects by 1×1 convolutions, "none"
    makes a plain network. stride_at: which of a bottleneck's convolutions has the stride: 1 is the
    paper's, 2 what the widely used implementations and their published weights have.
    Parameters with 1,000 classes: option B 11,689,512 (18), 21,797,672 (34), 25,557,032 (50),
    44,549,160 (101), 60,192,808 (152); option A and plain 11,515,688 (18), 21,623,848 (34). With
    10 classes the small ones have 269,722 (20) to 1,727,962 (110), published for 32×32×3.
    Children conv1, bn1, relu1, (pool1, conv2_x … conv5_x | stage1 … stage3), pool, flatten, fc;
    convolutions initialised as in He et al. 2015, "Delving deep", from the fan-out.
    Raises Mistake for another depth, other shortcuts, or sides below 4.
    """
    if depth not in DEPTHS:
        raise unknown("depth of a ResNet", str(depth), map(str, DEPTHS))
    if shortcuts not in ("A", "B", "none"):
        raise unknown("kind of shortcut", str(shortcuts), ["A", "B", "none"])
    if min(size) < 4:
        raise Mistake(f"The ResNets take pixels of 4×4 or more, not {size[0]}×{size[1]}.")
    row = DEPTHS[depth]
    first = row.widths[0]
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    if row.large:
        layers["conv1"] = nn.Conv2d(channels, first, 7, stride=2, padding=3, bias=False)
    else:
        layers["conv1"] = nn.Conv2d(channels, first, 3, padding=1, bias=False)
    layers["bn1"] = nn.BatchNorm2d(first)
    layers["relu1"] = nn.ReLU(inplace=True)
    if row.large:
        layers["pool1"] = nn.MaxPool2d(3, stride=2, padding=1)
    before = first
    for i, (blocks, width) in enumerate(zip(row.blocks, row.widths, strict=True)):
        stage: list[nn.Module] = []
        for n in range(blocks):
            stride = 2 if i > 0 and n == 0 else 1
            if row.bottleneck:
                stage.append(Bottleneck(before, width, stride, shortcuts, stride_at))
            else:
                stage.append(Block(before, width, stride, shortcuts))
            before = width * (EXPANSION if row.bottleneck else 1)
        layers[f"conv{i + 2}_x" if row.large else f"stage{i + 1}"] = nn.Sequential(*stage)
    layers |= {"pool": nn.AdaptiveAvgPool2d(1), "flatten": nn.Flatten()}
    layers["fc"] = nn.Linear(before, classes)
    network = nn.Sequential(layers)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return network


class Block(nn.Module):
    """Two 3×3 convolutions, and a shortcut unless the network is plain."""

    def __init__(self, before: int, width: int, stride: int, shortcuts: Shortcuts) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, width, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.shortcut = shortcut(before, width, stride, shortcuts)
        self.relu2 = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu1(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        if self.shortcut is not None:
            y = y + self.shortcut(x)
        output: Tensor = self.relu2(y)
        return output


class Bottleneck(nn.Module):
    """1×1 to fewer maps, 3×3, 1×1 to four times as many, and a shortcut (figure 5, right)."""

    def __init__(
        self, before: int, width: int, stride: int, shortcuts: Shortcuts, stride_at: int
    ) -> None:
        super().__init__()
        first, second = (stride, 1) if stride_at == 1 else (1, stride)
        self.conv1 = nn.Conv2d(before, width, 1, first, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(width, width, 3, second, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.relu2 = nn.ReLU(inplace=True)
        self.conv3 = nn.Conv2d(width, EXPANSION * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(EXPANSION * width)
        self.shortcut = shortcut(before, EXPANSION * width, stride, shortcuts)
        self.relu3 = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu1(self.bn1(self.conv1(x)))
        y = self.relu2(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        if self.shortcut is not None:
            y = y + self.shortcut(x)
        output: Tensor = self.relu3(y)
        return output


def shortcut(before: int, after: int, stride: int, kind: Shortcuts) -> nn.Module | None:
    """The identity where the shape stays; else by the option. None in a plain network."""
    if kind == "none":
        return None
    if before == after and stride == 1:
        return nn.Identity()
    if kind == "A":
        return PadShortcut(after - before, stride)
    conv = nn.Conv2d(before, after, 1, stride, bias=False)
    return nn.Sequential(OrderedDict(conv=conv, bn=nn.BatchNorm2d(after)))


class PadShortcut(nn.Module):
    """Option A: every second pixel, and zeros for the channels that are new (behind the old)."""

    def __init__(self, new: int, stride: int) -> None:
        super().__init__()
        self.new, self.stride = new, stride

    def forward(self, x: Tensor) -> Tensor:
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.new))
