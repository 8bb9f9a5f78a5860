"""Randomness without state: every draw is a pure function of (seed, epoch, sample index, stream).

Nothing has to be saved to resume in the middle of an epoch, and what happens to sample i does not
depend on the batch it is in, on the number of workers, or on the device. The generator is a counter
run through SplitMix64's finaliser (Steele, Lea & Flood 2014, "Fast splittable pseudorandom number
generators", section 5): 60,000 draws take milliseconds, where one torch generator per sample would
take a second.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def _mixed(z: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's finaliser: every bit of the input changes half of the bits of the output."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def integer(seed: int, *words: int | str) -> int:
    """A 63-bit integer from a seed and the words that say what it is for: seeds of generators.

    >>> integer(0, "dropout", 7) == integer(0, "dropout", 7) != integer(0, "dropout", 8)
    True
    """
    text = "\x1f".join(str(word) for word in (seed, *words))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def bits(
    seed: int, epoch: int, indices: Sequence[int] | NDArray[np.integer], stream: str
) -> NDArray[np.uint64]:
    """One 64-bit word for each index, of shape (len(indices),)."""
    key = np.uint64(integer(seed, epoch, stream))
    counter = np.asarray(indices, dtype=np.int64).astype(np.uint64)
    return _mixed(_mixed(counter * _GOLDEN + key) + key)


def uniform(
    seed: int, epoch: int, indices: Sequence[int] | NDArray[np.integer], stream: str
) -> NDArray[np.float64]:
    """One number in [0, 1) for each index; streams ("flip", "crop across", …) are independent.

    >>> a = uniform(0, 3, [5, 9], "flip")
    >>> bool(a[1] == uniform(0, 3, [9], "flip")[0])  # no matter in what company
    True
    """
    return (bits(seed, epoch, indices, stream) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def order(seed: int, epoch: int, n: int, stream: str = "order") -> NDArray[np.int64]:
    """A permutation of 0 … n − 1: the order in which an epoch visits its samples."""
    return np.argsort(bits(seed, epoch, np.arange(n), stream), kind="stable")
