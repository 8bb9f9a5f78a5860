"""GoogLeNet (Szegedy et al. 2015, "Going deeper with convolutions", table 1 and figure 3), as
published, and in the batch-normalised form that is widely used."""

from collections import OrderedDict
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from hubel.mistakes import Mistake, unknown
from hubel.model import Heads
from hubel.networks.alexnet import response_norm
from hubel.networks.fitting import flattened

HEAD_WEIGHT = 0.3  # of an auxiliary classifier's loss (section 5)


class Widths(NamedTuple):
    """A row of table 1: the maps of an inception module's convolutions."""

    one: int
    reduce3: int
    three: int
    reduce5: int
    five: int
    project: int

    @property
    def out(self) -> int:
        return self.one + self.three + self.five + self.project


MODULES: dict[str, Widths] = {
    "3a": Widths(64, 96, 128, 16, 32, 32),
    "3b": Widths(128, 128, 192, 32, 96, 64),
    "4a": Widths(192, 96, 208, 16, 48, 64),
    "4b": Widths(160, 112, 224, 24, 64, 64),
    "4c": Widths(128, 128, 256, 24, 64, 64),
    "4d": Widths(112, 144, 288, 32, 64, 64),
    "4e": Widths(256, 160, 320, 32, 128, 128),
    "5a": Widths(256, 160, 320, 32, 128, 128),
    "5b": Widths(384, 192, 384, 48, 128, 128),
}
VARIANTS = ("2014", "bn")


def googlenet(
    variant: str = "2014",
    *,
    classes: int = 1000,
    channels: int = 3,
    size: tuple[int, int] = (224, 224),
    dropout: float = 0.4,
    heads: bool = True,
) -> "GoogLeNet":
    """Normalised pixels (N, channels, *size) → logits (N, classes); while training, `Heads`.

    "2014": as published, with biases, local response normalisation and 5×5 branches: 6,998,552
    parameters, with both auxiliary heads 13,378,280. "bn": batch normalisation without biases, 3×3
    in place of 5×5, no response normalisation, and a pool4 of 2×2: 6,624,904 and 13,004,888; it is
    the one that published weights are for.
    Poolings round up, which gives the sizes of table 1. The paper gives no constants of its own
    for the normalisation: those of AlexNet are taken. heads: whether there are auxiliary
    classifiers; they are used in training only.
    Raises Mistake for an unknown variant, for pixels that are too small, or dropout not in [0, 1).
    """
    if variant not in VARIANTS:
        raise unknown("variant of GoogLeNet", variant, VARIANTS)
    if not 0 <= dropout < 1:
        raise Mistake(f"dropout is in [0, 1), not {dropout}.")
    return GoogLeNet(variant, classes, channels, size, dropout, heads)


