"""AlexNet (Krizhevsky, Sutskever & Hinton 2012, "ImageNet classification with deep convolutional
neural networks"; and its form of 2014, Krizhevsky, "One weird trick")."""

from collections import OrderedDict
from dataclasses import dataclass

from torch import nn

from hubel.mistakes import Mistake, unknown
from hubel.networks.fitting import flattened


@dataclass(frozen=True)
class Variant:
    """A row: the convolutions' maps, the groups of conv2, conv4 and conv5, and what else differs.

    padding: of conv1. norm: local response normalisation behind conv1 and conv2. pool: the size
    that the last maps are averaged to, whatever the picture's (None: as they come). early_dropout:
    dropout before fc6 and fc7, not behind them.
    """

    maps: tuple[int, int, int, int, int]
    groups: int = 1
    padding: int = 0
    norm: bool = True
    pool: int | None = None
    early_dropout: bool = False


VARIANTS: dict[str, Variant] = {
    # as published: two columns, one on each GPU, that meet in conv3 and in the linear layers
    "2012": Variant((96, 256, 384, 384, 256), groups=2),
    "2012-one-column": Variant((96, 256, 384, 384, 256)),
    # one tower without normalisation: what most software means by AlexNet
    "2014": Variant((64, 192, 384, 256, 256), padding=2, norm=False, pool=6, early_dropout=True),
}


def alexnet(
    variant: str = "2012",
    *,
    classes: int = 1000,
    channels: int = 3,
    size: tuple[int, int] = (227, 227),
    dropout: float = 0.5,
) -> nn.Sequential:
    """Normalised pixels (N, channels, *size) → logits (N, classes).

    "2012" is the published network: 55×55×96 → 27×27×256 → 13×13×384 → 13×13×384 → 6×6×256 → 4096
    → 4096 → 1000, two groups in conv2, conv4 and conv5, 60,965,224 parameters and 659,272 units;
    "2012-one-column" has no groups and 62,378,344 parameters; "2014" 61,100,840. Children conv1,
    relu1, norm1, pool1, …, pool5, flatten, fc6, relu6, dropout6, …, fc8. The normalisation comes
    before the pooling, as the paper has it. The weights of 2012 are drawn as in section 5: standard
    deviation 0.01, biases 1 in conv2, conv4, conv5, fc6 and fc7.
    The paper prints pictures of 224×224; only 227×227 gives the 55×55 that it goes on with.
    Raises Mistake for an unknown variant, for pixels that are too small, or dropout not in [0, 1).
    """
    if variant not in VARIANTS:
        raise unknown("variant of AlexNet", variant, VARIANTS)
    if not 0 <= dropout < 1:
        raise Mistake(f"dropout is in [0, 1), not {dropout}.")
    row = VARIANTS[variant]
    trunk = _trunk(row, channels)
    features = flattened(trunk, f"AlexNet {variant}", channels, size)
    early, late = (dropout, 0.0) if row.early_dropout else (0.0, dropout)
    layers = OrderedDict(
        **trunk,
        flatten=nn.Flatten(),
        dropout5=nn.Dropout(early),
        fc6=nn.Linear(features, 4096),
        relu6=nn.ReLU(),
        dropout6=nn.Dropout(dropout),
        fc7=nn.Linear(4096, 4096),
        relu7=nn.ReLU(),
        dropout7=nn.Dropout(late),
        fc8=nn.Linear(4096, classes),
    )
    del layers["dropout7" if row.early_dropout else "dropout5"]
    network = nn.Sequential(layers)
    if row.norm:
        _draw(network)
    return network


def _trunk(row: Variant, channels: int) -> "OrderedDict[str, nn.Module]":
    one, two, three, four, five = row.maps
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    layers["conv1"] = nn.Conv2d(channels, one, 11, stride=4, padding=row.padding)
    layers["relu1"] = nn.ReLU()
    if row.norm:
        layers["norm1"] = response_norm()
    layers["pool1"] = nn.MaxPool2d(3, stride=2)  # overlapping: windows of 3, every 2
    layers["conv2"] = nn.Conv2d(one, two, 5, padding=2, groups=row.groups)
    layers["relu2"] = nn.ReLU()
    if row.norm:
        layers["norm2"] = response_norm()
    layers["pool2"] = nn.MaxPool2d(3, stride=2)
    layers["conv3"] = nn.Conv2d(two, three, 3, padding=1)
    layers["relu3"] = nn.ReLU()
    layers["conv4"] = nn.Conv2d(three, four, 3, padding=1, groups=row.groups)
    layers["relu4"] = nn.ReLU()
    layers["conv5"] = nn.Conv2d(four, five, 3, padding=1, groups=row.groups)
    layers["relu5"] = nn.ReLU()
    layers["pool5"] = nn.MaxPool2d(3, stride=2)
    if row.pool is not None:
        layers["average5"] = nn.AdaptiveAvgPool2d(row.pool)
    return layers


def response_norm() -> nn.LocalResponseNorm:
    """b = a / (k + α Σ a²)^β over n maps, with the paper's k = 2, n = 5, α = 1e-4, β = 0.75.

    Section 3.3. torch divides α by n, the paper does not: its 1e-4 is 5e-4 here.
    """
    return nn.LocalResponseNorm(5, alpha=5 * 1e-4, beta=0.75, k=2.0)


def _draw(network: nn.Sequential) -> None:
    for name, module in network.named_children():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.normal_(module.weight, std=0.01)
            ones = name in ("conv2", "conv4", "conv5", "fc6", "fc7")
            if module.bias is not None:
                nn.init.constant_(module.bias, 1.0 if ones else 0.0)
