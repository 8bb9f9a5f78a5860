"""Muon (Jordan 2024): momentum, orthogonalised by a Newton–Schulz iteration, for matrices.

torch has a Muon of its own, which always iterates in bfloat16: where a processor does not multiply
that in hardware, the iteration takes four fifths of a small network's training. This one asks
first, and is torch's bit for bit where bfloat16 is there; elsewhere it iterates in float32.
"""

import math
from typing import Any

import torch
from torch import Tensor

from hubel.training.precision import multiplies_bfloat16

# Jordan's constants: the quintic a·x + b·x³ + c·x⁵ rises as steeply at 0 as it can, and after five
# steps has brought every singular value between about 0.7 and 1.2; it never settles at 1.
QUINTIC = (3.4445, -4.7750, 2.0315)
STEPS = 5
EPS = 1e-7


def orthogonalised(matrix: Tensor, dtype: torch.dtype) -> Tensor:
    """U S V^T → U S' V^T with S' near 1, iterated in dtype. matrix (m, n) → (m, n) of dtype."""
    a, b, c = QUINTIC
    tall = matrix.size(0) > matrix.size(1)  # the smaller Gram matrix serves both
    x = matrix.to(dtype, copy=True)
    x = x.T if tall else x
    x.div_(x.norm().clamp(min=EPS))  # singular values at most 1
    for _ in range(STEPS):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.T if tall else x


class Muon(torch.optim.Optimizer):
    """Muon over matrices (m, n), with Nesterov's momentum and decoupled weight decay.

    A step is of lr × sqrt(max(1, m / n)) times the orthogonalised momentum.
    """

    def __init__(
        self, params: list[dict[str, Any]], *, lr: float, momentum: float, weight_decay: float
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]  # no closure
        for group in self.param_groups:
            rate, momentum = group["lr"], group["momentum"]
            for matrix in group["params"]:
                if matrix.grad is None:
                    continue
                state = self.state[matrix]
                if "momentum_buffer" not in state:
                    state["momentum_buffer"] = torch.zeros_like(matrix.grad)
                average = state["momentum_buffer"].lerp_(matrix.grad, 1 - momentum)
                update = matrix.grad.lerp(average, momentum)
                hardware = multiplies_bfloat16(matrix.device)
                update = orthogonalised(update, torch.bfloat16 if hardware else torch.float32)
                matrix.mul_(1 - rate * group["weight_decay"])
                matrix.add_(update, alpha=-rate * math.sqrt(max(1, len(matrix) / matrix.size(1))))
