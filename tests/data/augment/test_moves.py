"""Flips and crops by whole pixels, against the obvious."""

from collections.abc import Callable

import torch

from hubel.data.augment.drawing import Draw
from hubel.data.augment.moves import crop, cut, flip


def test_flip_against_the_obvious(draw: Callable[[int], Draw]) -> None:
    pixels = torch.rand(40, 2, 3, 4)
    of = draw(40)
    expected = torch.stack(
        [x.flip(2) if u < 0.5 else x for x, u in zip(pixels, of("flip"), strict=True)]
    )
    assert torch.equal(flip(pixels, of), expected)


def test_crop_against_the_obvious(draw: Callable[[int], Draw]) -> None:
    pixels = torch.rand(30, 3, 5, 7)
    of = draw(30)
    found = crop(pixels, of, pad=2)
    for i in range(30):
        top, left = (int(of(s)[i] * 5) for s in ("crop down", "crop across"))
        padded = torch.zeros(3, 9, 11)
        padded[:, 2:7, 2:9] = pixels[i]
        assert torch.equal(found[i], padded[:, top : top + 5, left : left + 7])
    assert len({tuple(found[i].flatten().tolist()) for i in range(30)}) == 30


def test_cut_against_the_obvious(draw: Callable[[int], Draw]) -> None:
    pixels = torch.rand(30, 3, 5, 7)
    of = draw(30)
    found = cut(pixels, of, by=2)
    for i in range(30):
        top, left = (int(of(s)[i] * 3) for s in ("crop down", "crop across"))
        assert torch.equal(found[i], pixels[i, :, top : top + 3, left : left + 5])
    assert torch.equal(cut(pixels, of, by=0), pixels)
