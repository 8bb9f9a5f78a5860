"""Which pictures fit a network: the sentence for one that does not, and the smallest that does."""

import math
import re
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from hubel.basics.dispatch import Watching
from hubel.basics.tracing import Tracer, is_layer
from hubel.mistakes import Mistake
from hubel.twins import twin

MOST_SIDE = 1024  # beyond this no smallest size is looked for
SCANNED = 128  # up to this one by one, where halving finds nothing
TOO_SMALL, FITS, TOO_LARGE = -1, 0, 1


def misfit(tracer: Tracer, shape: tuple[int, int, int], wrong: Exception) -> Mistake:
    """The mistake that a picture of that shape was for the traced network, which raised `wrong`."""
    call = tracer.calls[tracer.stack[-1]]
    module, given = call.module, tracer.given.get(tracer.stack[-1], (1, *shape))
    layer = f"its layer {call.path} ({type(module).__name__})" if call.path else "it"
    if not is_layer(module) and tracer.operations:
        # between layers: what was computed last says where
        last = tracer.operations[-1]
        name, given = last.name.removesuffix("_with_indices"), last.shape
        layer = f"what follows its {'.'.join(filter(None, (tracer.calls[last.call].path, name)))}"
    sizes = "×".join(map(str, given[1:]))
    channels = getattr(module, "in_channels", None)
    if channels is not None and given[1:2] != (channels,):
        return Mistake(
            f"The network takes other pictures than {_sides(shape)}: {layer} takes {channels} "
            f"channels and was given {sizes}."
        )
    least = smallest(tracer.network, shape[0])
    if least is None:
        said = str(wrong).split("\n")[0].rstrip(".")
        return Mistake(
            f"The network cannot take pictures of {_sides(shape)}: {layer} was given {sizes} "
            f"(torch: {said}). No square of up to {MOST_SIDE} was found that fits."
        )
    return Mistake(
        f"The network does not fit pictures of {_sides(shape)}: {layer} was given {sizes}. "
        f"The smallest square that fits is {least}×{least}."
    )


def smallest(network: nn.Module, channels: int) -> int | None:
    """The side of the smallest square picture that the network takes; None if none is found.

    Tried on tensors that hold no numbers: weights are neither copied nor touched. By halving, since
    what is too small gets larger with the side; where a layer wants one size exactly and does not
    say which, one by one.
    """
    state = dict(network.named_parameters()) | dict(network.named_buffers())
    hollow = {name: torch.empty_like(value, device="meta") for name, value in state.items()}
    network = twin(network)  # its tensors give their places to the hollow ones
    low, high = 0, MOST_SIDE
    while high - low > 1:
        middle = (low + high) // 2
        if _outcome(network, hollow, channels, middle) == TOO_SMALL:
            low = middle
        else:
            high = middle
    sides = (high, *range(1, SCANNED))
    return next((s for s in sides if _outcome(network, hollow, channels, s) == FITS), None)


def _outcome(network: nn.Module, hollow: dict[str, Tensor], channels: int, side: int) -> int:
    last = _Last()
    kinds = [tensor.dtype for tensor in hollow.values() if tensor.is_floating_point()]
    pixels = torch.empty(1, channels, side, side, device="meta", dtype=next(iter(kinds), None))
    try:
        with last:
            made = functional_call(network, hollow, (pixels,))
    except (RuntimeError, ValueError, IndexError) as wrong:
        return last.verdict(str(wrong))
    # x.view(-1, n) makes several pictures of one that is too large
    several = isinstance(made, Tensor) and made.ndim > 1 and made.shape[0] != 1
    return TOO_LARGE if several else FITS


class _Last(Watching):
    """Keeps the last operation, which may be the one that failed."""

    name = ""
    shapes: tuple[tuple[int, ...], ...] = ()

    def __torch_dispatch__(self, func: Any, _types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.name = func._schema.name
        self.shapes = tuple(tuple(arg.shape) for arg in args if isinstance(arg, Tensor))
        return func(*args, **(kwargs or {}))

    def verdict(self, message: str) -> int:
        """Too large where a matrix, or a view, got more numbers than it has room for."""
        if self.name in ("aten::mm", "aten::addmm"):
            given, weight = self.shapes[-2:]
            return TOO_LARGE if given[-1] > weight[0] else TOO_SMALL
        found = re.search(r"shape '\[(.*)\]' is invalid for input of size (\d+)", message)
        if found:
            wanted = math.prod(max(int(side), 1) for side in found[1].split(","))
            return TOO_LARGE if int(found[2]) > wanted else TOO_SMALL
        return TOO_SMALL


def _sides(shape: tuple[int, int, int]) -> str:
    return "×".join(map(str, shape))
