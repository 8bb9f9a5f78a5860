"""How unlike its training pictures a picture is: a probability says nothing about that.

A softmax spreads 100 % over the classes that there are, also of a picture that is of none of them.
What tells is the distance of the picture's features (what the network makes of it just before its
last layer) from those of training pictures: Sun et al. 2022, "Out-of-distribution detection with
deep nearest neighbors", section 3. It is calibrated on validation pictures, which the network has
not learned from either: of these, how many are nearer?
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from hubel import draws

NEIGHBOURS = 5  # the distance is that to the fifth nearest: to one alone it would be to a stray one
MOST = 2_000  # training pictures whose features are kept
STRANGE = 0.99  # from which share of nearer validation pictures on a picture is called strange


@dataclass(frozen=True)
class Reference:
    """features (M, D), of unit length: of training pictures. distances (V,), ascending: those of
    the validation pictures from these."""

    features: Tensor
    distances: Tensor

    def strangeness(self, features: Tensor) -> Tensor:
        """features (N, D) → (N,): the share of the validation pictures that are nearer, 0 to 1.

        Where it is 1 the picture is farther from the training pictures than any of them.
        """
        found = _distances(features, self.features)
        nearer = torch.searchsorted(self.distances, found, right=False)
        return nearer.double() / len(self.distances)


def some(n: int, seed: int) -> list[int]:
    """The training pictures whose features are kept: at most MOST of n, in their order."""
    return sorted(draws.order(seed, 0, n, "strangeness")[:MOST].tolist())


def reference(training: Tensor, validation: Tensor) -> Reference | None:
    """Features (M, D) of training and (V, D) of validation pictures → what others are held against.

    None where there are too few to say anything: no validation pictures, or one training picture.
    """
    if len(training) < 2 or not len(validation):
        return None
    kept = F.normalize(training.float(), dim=1)
    return Reference(kept, _distances(validation, kept).sort().values)


def _distances(features: Tensor, among: Tensor) -> Tensor:
    """(N, D) → (N,): to the NEIGHBOURS-th nearest, or to the last if there are fewer."""
    k = min(NEIGHBOURS, len(among))
    given = F.normalize(features.float(), dim=1)
    # of unit vectors |a − b|² = 2 − 2 a·b
    nearest = (given @ among.T).topk(k, dim=1).values[:, -1]
    return (2 - 2 * nearest).clamp(min=0).sqrt()
