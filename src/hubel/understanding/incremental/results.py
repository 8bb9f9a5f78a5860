"""Results by position, as groups of positions come in."""

import math

import torch
from torch import Tensor

from hubel.understanding.incremental.engine import Incremental
from hubel.understanding.incremental.plan import Group

MEMORY = 128 << 20  # bytes that a tensor may take while it waits, or in the tail


class Results:
    """A network's results by position, each (rows, columns, …), on the processor.

    The tail is computed for many groups at once: every group alone would read all the weights of
    the linear layers for a few rows.
    """

    def __init__(self, engine: Incremental, rows: int, columns: int) -> None:
        self.engine, self.columns = engine, columns
        steps = engine.steps
        self.found = [
            torch.empty(rows * columns, *steps[i].shape[1:], dtype=torch.float32)
            for i in engine.results
        ]
        self.shape = rows, columns
        sizes = [math.prod(steps[i].shape) for i in (*engine.joints, *engine.tail)]
        self.most = MEMORY // (4 * max(sizes))
        self.places: list[Tensor] = []
        self.waiting: list[list[Tensor]] = []

    def add(self, group: Group, joints: list[Tensor]) -> None:
        """What the engine has computed for a group."""
        if sum(map(len, self.places)) + group.count > self.most:
            self._finish()
        rows, columns = torch.tensor(group.rows)[:, None], torch.tensor(group.columns)
        self.places.append((rows * self.columns + columns).flatten())
        self.waiting.append(joints)

    def all(self) -> list[Tensor]:
        """The results, once every group has come in."""
        self._finish()
        return [whole.view(*self.shape, *whole.shape[1:]) for whole in self.found]

    def _finish(self) -> None:
        if self.waiting:
            joints = [torch.cat(parts) for parts in zip(*self.waiting, strict=True)]
            places = torch.cat(self.places)
            for whole, part in zip(self.found, self.engine.finish(joints), strict=True):
                whole[places] = part.cpu()
        self.places, self.waiting = [], []
