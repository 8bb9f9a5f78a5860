"""How unlike its training pictures a picture is: a probability says nothing about that.

A softmax spreads 100 % over the classes that there are, also of a picture that is of none of them.
What tells is the distance of the picture's features (what the network makes of it just before its
last layer) from those of training pictures: Sun et al. 2022, "Out-of-distribution detection with
deep nearest neighbors", section 3. It is calibrated on validation pictures, which the network has
not learned from either: of these, how many are nearer?
"""

from dataclasses import dataclass
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor

from hubel import draws, reading
from hubel.mistakes import Failure
from hubel.tensors import pack, unpack

NEIGHBOURS = 5  # the distance is that to the fifth nearest: to one alone it would be to a stray one
MOST = 2_000  # training pictures whose features are kept, and validation pictures held against them
NUMBERS = 8_000_000  # that these features have at most in all: 16 MB as they are kept
FEATURES, DISTANCES = "features", "distances"


@dataclass(frozen=True, eq=False)
class Reference:
    """features (M, D), of unit length up to rounding: of training pictures. distances (V,),
    ascending, 0 to 2: those of the validation pictures from these."""

    features: Tensor
    distances: Tensor

    def __deepcopy__(self, _memo: object) -> Self:
        """Nothing of it is ever changed: copies of a model share it."""
        return self

    def nearer(self, features: Tensor) -> Tensor:
        """features (N, D) → int64 (N,): how many validation pictures are nearer, 0 to V."""
        found = _distances(features, self.features)
        # a comparison of all with all: unlike `searchsorted`, it runs on torch's "meta" device
        return (self.distances < found[:, None]).sum(1)

    def strangeness(self, features: Tensor) -> Tensor:
        """features (N, D) → (N,): the share of the validation pictures that are nearer, 0 to 1.

        Where it is 1 the picture is farther from the training pictures than any of them.
        """
        return self.nearer(features).double() / len(self.distances)

    def packed(self) -> bytes:
        """As a file's content, which `unpacked` reads: the same numbers, bit by bit."""
        return pack({FEATURES: self.features.half(), DISTANCES: self.distances})

    @classmethod
    def unpacked(cls, content: bytes, source: object) -> Self:
        """Raises Failure, naming the source, for what `packed` did not make."""
        tensors = unpack(content, source)
        try:
            features, distances = tensors[FEATURES], tensors[DISTANCES]
        except KeyError as missing:
            raise reading.damaged(source, f"{missing.args[0]} is missing") from None
        whole = features.dtype == torch.half and distances.dtype == torch.float32
        if not (whole and features.ndim == 2 and distances.ndim == 1):
            raise reading.damaged(source, "its features and distances are not of our types")
        if len(features) < 2 or not len(distances) or not features.isfinite().all():
            raise reading.damaged(source, "its features are none, or not finite")
        ascending = bool((distances.diff() >= 0).all())
        if not (ascending and 0 <= float(distances[0]) <= float(distances[-1]) <= 2.01):
            raise reading.damaged(source, "its distances are not those of unit vectors, ascending")
        return cls(features.float(), distances)


def some(n: int, seed: int, *, width: int = 1) -> list[int]:
    """Of n pictures those whose features are kept, at most MOST, in their order.

    width: how many numbers the features of one are; of wide ones fewer pictures are kept.
    """
    most = max(2 * NEIGHBOURS, min(MOST, NUMBERS // width))
    return sorted(draws.order(seed, 0, n, "strangeness")[:most].tolist())


def reference(training: Tensor, validation: Tensor) -> Reference | None:
    """Features (M, D) of training and (V, D) of validation pictures → what others are held against.

    None where there are too few to say anything: no validation pictures, or one training picture.
    Raises Failure for features that are not finite.
    """
    if len(training) < 2 or not len(validation):
        return None
    # rounded as they are kept, so that a model that was saved and loaded says the same
    kept = F.normalize(training.float(), dim=1).half().float()
    distances = _distances(validation, kept).sort().values
    if not (kept.isfinite().all() and distances.isfinite().all()):
        raise Failure("The network's features are not finite.")
    return Reference(kept, distances)


def _distances(features: Tensor, among: Tensor) -> Tensor:
    """(N, D) → (N,): to the NEIGHBOURS-th nearest, or to the last if there are fewer."""
    k = min(NEIGHBOURS, len(among))
    given = F.normalize(features.float(), dim=1)
    # of unit vectors |a − b|² = 2 − 2 a·b
    nearest = (given @ among.T).topk(k, dim=1).values[:, -1]
    return (2 - 2 * nearest).clamp(min=0).sqrt()
