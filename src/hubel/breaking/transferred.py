"""Whether what fools one network fools another that never saw it: the transfer matrix.

Szegedy et al. 2014, section 4.2 ("cross model generalization"); Papernot et al. 2016
("Transferability in machine learning", section 3).
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from hubel.breaking.gradient import attacked
from hubel.breaking.norms import LINF, Norm
from hubel.breaking.robustness import BATCH, taken


def transferred(
    networks: Sequence[nn.Module],
    pixels: Sequence[Tensor],
    labels: Sequence[Tensor],
    *,
    epsilon: float,
    norm: Norm = LINF,
    steps: int = 40,
    batch: int = BATCH,
    on_attack: Callable[[int], bool] = lambda _: False,
) -> Tensor:
    """(M, M): the share of pictures made to fool network i (rows) that fool network j (columns).

    pixels[i] (N, C, H, W), labels[i] (N,): the same N pictures as network i sees and numbers them;
    all networks have to get them right, and see them at one size. The attack is PGD at its full
    strength, as what fools by a hair's breadth fools no other. on_attack: called with the number of
    each that is done; where it says True, the rows that are missing are NaN.
    """
    found = torch.full((len(networks), len(networks)), torch.nan)
    for i, network in enumerate(networks):
        made = torch.cat(
            list(
                attacked(
                    network, pixels[i], labels[i], batch=batch, epsilon=epsilon, norm=norm,
                    steps=steps,
                )
            )
        )  # fmt: skip
        for j, other in enumerate(networks):
            found[i, j] = taken(other, made, labels[j], batch=batch).float().mean()
        if on_attack(i):
            break
    return found
