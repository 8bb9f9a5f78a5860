"""Convolutions of 3×3 with fewer multiplications: Winograd's minimal filtering.

A tile of m outputs along a side sees m + 2 inputs. As values of polynomials at m + 2 points, filter
and inputs are multiplied number by number: m + 2 products instead of 3 · m, and both sides of a map
together (6 / 12)², a quarter, for m = 4. Lavin & Gray 2016, "Fast algorithms for convolutional
neural networks", section 4; the points, which decide how much is lost by rounding, after Barabasz
et al. 2020, "Error analysis and improving the accuracy of Winograd convolution for deep neural
networks". Here tiles may be oblong, m to fit each side of a box.
"""

from collections.abc import Sequence
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

POINTS = (0.0, 0.5**0.5, -(0.5**0.5), 2**0.5, -(2**0.5))  # the first m + 1, and infinity
TILES = (4, 3, 2)  # m
CHANNELS = 256  # on both sides at least: with fewer the transforms cost more than they save
PLACES = 400  # of all pictures' outputs at least, for which filters are transformed once
CACHE = 12 << 20  # bytes of tiles at a time


def convolution(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
) -> Tensor:
    """aten's convolution, by tiles where that is faster, and equal to it but for rounding."""
    plain = not transposed and groups == 1 and {*stride, *dilation} == {1}
    if plain and _suits(x, weight) and len(x) * _places(x, padding) >= PLACES:
        return by_tiles(x, weight, bias, padding)
    return torch.convolution(
        x, weight, bias, stride, padding, dilation, transposed, output_padding, groups
    )


def _suits(x: Tensor, weight: Tensor) -> bool:
    return (
        weight.shape[2:] == (3, 3)
        and min(weight.shape[:2]) >= CHANNELS
        and x.dtype == torch.float32
        and x.device.type == "cpu"  # cuDNN has tiles of its own
    )


def _places(x: Tensor, padding: Sequence[int]) -> int:
    return (x.shape[2] + 2 * padding[0] - 2) * (x.shape[3] + 2 * padding[-1] - 2)


def by_tiles(x: Tensor, weight: Tensor, bias: Tensor | None, padding: Sequence[int]) -> Tensor:
    """(N, C, H, W) and (K, C, 3, 3) → (N, K, H + 2 · padding − 2, …), channels-last in memory."""
    top, left = padding[0], padding[-1]
    height, width = x.shape[2] + 2 * top - 2, x.shape[3] + 2 * left - 2
    m, n = _tile(height), _tile(width)
    down, across = -(-height // m), -(-width // n)
    bottom, right = down * m + 2 - x.shape[2] - top, across * n + 2 - x.shape[3] - left
    if any((top, left, bottom, right)):
        x = F.pad(x, (left, right, top, bottom))
    maps, channels = weight.shape[:2]
    filters = _kronecker(m, n, 1) @ weight.permute(2, 3, 0, 1).reshape(9, -1)
    filters = filters.view(-1, maps, channels).transpose(1, 2)
    result = x.new_empty(len(x), height, width, maps)
    one = 4 * len(filters) * down * across * max(maps, channels)  # bytes of a picture's tiles
    most = max(1, CACHE // one)
    for i in range(0, len(x), most):
        tiles = _filtered(x[i : i + most], filters, m, n, down, across)[:, :height, :width]
        out = result[i : i + most]
        if bias is None:
            out.copy_(tiles)
        else:
            torch.add(tiles, bias, out=out)
    return result.permute(0, 3, 1, 2)


def _filtered(x: Tensor, filters: Tensor, m: int, n: int, down: int, across: int) -> Tensor:
    """Of padded pictures, down × across tiles: (N, down · m, across · n, maps)."""
    products, channels, maps = filters.shape
    each, channel, row, column = x.stride()
    overlapping = x.as_strided(
        (m + 2, n + 2, len(x), down, across, channels),
        (row, column, each, m * row, n * column, channel),
    )
    inputs = _kronecker(m, n, 0) @ overlapping.reshape(products, -1)
    found = torch.bmm(inputs.view(products, -1, channels), filters)
    outputs = _kronecker(m, n, 2) @ found.view(products, -1)
    outputs = outputs.view(m, n, len(x), down, across, maps).permute(2, 3, 0, 4, 1, 5)
    return outputs.reshape(len(x), down * m, across * n, maps)


def _tile(side: int) -> int:
    """m for the fewest products along a side, the last tile's surplus among them."""
    return min(TILES, key=lambda m: -(-side // m) * (m + 2))


@cache
def _kronecker(m: int, n: int, which: int) -> Tensor:
    """For both sides at once: which of the inputs' (0), the filter's, the outputs' matrices."""
    return torch.kron(_matrices(m)[which], _matrices(n)[which]).float()


def _matrices(m: int) -> tuple[Tensor, Tensor, Tensor]:
    """Along one side: (m + 2, m + 2) for inputs, (m + 2, 3) for filters, (m, m + 2) for outputs.

    Outputs are the transpose of a product of polynomials, with 3 and m coefficients, which is
    found from its values at m + 2 points.
    """
    return torch.linalg.inv(_powers(m, m + 2)).T, _powers(m, 3), _powers(m, m).T


def _powers(m: int, count: int) -> Tensor:
    """(m + 2, count): a polynomial's values from its coefficients, at infinity the highest one."""
    points = torch.tensor(POINTS[: m + 1], dtype=torch.float64)
    infinity = F.one_hot(torch.tensor([count - 1]), count).double()
    return torch.cat((points[:, None] ** torch.arange(count), infinity))
