"""Run a network only as far as the intermediates that are asked for."""

from collections.abc import Callable, Iterable

from torch import Tensor, nn

from hubel.understanding.probes import tapping


class _EnoughError(Exception):
    """All that was asked for has been met: not an error, but the way out of a forward pass."""


def up_to(network: nn.Module, pixels: Tensor, names: Iterable[str]) -> dict[str, Tensor]:
    """The intermediates by name, as `probes.recording` finds them; what lies behind is not run.

    So a classifier's convolutions take pictures of a size that its last layers do not. Raises as
    `tapping` does. The mode is the caller's business.

    >>> import torch
    >>> net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(2, 1))
    >>> up_to(net, torch.ones(1, 1, 9, 9), ["0"])["0"].shape
    torch.Size([1, 2, 7, 7])
    """
    wanted = list(dict.fromkeys(names))
    found: dict[str, Tensor] = {}

    def keeping(name: str) -> Callable[[Tensor], Tensor]:
        def keep(output: Tensor) -> Tensor:
            found[name] = output
            if len(found) == len(wanted):
                raise _EnoughError
            return output.clone()  # an in-place operation behind works on a copy

        return keep

    try:
        with tapping(network, {name: keeping(name) for name in wanted}):
            network(pixels)
    except _EnoughError:
        pass
    return found
