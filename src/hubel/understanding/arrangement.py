"""Where the picture's rows and columns run in what a layer hands on: maps first, or channels last.

Four dimensions alone do not say: a transformer's (N, h, w, K) look like maps (N, K, h, w). So it is
followed where each dimension comes from.
"""

from collections.abc import Iterable, Sequence

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
    """The order of dimensions in which the layer's output is (N, K, h, w); MAPS_FIRST of others.

    pixels (N, C, H, W), N ≥ 1: the first is looked at. Raises Mistake where it cannot be told.
    """
    return _orders(network, pixels, [layer])[layer]


def demand_maps_first(network: nn.Module, pixels: Tensor, layers: Iterable[str]) -> None:
    """Raises Mistake for a layer whose output has its channels last, or may have."""
    for layer, found in _orders(network, pixels, layers).items():
        if found != MAPS_FIRST:
            raise Mistake(
                f"{layer} hands on (h, w, K), its channels last. Name a layer of maps (K, h, w)."
            )


def arranged(handed: Handed, size: Sequence[int]) -> tuple[int, ...] | None:
    """The order of dimensions in which an output is (N, K, h, w); None where it cannot be told.

    size: the picture's, (height, width). Where dimensions could not be followed (behind attention,
    say), they are taken to be in torch's order, unless only another one has the picture's
    proportions.
    """
    if len(handed.shape) != 4:
        return MAPS_FIRST
    sides = handed.field and tuple(axis.dim for axis in handed.field)
    if sides and 0 not in sides and None not in sides and len({*sides}) == 2:
        row, column = (int(side) for side in sides if side is not None)
        return (0, 6 - row - column, row, column)
    (_, first, second, third), (height, width) = handed.shape, size
    likely = second * width == third * height
    return MAPS_FIRST if likely or first * width != second * height else None


def _orders(
    network: nn.Module, pixels: Tensor, layers: Iterable[str]
) -> dict[str, tuple[int, ...]]:
    """Of each layer; the network is run once, and only if there is one to follow."""
    inner = network.network if isinstance(network, Model) else network
    sure = {name for name, module in inner.named_modules() if isinstance(module, OF_MAPS)}
    found: dict[str, tuple[int, ...]] = dict.fromkeys(layers, MAPS_FIRST)
    followed = [name for name in found if name.partition("#")[0] not in sure]
    if not followed or not len(pixels):
        return found
    for each in handed_on(network, pixels[:1], until=followed):
        if each.name in followed:
            way = arranged(each, pixels.shape[2:])
            if way is None:
                raise Mistake(
                    f"{each.name} hands on {each.shape[1:]}: which of it are the picture's rows "
                    "and columns cannot be told. Name a layer of maps (K, h, w)."
                )
            found[each.name] = way
    return found
