"""Pictures that are there more than once: mirrored, cropped a little, resized, recompressed.

First every picture is compared coarsely, as 8×8 squares, with every window of every other and
of its mirror image; then the few that come near are aligned and compared in detail (`alignment`).
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from hubel.data.alignment import SIDE, align
from hubel.pixels import PixelSpec

COARSE = 8
KEPT = 0.85  # of a side, in the windows that are tried beside the whole
OFFSETS = (0.0, 0.5, 1.0)
NEAR = 0.50  # coarse correlation of a pair that is looked at closely
CLOSEST = 8  # others that a picture is compared with in detail, at most
BLANK = 2 / 255  # deviation of the luma: less is nothing to compare
_BLOCK = 256


@dataclass(frozen=True)
class Pair:
    """Pictures i < j that are one: likeness of their detail, 1 where they are equal."""

    first: int
    second: int
    likeness: float
    mirrored: bool = False
    equal: bool = False


SQUARE = PixelSpec((2 * SIDE, 2 * SIDE), resize="squash")  # what pictures are compared at


def copies(
    images: NDArray[np.uint8], *, progress: Callable[[int, int], None] | None = None
) -> list[Pair]:
    """The pairs among uint8 pictures (N, 3, H, W) of SQUARE: equal ones, and near duplicates.

    Of many equal pictures each is paired with the first. Every picture is compared in detail with
    its CLOSEST others at most, so that many versions of one are a chain and not all its pairs.
    Blank pictures (one colour all over) are paired with equal ones alone.
    """
    first: dict[bytes, int] = {}
    pairs: list[Pair] = []
    for i, image in enumerate(images):
        there = first.setdefault(hashlib.sha256(image.tobytes()).digest(), i)
        if there != i:
            pairs.append(Pair(there, i, 1.0, equal=True))
    one = np.fromiter(first.values(), np.int64)
    for pair in near_duplicates(luma(images[one]), progress=progress):
        i, j = int(one[pair.first]), int(one[pair.second])
        pairs.append(replace(pair, first=i, second=j))
    return sorted(pairs, key=lambda pair: (pair.first, pair.second))


def blank(images: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Indices of the pictures (N, C, H, W) that are of one colour all over."""
    return np.flatnonzero([image.std((1, 2)).max() <= 255 * BLANK for image in images])


def luma(images: NDArray[np.uint8]) -> Tensor:
    """uint8 (N, C, H, W) → float32 (N, SIDE, SIDE) in [0, 1], stretched to a square."""
    parts = [torch.zeros(0, SIDE, SIDE)]
    weights = torch.tensor([0.299, 0.587, 0.114] if images.shape[1] == 3 else [1.0])
    for start in range(0, len(images), _BLOCK):
        pixels = torch.from_numpy(np.ascontiguousarray(images[start : start + _BLOCK])).float()
        grey = torch.einsum("nchw,c->nhw", pixels / 255, weights)[:, None]
        small = F.interpolate(grey, (SIDE, SIDE), mode="bilinear", antialias=True)
        parts.append(small[:, 0])
    return torch.cat(parts)


def near_duplicates(
    pictures: Tensor,
    *,
    progress: Callable[[int, int], None] | None = None,
    batch: int = 128,
) -> list[Pair]:
    """The pairs among luma squares (N, SIDE, SIDE), see `luma`; blank pictures pair with none."""
    if len(pictures) < 2:
        return []
    shown = torch.nonzero(pictures.flatten(1).std(1) > BLANK)[:, 0]
    if len(shown) < 2:
        return []
    found: dict[tuple[int, int], Pair] = {}
    candidates = list(_candidates(pictures[shown], progress))
    for start in range(0, len(candidates), batch):
        rows = candidates[start : start + batch]
        i, j, view = (torch.tensor(column) for column in zip(*rows, strict=True))
        source = pictures[shown[j]]
        mirrored = view >= len(_windows())
        source = torch.where(mirrored[:, None, None], source.flip(2), source)
        likeness, one, _ = align(source, pictures[shown[i]], _starts(view % len(_windows())))
        columns = (shown[i][one], shown[j][one], likeness[one], mirrored[one])
        for a, b, like, flipped in zip(*(column.tolist() for column in columns), strict=True):
            key = (min(a, b), max(a, b))
            if key not in found or found[key].likeness < like:
                found[key] = Pair(*key, min(like, 1.0), flipped)
    return [found[key] for key in sorted(found)]


