"""Boxes of maps, one for each of several positions, and windows that are cut around them.

Maps lie as rows, one place after another with all its channels, so that a window is gathered by
the numbers of its rows; two rows more are the padding, of zeros and of −∞.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor


@dataclass(frozen=True)
class Extent:
    """Where boxes stand: R tops and K lefts, R·K boxes of height × width, row by row."""

    tops: Tensor
    lefts: Tensor
    height: int
    width: int

    @property
    def count(self) -> int:
        return len(self.tops) * len(self.lefts)

    def same(self, other: "Extent") -> bool:
        return (
            (self.height, self.width) == (other.height, other.width)
            and torch.equal(self.tops, other.tops)
            and torch.equal(self.lefts, other.lefts)
        )


@dataclass(frozen=True)
class Boxes:
    """What stands in the boxes: (R·K, C, height, width), channels-last in memory."""

    data: Tensor
    extent: Extent


class Clean:
    """A result for the clean picture, (1, …); of a map also its rows."""

    def __init__(self, values: Tensor) -> None:
        self.values = values
        self.channels = values.shape[1]
        self.height, self.width = values.shape[2:] if values.ndim == 4 else (1, 1)

    @cached_property
    def rows(self) -> Tensor:
        """(H·W + 2, C): the places row by row, then zeros, then −∞."""
        places = self.values.permute(0, 2, 3, 1).reshape(-1, self.channels)
        border = places.new_tensor([[0.0], [-math.inf]]).expand(2, self.channels)
        return torch.cat((places, border))

    def window(self, boxes: Boxes, extent: Extent, border: float = 0.0) -> Tensor:
        """Windows (R·K, C, height, width) of the map in which the boxes have been put.

        extent: where the windows stand, beyond the map as well, where the border's value is.
        """
        inner = boxes.extent
        if inner.same(extent):
            return boxes.data
        device = self.values.device
        down = extent.tops[:, None] + torch.arange(extent.height, device=device)  # (R, height)
        across = extent.lefts[:, None] + torch.arange(extent.width, device=device)  # (K, width)
        index = (down * self.width)[:, None, :, None] + across[None, :, None, :]
        outside_down = (down < 0) | (down >= self.height)
        outside_across = (across < 0) | (across >= self.width)
        if outside_down.any() or outside_across.any():
            row = self.height * self.width + (border != 0)
            outside = outside_down[:, None, :, None] | outside_across[None, :, None, :]
            index = index.masked_fill(outside, row)
        found = self.rows.index_select(0, index.reshape(-1))
        self._put(found, boxes, extent)
        return found.view(
            extent.count, extent.height, extent.width, self.channels
        ).permute(0, 3, 1, 2)  # fmt: skip

    def _put(self, windows: Tensor, boxes: Boxes, extent: Extent) -> None:
        """Copy the boxes into windows' rows, as far as they lie inside."""
        inner, device = boxes.extent, windows.device
        rows = boxes.data.permute(0, 2, 3, 1).reshape(-1, self.channels)
        down = inner.tops[:, None] + torch.arange(inner.height, device=device)
        down = down - extent.tops[:, None]  # (R, h) in the window
        across = inner.lefts[:, None] + torch.arange(inner.width, device=device)
        across = across - extent.lefts[:, None]
        each = torch.arange(extent.count, device=device).view(len(down), len(across), 1, 1)
        index = each * (extent.height * extent.width) + (
            (down * extent.width)[:, None, :, None] + across[None, :, None, :]
        )
        inside_down = (down >= 0) & (down < extent.height)
        inside_across = (across >= 0) & (across < extent.width)
        if inside_down.all() and inside_across.all():
            windows.index_copy_(0, index.reshape(-1), rows)
            return
        inside = (inside_down[:, None, :, None] & inside_across[None, :, None, :]).reshape(-1)
        chosen = inside.nonzero()[:, 0]
        windows.index_copy_(0, index.reshape(-1)[chosen], rows.index_select(0, chosen))

    def whole(self, boxes: Boxes) -> Tensor:
        """The map for each position, (R·K, C, H, W), with its box put into it."""
        inner = boxes.extent
        start = torch.zeros_like(inner.tops), torch.zeros_like(inner.lefts)
        return self.window(boxes, Extent(*start, self.height, self.width))

    def under(self, extent: Extent) -> Tensor:
        """What the clean map has where the boxes stand: (R·K, C, height, width)."""
        device = self.values.device
        down = extent.tops[:, None] + torch.arange(extent.height, device=device)
        across = extent.lefts[:, None] + torch.arange(extent.width, device=device)
        index = (down * self.width)[:, None, :, None] + across[None, :, None, :]
        found = self.rows.index_select(0, index.reshape(-1))
        return found.view(
            extent.count, extent.height, extent.width, self.channels
        ).permute(0, 3, 1, 2)  # fmt: skip
