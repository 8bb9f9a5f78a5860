"""What every module of a network hands on for some pictures: its name, shape, field, soundness."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from hubel.basics.receptive_field import Field
from hubel.basics.tracing import Tracer, watching
from hubel.mistakes import Failure
from hubel.model import Model, evaluating
from hubel.understanding.prefix import up_to


class Handed(NamedTuple):
    """A module's output: the module's path ("path#2" at its second call), its shape, whether all
    its numbers are finite, and what a unit of it sees of the picture (None: nothing)."""

    name: str
    shape: tuple[int, ...]
    finite: bool
    field: Field | None


def handed_on(network: nn.Module, pixels: Tensor, *, until: Sequence[str] = ()) -> list[Handed]:
    """Of every call of a module, in the order in which they ended.

    until: what lies behind these intermediates is not run.
    """
    with evaluating(network) as network, torch.inference_mode(False), torch.no_grad():
        inner = network.network if isinstance(network, Model) else network
        own = pixels.detach().clone()
        outputs = _Outputs(inner, own)
        with watching(inner, outputs):
            if until:
                up_to(network, own, until)
            else:
                network(own)
    return outputs.handed


def demand_finite(network: nn.Module, pixels: Tensor) -> None:
    """Raises Failure, naming the first module, where a network hands on what is not finite."""
    wrong = next((each.name for each in handed_on(network, pixels) if not each.finite), None)
    if wrong is not None:
        raise Failure(f"The activations of {wrong} are not finite for this picture.")


class _Outputs(Tracer):
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
