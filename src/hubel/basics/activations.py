"""Activation functions: value, derivative, and the module that networks are built of."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from hubel.mistakes import Mistake


class Maxout(nn.Module):
    """The largest of `pieces` features (Goodfellow et al. 2013): (N, pieces·F, …) → (N, F, …)."""

    def __init__(self, pieces: int = 2) -> None:
        super().__init__()
        if pieces < 1:
            raise Mistake(f"Maxout takes at least 1 piece, not {pieces}.")
        self.pieces = pieces

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[1] % self.pieces:
            raise Mistake(f"Maxout of {self.pieces} pieces cannot divide {x.shape[1]} features.")
        features = x.shape[1] // self.pieces  # not −1, which an empty batch leaves open
        return x.view(len(x), features, self.pieces, *x.shape[2:]).amax(2)


class ScaledTanh(nn.Module):
    """1.7159 · tanh(2x/3), which is 1 at 1 and −1 at −1 (LeCun et al. 1998, appendix A)."""

    def forward(self, x: Tensor) -> Tensor:
        return 1.7159 * torch.tanh(x * (2 / 3))


@dataclass(frozen=True)
class Activation:
    """One function of one number: its value, its derivative, its module, and how it is written."""

    value: Callable[[Tensor], Tensor]
    derivative: Callable[[Tensor], Tensor]
    module: Callable[[], nn.Module]
    formula: str


def _sigmoid_slope(x: Tensor) -> Tensor:
    return torch.sigmoid(x) * torch.sigmoid(-x)


# At their kinks (0 for the ReLUs) the derivatives are torch's: that of the left side.
ACTIVATIONS: dict[str, Activation] = {
    "sigmoid": Activation(torch.sigmoid, _sigmoid_slope, nn.Sigmoid, "1 / (1 + e⁻ˣ)"),
    "tanh": Activation(torch.tanh, lambda x: 1 - torch.tanh(x) ** 2, nn.Tanh, "tanh x"),
    "scaled-tanh": Activation(
        lambda x: 1.7159 * torch.tanh(x * (2 / 3)),
        lambda x: 1.7159 * (2 / 3) * (1 - torch.tanh(x * (2 / 3)) ** 2),
        ScaledTanh,
        "1.7159 tanh(2x/3)",
    ),
    "relu": Activation(lambda x: x.clamp(min=0), lambda x: (x > 0).to(x), nn.ReLU, "max(0, x)"),
    "leaky-relu": Activation(
        lambda x: torch.where(x > 0, x, 0.01 * x),
        lambda x: torch.where(x > 0, torch.ones_like(x), 0.01),
        nn.LeakyReLU,
        "max(0.01 x, x)",
    ),
    "elu": Activation(
        lambda x: torch.where(x > 0, x, torch.expm1(x.clamp(max=0))),
        lambda x: torch.where(x > 0, torch.ones_like(x), torch.exp(x.clamp(max=0))),
        nn.ELU,
        "x, or eˣ − 1 below 0",
    ),
}


def maxout_pair(weights: tuple[float, float], x: Tensor) -> Tensor:
    """The maxout of two straight lines through 0, for plots: max(w₁x, w₂x)."""
    return torch.maximum(weights[0] * x, weights[1] * x)


def curves(low: float = -4.0, high: float = 4.0, n: int = 401) -> dict[str, tuple[Tensor, ...]]:
    """name → (x, value, derivative), each (n,), in float64: what a plot needs.

    >>> x, value, slope = curves()["tanh"]
    >>> round(float(slope.max()), 6)
    1.0
    """
    x = torch.linspace(low, high, n, dtype=torch.float64)
    return {name: (x, a.value(x), a.derivative(x)) for name, a in ACTIVATIONS.items()}
