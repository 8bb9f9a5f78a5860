"""What every module of a network hands on for some pictures: its name, shape, field, soundness."""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from hubel.basics.receptive_field import Field
from hubel.basics.tracing import Tracer, watching
from hubel.mistakes import Failure
from hubel.model import Model, evaluating


class Handed(NamedTuple):
    """A module's output: the module's path ("path#2" at its second call), its shape, whether all
    its numbers are finite, and what a unit of it sees of the picture (None: nothing)."""

    name: str
    shape: tuple[int, ...]
    finite: bool
    field: Field | None


def handed_on(network: nn.Module, pixels: Tensor) -> list[Handed]:
    """Of every call of a module, in the order in which they ended."""
    inner = network.network if isinstance(network, Model) else network
    with evaluating(network), torch.inference_mode(False), torch.no_grad():
        own = pixels.detach().clone()
        outputs = _Outputs(inner, own)
        with watching(inner, outputs):
            network(own)
    return outputs.handed


def demand_finite(network: nn.Module, pixels: Tensor) -> None:
    """Raises Failure, naming the first module, where a network hands on what is not finite."""
    wrong = next((each.name for each in handed_on(network, pixels) if not each.finite), None)
    if wrong is not None:
        raise Failure(f"The activations of {wrong} are not finite for this picture.")


class _Outputs(Tracer):  # type: ignore[no-untyped-call]  # torch's
    """Keeps what is to be known of each module's output."""

    def __init__(self, network: nn.Module, pixels: Tensor) -> None:
        super().__init__(network, pixels)
        self.handed: list[Handed] = []

    def leave(self, output: Any) -> None:
        call = self.calls[self.stack[-1]]
        super().leave(output)
        if isinstance(output, Tensor):
            name = call.path if call.time == 1 else f"{call.path}#{call.time}"
            finite = bool(output.isfinite().all())
            value = self.values.get(output)
            field = None if value is None else value.field
            self.handed.append(Handed(name, tuple(output.shape), finite, field))
