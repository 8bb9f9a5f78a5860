"""hubel.summary: any network, layer by layer."""

from torch import nn

from hubel.basics.summary import Summary, trace
from hubel.mistakes import Mistake
from hubel.model import Model
from hubel.pixels import PixelSpec

__all__ = ["Summary", "summary"]


def summary(module: nn.Module, pixels: PixelSpec | tuple[int, int, int] | None = None) -> Summary:
    """A network layer by layer: shapes, parameters, multiply-adds, memory, receptive fields.

    module: any network, which takes (N, C, H, W), or a Classifier, whose network is looked at.
    pixels: what one picture is, as a PixelSpec or as (C, H, W); a Classifier has its own. str() of
    the result is a table, as_json() plain values. The network runs once on zeros, on the device it
    is on ("meta" will do), in evaluation mode; nothing of it is changed. Raises Mistake where the
    picture does not fit, naming the layer, what it was given and the smallest square that fits.

    >>> import hubel
    >>> from torch import nn
    >>> found = hubel.summary(nn.Sequential(nn.Conv2d(3, 10, 5, padding=2)), (3, 32, 32))
    >>> print(found.parameters, found.multiply_adds)
    760 768000
    """
    if pixels is None:
        if not isinstance(module, Model):
            raise Mistake(
                "A network without pixels of its own needs them: summary(module, (C, H, W))."
            )
        pixels = module.pixels
    network = module.network if isinstance(module, Model) else module
    if isinstance(pixels, PixelSpec):
        pixels = (pixels.channels, *pixels.size)
    return trace(network, pixels)
