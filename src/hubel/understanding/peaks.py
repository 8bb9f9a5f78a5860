"""The largest activation of every unit in every picture, reading memory as seldom as can be.

A pass over the output of a norm or a ReLU takes as long as the layer itself. But both change every
number of a map alike and keep its order, so that their largest follows from that of what they were
given.
"""

import weakref
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

VECTORS = 32  # channels that torch reduces at a time
ROUNDING = 16  # units in the last place by which a norm's arithmetic may differ from ours


class Peaks(NamedTuple):
    """(N, units) each: a unit's largest activation in a picture is between the two.

    They are the same, but for what arithmetic may round differently. NaN where an activation is.
    """

    least: Tensor
    most: Tensor


class _Known(NamedTuple):
    """A tensor that was looked at, its version then, and what was found."""

    tensor: "weakref.ref[Tensor]"
    version: int
    layer: str
    peaks: Peaks


class Looks:
    """What is known of the tensors of one run of a network, while they live."""

    def __init__(self) -> None:
        self.known: dict[int, _Known] = {}
        self.given: dict[str, Peaks] = {}

    def recall(self, tensor: Tensor) -> _Known | None:
        """What was found in it, unless it was written to since."""
        found = self.known.get(id(tensor))
        same = found is not None and found.tensor() is tensor
        return found if found and same and found.version == tensor._version else None

    def before(self, layer: str, given: Tensor) -> None:
        """To be told what a layer is given, before it may write into it."""
        found = self.recall(given)
        if found is not None:
            self.given[layer] = found.peaks

    def after(self, layer: str, module: nn.Module, output: Tensor) -> Peaks:
        """The peaks of a layer's output, (N, C, H, W) or (N, units)."""
        given, rule = self.given.pop(layer, None), KEEPS_ORDER.get(type(module))
        found = rule(module, given, output) if rule and given is not None else None
        peaks = read(output) if found is None else found
        self.known[id(output)] = _Known(weakref.ref(output), output._version, layer, peaks)
        return peaks


def read(output: Tensor) -> Peaks:
    """By looking at all of it."""
    peaks = _largest(output)
    return Peaks(peaks, peaks)


def _largest(output: Tensor) -> Tensor:
    if output.ndim == 2:
        return output
    if output.is_contiguous():
        return output.amax((2, 3))
    # channels-last: both sides at once can take ten times as long; of the two ways one after the
    # other, the second reads memory in order, but is only fast where the processor's vectors fit
    first = 2 if output.shape[1] % VECTORS == 0 else 1
    return output.permute(0, 2, 3, 1).amax(first).amax(1)


def _alike(module: nn.Module, given: Peaks, _output: Tensor) -> Peaks:
    """Of a layer that never turns the order and rounds nothing: what it makes of the peaks."""
    least, most = (module.forward(part.clone()) for part in given)
    return Peaks(least, most)


def _leaking(module: nn.Module, given: Peaks, output: Tensor) -> Peaks | None:
    slope = module.negative_slope
    return _alike(module, given, output) if isinstance(slope, float) and slope >= 0 else None


def _normed(module: nn.Module, given: Peaks, output: Tensor) -> Peaks | None:
    """Of a batch norm in evaluation; units whose scale is negative are read."""
    if not isinstance(module, nn.BatchNorm2d) or module.training:
        return None
    mean, var, weight = module.running_mean, module.running_var, module.weight
    if mean is None or var is None or weight is None:
        return None
    scale = weight * (var + module.eps).rsqrt()
    least, most = ((part - mean) * scale + module.bias for part in given)
    size = (torch.maximum(given.least.abs(), given.most.abs()) + mean.abs()) * scale.abs()
    slack = ROUNDING * torch.finfo(scale.dtype).eps * (size + module.bias.abs())
    found = Peaks(least - slack, most + slack)
    turned = (weight < 0).nonzero()[:, 0]
    if len(turned):
        own = _largest(output[:, turned])
        for each in found:
            each[:, turned] = own
    return found


KEEPS_ORDER: dict[type[nn.Module], Callable[[nn.Module, Peaks, Tensor], Peaks | None]] = {
    nn.ReLU: _alike,
    nn.ReLU6: _alike,
    nn.Hardtanh: _alike,
    nn.LeakyReLU: _leaking,
    nn.BatchNorm2d: _normed,
}
