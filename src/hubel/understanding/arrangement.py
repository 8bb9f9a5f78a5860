"""Where the picture's rows and columns run in what a layer hands on: maps first, or channels last.

Four dimensions alone do not say: a transformer's (N, h, w, K) look like maps (N, K, h, w). So it is
followed where each dimension comes from.
"""

from collections.abc import Iterable

from torch import Tensor, nn

from hubel.mistakes import Mistake
from hubel.model import Model
from hubel.understanding.outputs import Handed, handed_on

MAPS_FIRST = (0, 1, 2, 3)
# of these torch says itself that they hand on (N, K, h, w)
OF_MAPS = (
    nn.Conv2d, nn.ConvTranspose2d, nn.BatchNorm2d, nn.InstanceNorm2d, nn.LocalResponseNorm,
    nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d, nn.Upsample,
)  # fmt: skip


def order(network: nn.Module, pixels: Tensor, layer: str) -> tuple[int, ...]:
    """The order of dimensions in which the layer's output is (N, K, h, w); that of all others.

    pixels (N, C, H, W), N ≥ 1: the first is looked at. Raises Mistake where it cannot be told.
    """
    inner = network.network if isinstance(network, Model) else network
    module = dict(inner.named_modules()).get(layer.partition("#")[0])
    if isinstance(module, OF_MAPS) or not len(pixels):
        return MAPS_FIRST
    handed = handed_on(network, pixels[:1], until=[layer])
    found = next((each for each in handed if each.name == layer), None)
    if found is None:  # it is no tensor
        return MAPS_FIRST
    known = arranged(found, pixels)
    if known is None:
        raise Mistake(
            f"{layer} hands on {found.shape[1:]}: which of it are the picture's rows and columns "
            "cannot be told. Name a layer of maps (K, h, w)."
        )
    return known


def demand_maps_first(network: nn.Module, pixels: Tensor, layers: Iterable[str]) -> None:
    """Raises Mistake for a layer whose output has its channels last, or may have."""
    for layer in layers:
        if order(network, pixels, layer) != MAPS_FIRST:
            raise Mistake(
                f"{layer} hands on (h, w, K), its channels last. Name a layer of maps (K, h, w)."
            )


def arranged(handed: Handed, pixels: Tensor) -> tuple[int, ...] | None:
    """The order of dimensions in which an output is (N, K, h, w); None where it cannot be told.

    Where dimensions could not be followed (behind attention, say), they are taken to be in torch's
    order, unless only another one has the picture's proportions.
    """
    if len(handed.shape) != 4:
        return MAPS_FIRST
    sides = handed.field and tuple(axis.dim for axis in handed.field)
    if sides and 0 not in sides and None not in sides and len({*sides}) == 2:
        row, column = (int(side) for side in sides if side is not None)
        return (0, 6 - row - column, row, column)
    (_, first, second, third), (height, width) = handed.shape, pixels.shape[2:]
    likely = second * width == third * height
    return MAPS_FIRST if likely or first * width != second * height else None
