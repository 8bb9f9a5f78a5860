"""EfficientNet-Lite0 (Tan & Le 2019, "EfficientNet", table 1, in the Lite form of its authors).

Lite: ReLU6 in place of swish, no squeeze-and-excitation, and a stem and head that do not scale.
"""

from collections import OrderedDict

import torch.nn.functional as F
from torch import Tensor, nn

from hubel.mistakes import Mistake

# expansion, kernel, stride, repeats, channels
STAGES = (
    (1, 3, 1, 1, 16),
    (6, 3, 2, 2, 24),
    (6, 5, 2, 2, 40),
    (6, 3, 2, 3, 80),
    (6, 5, 1, 3, 112),
    (6, 5, 2, 4, 192),
    (6, 3, 1, 1, 320),
)
STEM, HEAD = 32, 1280
EPSILON = 1e-3  # of batch normalisation, as in the original


def efficientnet_lite(
    *,
    classes: int = 1000,
    channels: int = 3,
    size: tuple[int, int] = (224, 224),
    dropout: float = 0.2,
) -> nn.Sequential:
    """Normalised pixels (N, channels, *size) → logits (N, classes); published for 224×224×3.

    Children stem, blocks (16 of them), head, pool, flatten, dropout, fc; 4,652,008 parameters.
    Padding is TensorFlow's "same": where it is odd, the extra row and column are at the end.
    Raises Mistake for sides below 32, or a dropout outside [0, 1).
    """
    if min(size) < 32:
        raise Mistake(f"EfficientNet-Lite0 takes 32×32 pixels or more, not {size[0]}×{size[1]}.")
    if not 0 <= dropout < 1:
        raise Mistake(f"dropout is in [0, 1), not {dropout}.")
    blocks: list[MBConv] = []
    before = STEM
    for expansion, kernel, stride, repeats, width in STAGES:
        for n in range(repeats):
            blocks.append(MBConv(before, width, expansion, kernel, stride if n == 0 else 1))
            before = width
    return nn.Sequential(
        OrderedDict(
            stem=_conv(channels, STEM, 3, stride=2),
            blocks=nn.Sequential(*blocks),
            head=_conv(before, HEAD, 1),
            pool=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            dropout=nn.Dropout(dropout),
            fc=nn.Linear(HEAD, classes),
        )
    )


class MBConv(nn.Module):
    """Widen by 1×1, filter each map by k×k, narrow by 1×1; a shortcut where shapes allow one."""

    def __init__(self, before: int, width: int, expansion: int, kernel: int, stride: int) -> None:
        super().__init__()
        inner = before * expansion
        self.expand = _conv(before, inner, 1) if expansion > 1 else nn.Identity()
        self.depthwise = _conv(inner, inner, kernel, stride=stride, groups=inner)
        self.project = nn.Sequential(
            OrderedDict(
                conv=nn.Conv2d(inner, width, 1, bias=False),
                bn=nn.BatchNorm2d(width, eps=EPSILON),
            )
        )
        self.residual = stride == 1 and before == width

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.project(self.depthwise(self.expand(x)))
        return x + y if self.residual else y


class SamePad(nn.Module):
    """Zeros so that a convolution gives ceil(side / stride) a side; the odd one at the end."""

    def __init__(self, kernel: int, stride: int) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def forward(self, x: Tensor) -> Tensor:
        across, down = (self._total(side) for side in (x.shape[3], x.shape[2]))
        return F.pad(x, (across // 2, across - across // 2, down // 2, down - down // 2))

    def _total(self, side: int) -> int:
        outputs = -(-side // self.stride)
        return max((outputs - 1) * self.stride + self.kernel - side, 0)


def _conv(before: int, width: int, k: int, *, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """Convolution with "same" padding, batch normalisation, ReLU6."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    if stride > 1:
        layers["pad"] = SamePad(k, stride)
    padding = 0 if stride > 1 else k // 2
    layers["conv"] = nn.Conv2d(before, width, k, stride, padding, groups=groups, bias=False)
    layers["bn"] = nn.BatchNorm2d(width, eps=EPSILON)
    layers["relu"] = nn.ReLU6()
    return nn.Sequential(layers)
