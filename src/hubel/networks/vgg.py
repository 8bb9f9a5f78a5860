"""VGG (Simonyan & Zisserman 2015, "Very deep convolutional networks for large-scale image
recognition", table 1)."""

from collections import OrderedDict
from dataclasses import dataclass

from torch import nn

from hubel.mistakes import Mistake, unknown
from hubel.networks.alexnet import response_norm
from hubel.networks.fitting import flattened

WIDTHS = (64, 128, 256, 512, 512)


@dataclass(frozen=True)
class Variant:
    """A column of table 1: the convolutions of each of the five stages.

    norm: local response normalisation behind the first one. small_last: the third convolution of
    stages 3 to 5 is 1×1.
    """

    convolutions: tuple[int, int, int, int, int]
    norm: bool = False
    small_last: bool = False


VARIANTS: dict[str, Variant] = {
    "A": Variant((1, 1, 2, 2, 2)),
    "A-LRN": Variant((1, 1, 2, 2, 2), norm=True),
    "B": Variant((2, 2, 2, 2, 2)),
    "C": Variant((2, 2, 3, 3, 3), small_last=True),
    "D": Variant((2, 2, 3, 3, 3)),
    "E": Variant((2, 2, 4, 4, 4)),
}


def vgg(
    variant: str = "D",
    batch_norm: bool = False,
    *,
    classes: int = 1000,
    channels: int = 3,
    size: tuple[int, int] = (224, 224),
    dropout: float = 0.5,
) -> nn.Sequential:
    """Normalised pixels (N, channels, *size) → logits (N, classes); D is the 16-layer network.

    Children conv1_1, relu1_1, …, pool5, flatten, fc6, relu6, dropout6, …, fc8. Parameters with the
    paper's size and classes: A and A-LRN 132,863,336, B 133,047,848, C 133,638,952, D 138,357,544,
    E 143,667,240. batch_norm: a norm bn1_1, … behind every convolution, as widely used and not in
    the paper. Weights are drawn after Glorot & Bengio 2010, with which the authors later found they
    could do without their pre-training of A (section 3.1, footnote).
    Raises Mistake for an unknown variant, for pixels that are too small, or dropout not in [0, 1).
    """
    if variant not in VARIANTS:
        raise unknown("variant of VGG", variant, VARIANTS)
    if not 0 <= dropout < 1:
        raise Mistake(f"dropout is in [0, 1), not {dropout}.")
    trunk = _trunk(VARIANTS[variant], channels, batch_norm)
    features = flattened(trunk, f"VGG {variant}", channels, size)
    network = nn.Sequential(
        OrderedDict(
            **trunk,
            flatten=nn.Flatten(),
            fc6=nn.Linear(features, 4096),
            relu6=nn.ReLU(),
            dropout6=nn.Dropout(dropout),
            fc7=nn.Linear(4096, 4096),
            relu7=nn.ReLU(),
            dropout7=nn.Dropout(dropout),
            fc8=nn.Linear(4096, classes),
        )
    )
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return network


def _trunk(row: Variant, channels: int, batch_norm: bool) -> "OrderedDict[str, nn.Module]":
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    before = channels
    for stage, (width, convolutions) in enumerate(zip(WIDTHS, row.convolutions, strict=True), 1):
        for i in range(1, convolutions + 1):
            side = 1 if row.small_last and i == 3 else 3
            place = f"{stage}_{i}"
            layers[f"conv{place}"] = nn.Conv2d(before, width, side, padding=side // 2)
            if batch_norm:
                layers[f"bn{place}"] = nn.BatchNorm2d(width)
            layers[f"relu{place}"] = nn.ReLU()
            if row.norm and place == "1_1":
                layers[f"norm{place}"] = response_norm()
            before = width
        layers[f"pool{stage}"] = nn.MaxPool2d(2)
    return layers
