"""A network that may stop whoever asks it: an attack asks at each of its steps."""

from collections.abc import Callable

from torch import Tensor, nn


class Heeding(nn.Module):
    """The same network, but that `heed` is called before each answer, and may raise.

    The network's own modules and modes are left alone.
    """

    def __init__(self, network: nn.Module, heed: Callable[[], None]) -> None:
        super().__init__()
        self.network = network
        self.training = False
        # a function, as a bound method would be copied with the module, and what it is bound to
        self._heed: Callable[[], None] = lambda: heed()

    def forward(self, pixels: Tensor) -> Tensor:
        self._heed()
        logits: Tensor = self.network(pixels)
        return logits
