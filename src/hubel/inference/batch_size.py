"""The batch size that answers fastest, found on the work itself and remembered for the machine.

Large batches use the processor better until a layer's maps no longer fit its cache; where that
turns depends on machine, threads and network. So the first batches of a long job are cut in rising
sizes and timed, the rest goes in the best size, and the next job of the kind begins with it.
"""

import hashlib
import json
import math
import platform
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from hubel import atomic, entrance, reading
from hubel.home import home
from hubel.mistakes import Failure

SIZES = (4, 16, 64, 256, 1024)
INPUT_BYTES = 2**26  # of float32 pixels in one batch, at most: a network's maps are many times that
TRIALS = 2  # batches of each size; the first of a size also pays for setting its kernels up
WORSE = 1.2  # past this ratio to the best, still larger sizes are not tried


class BatchSize:
    """Says how many pictures the next batch should hold, and hears how long batches took.

    best: the size that was given, or the fastest so far.
    """

    def __init__(self, picture: Sequence[int], known: int | None = None) -> None:
        """picture: the shape of one. known: a size that is settled already."""
        each = 4 * max(1, math.prod(picture))
        fitting = [size for size in SIZES if size * each <= INPUT_BYTES] or [1]
        self._trials = [] if known else [size for size in fitting for _ in range(TRIALS)]
        self._seconds: dict[int, float] = {}  # a picture's, the least of the trials, by batch size
        self.best = known or fitting[0]

    @property
    def next(self) -> int:
        return self._trials[0] if self._trials else self.best

    @property
    def settling(self) -> bool:
        return bool(self._trials)

    def took(self, pictures: int, seconds: float) -> bool:
        """A batch was answered; whether this settled the size.

        A batch that the end of the data cut short tells nothing.
        """
        if not self._trials or pictures != self._trials[0]:
            return False
        size = self._trials.pop(0)
        self._seconds[size] = min(seconds / pictures, self._seconds.get(size, math.inf))
        self.best = min(self._seconds, key=lambda tried: self._seconds[tried])
        done_with = size not in self._trials
        if done_with and self._seconds[size] > WORSE * self._seconds[self.best]:
            self._trials.clear()
        return not self._trials


def recall(kind: str) -> int | None:
    """The size that was settled before for this kind of job, None if there is none."""
    size = _table().get(kind)
    return size if size is not None and 1 <= size <= max(SIZES) else None


def remember(kind: str, size: int) -> None:
    """Keep the size for the next job of the kind; where nothing can be kept, nothing is."""
    try:
        atomic.write(_path(), json.dumps(_table() | {kind: size}, indent=1).encode())
    except (Failure, OSError):
        return


def kind(network: nn.Module, picture: Sequence[int], device: torch.device) -> str:
    """A key for what decides the best size: network, picture, device, threads, versions."""
    layers = [(type(part).__name__, part.extra_repr()) for part in network.modules()]
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    facts = (torch.__version__, where, torch.get_num_threads(), entrance.allocator())
    text = json.dumps([layers, list(picture), device.type, *facts])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _table() -> dict[str, int]:
    try:
        return reading.record(_path(), dict[str, int])
    except Failure:  # not there yet, not readable, or damaged: measured anew
        return {}


def _path() -> Path:
    return home() / "batch-sizes.json"