def groups(n: int, pairs: Sequence[Pair]) -> NDArray[np.int64]:
    """(N,) the number of each picture's group, which is that of its first member."""
    parent = np.arange(n)

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = int(parent[i])
        return i

    for pair in pairs:
        a, b = sorted((root(pair.first), root(pair.second)))
        parent[b] = a
    return np.array([root(i) for i in range(n)], np.int64)


def _windows() -> list[tuple[float, float, float, float]]:
    """(scale across, move across, scale down, move down): the whole, and parts of it."""
    free = 1 - KEPT
    sides = [(1.0, 0.0), *((KEPT, free * (2 * offset - 1)) for offset in OFFSETS)]
    return [(sx, tx, sy, ty) for sx, tx in sides for sy, ty in sides]


def _starts(window: Tensor) -> Tensor:
    return torch.tensor(_windows())[window]


def _squares(pictures: Tensor, windows: Sequence[tuple[float, float, float, float]]) -> Tensor:
    """(N, W, COARSE²): each window of each picture, coarse, of mean 0 and norm 1."""
    half = F.interpolate(pictures[:, None], (2 * COARSE, 2 * COARSE), mode="area")
    found = []
    for sx, tx, sy, ty in windows:
        theta = torch.tensor([[sx, 0.0, tx], [0.0, sy, ty]]).expand(len(half), -1, -1)
        grid = F.affine_grid(theta, [len(half), 1, 2 * COARSE, 2 * COARSE], align_corners=False)
        seen = F.grid_sample(half, grid, padding_mode="border", align_corners=False)
        small = F.avg_pool2d(seen, 2).flatten(1)
        small = small - small.mean(1, keepdim=True)
        found.append(F.normalize(small, dim=1))
    return torch.stack(found, 1)


def _candidates(
    pictures: Tensor, progress: Callable[[int, int], None] | None
) -> Iterator[tuple[int, int, int]]:
    """(i, j, view): picture i looks much like view number `view` of picture j.

    Views are the windows of j, and then those of its mirror image.
    """
    n, windows = len(pictures), _windows()
    whole = torch.cat([
        _squares(part, [windows[0]])[:, 0] for part in torch.split(pictures, _BLOCK)
    ])  # fmt: skip
    best = torch.full((n, CLOSEST), -1.0)
    who = torch.zeros(n, CLOSEST, dtype=torch.long)
    for start in range(0, n, _BLOCK):
        theirs = pictures[start : start + _BLOCK]
        views = torch.cat((_squares(theirs, windows), _squares(theirs.flip(2), windows)), 1)
        count = views.shape[1]
        flat = views.flatten(0, 1).T
        for low in range(0, n, 4 * _BLOCK):
            rows = slice(low, low + 4 * _BLOCK)
            score, view = (whole[rows] @ flat).view(-1, len(theirs), count).max(2)
            there = torch.arange(start, start + len(theirs))
            score[torch.arange(low, low + len(score))[:, None] == there] = -1.0
            number = there * count + view
            merged = torch.cat((best[rows], score), 1)
            best[rows], place = merged.topk(CLOSEST, dim=1)
            who[rows] = torch.cat((who[rows], number), 1).gather(1, place)
        if progress is not None:
            progress(min(start + _BLOCK, n), n)
    for i, place in torch.nonzero(best >= NEAR).tolist():
        j, seen = divmod(int(who[i, place]), 2 * len(windows))
        yield i, j, seen