class GoogLeNet(nn.Module):
    """Children conv1, pool1, …, inception3a, …, aux1 (on 4a), aux2 (on 4d), …, fc."""

    def __init__(
        self,
        variant: str,
        classes: int,
        channels: int,
        size: tuple[int, int],
        dropout: float,
        heads: bool,
    ) -> None:
        super().__init__()
        norm = variant == "bn"
        conv = partial(convolution, norm=norm)
        pool = partial(nn.MaxPool2d, 3, stride=2, ceil_mode=True)
        modules = {name: inception(before, MODULES[name], norm) for name, before in _inputs()}
        stem = OrderedDict(
            conv1=conv(channels, 64, 7, stride=2),
            pool1=pool(),
            norm1=response_norm(),
            conv2_reduce=conv(64, 64, 1),
            conv2=conv(64, 192, 3),
            norm2=response_norm(),
            pool2=pool(),
        )
        if norm:
            del stem["norm1"], stem["norm2"]
        self.stem = tuple(stem)
        for name, module in stem.items():
            self.add_module(name, module)
        self.inception3a, self.inception3b = modules["3a"], modules["3b"]
        self.pool3 = pool()
        self.inception4a, self.inception4b = modules["4a"], modules["4b"]
        self.inception4c, self.inception4d = modules["4c"], modules["4d"]
        self.inception4e = modules["4e"]
        self.pool4 = nn.MaxPool2d(2, ceil_mode=True) if norm else pool()
        self.inception5a, self.inception5b = modules["5a"], modules["5b"]
        self.pool5 = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.dropout = nn.Dropout(dropout)
        self.aux1: nn.Sequential | None = None
        self.aux2: nn.Sequential | None = None
        if heads:
            trunk = OrderedDict((name, self.get_submodule(name)) for name in self._to_4a())
            trunk["aux1.pool"] = head_pool(norm)
            maps = MODULES["4a"].out
            pooled = flattened(trunk, f"GoogLeNet {variant}", channels, size) // maps
            self.aux1 = head(maps, classes, pooled, norm)
            self.aux2 = head(MODULES["4d"].out, classes, pooled, norm)
        self.fc = nn.Linear(MODULES["5b"].out, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def _to_4a(self) -> tuple[str, ...]:
        return (*self.stem, "inception3a", "inception3b", "pool3", "inception4a")

    def forward(self, x: Tensor) -> Tensor | Heads:
        for name in self._to_4a():
            x = self.get_submodule(name)(x)
        first = x
        x = self.inception4d(self.inception4c(self.inception4b(x)))
        second = x
        x = self.pool4(self.inception4e(x))
        x = self.pool5(self.inception5b(self.inception5a(x)))
        logits: Tensor = self.fc(self.dropout(self.flatten(x)))
        if self.training and self.aux1 is not None and self.aux2 is not None:
            return Heads(logits, (self.aux1(first), self.aux2(second)), HEAD_WEIGHT)
        return logits


def _inputs() -> list[tuple[str, int]]:
    """(module, the maps that it is given), in order."""
    before = [192, *(widths.out for widths in MODULES.values())]
    return list(zip(MODULES, before, strict=False))


def convolution(
    before: int, width: int, side: int, *, norm: bool, stride: int = 1
) -> nn.Sequential:
    """A convolution that keeps the size (but for its stride), its norm if there is one, a ReLU."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    layers["conv"] = nn.Conv2d(before, width, side, stride, padding=side // 2, bias=not norm)
    if norm:
        layers["bn"] = nn.BatchNorm2d(width, eps=0.001)
    layers["relu"] = nn.ReLU()
    return nn.Sequential(layers)


class Inception(nn.Module):
    """Four branches side by side, their maps one behind the other."""

    def __init__(self, branches: "OrderedDict[str, nn.Module]") -> None:
        super().__init__()
        for name, branch in branches.items():
            self.add_module(name, branch)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.children()], 1)


def inception(before: int, widths: Widths, norm: bool) -> Inception:
    """1×1; 1×1 then 3×3; 1×1 then 5×5 (with batch normalisation 3×3); pooling then 1×1."""
    conv = partial(convolution, norm=norm)
    return Inception(
        OrderedDict(
            branch1=conv(before, widths.one, 1),
            branch2=nn.Sequential(
                OrderedDict(
                    reduce=conv(before, widths.reduce3, 1),
                    conv=conv(widths.reduce3, widths.three, 3),
                )
            ),
            branch3=nn.Sequential(
                OrderedDict(
                    reduce=conv(before, widths.reduce5, 1),
                    conv=conv(widths.reduce5, widths.five, 3 if norm else 5),
                )
            ),
            branch4=nn.Sequential(
                OrderedDict(
                    pool=nn.MaxPool2d(3, stride=1, padding=1),
                    project=conv(before, widths.project, 1),
                )
            ),
        )
    )


def head(
    before: int,
    classes: int,
    pooled: int,
    norm: bool,
) -> nn.Sequential:
    """An auxiliary classifier on `before` maps, which its pooling brings to `pooled` positions.

    Section 5: average pooling of 5×5 with stride 3, 128 1×1 filters, 1024 units, dropout of 70 %.
    """
    return nn.Sequential(
        OrderedDict(
            pool=head_pool(norm),
            conv=convolution(before, 128, 1, norm=norm),
            flatten=nn.Flatten(),
            fc1=nn.Linear(128 * pooled, 1024),
            relu=nn.ReLU(),
            dropout=nn.Dropout(0.7),
            fc2=nn.Linear(1024, classes),
        )
    )


def head_pool(norm: bool) -> nn.Module:
    """14×14 to 4×4: by windows, or in the batch-normalised form whatever the size."""
    return nn.AdaptiveAvgPool2d(4) if norm else nn.AvgPool2d(5, stride=3)
