"""Batches and augmentation: pure draws, exact resumes, each effect against an obvious one."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hubel import draws
from hubel.data.augment import affine, augmentation, crop, flip
from hubel.data.batches import Batches
from hubel.mistakes import Failure, Mistake


def make(n: int, batch_size: int, **settings: object) -> Batches:
    images = torch.arange(n * 2, dtype=torch.uint8).view(n, 1, 1, 2)
    return Batches(images, torch.arange(n), batch_size=batch_size, seed=3, **settings)  # type: ignore[arg-type]


@given(st.integers(1, 60), st.integers(1, 70), st.integers(0, 3))
def test_an_epoch_sees_every_picture_once(n: int, batch_size: int, epoch: int) -> None:
    batches = make(n, batch_size)
    seen = [labels for _, labels in batches.epoch(epoch)]
    assert len(seen) == len(batches)
    assert sorted(torch.cat(seen).tolist()) == list(range(n))
    sizes = [len(labels) for labels in seen]
    assert all(size == batch_size for size in sizes[:-1] or sizes[:0])
    if batch_size > 1 and n > 1:
        assert min(sizes) > 1  # batch normalisation needs two


def test_full_batch_and_single_samples() -> None:
    assert len(make(10, 10)) == len(make(10, 99)) == 1
    assert len(make(10, 1)) == 10


def test_pixels_are_in_the_unit_interval_and_labels_belong_to_them() -> None:
    for pixels, labels in make(9, 4).epoch(0):
        assert pixels.dtype == torch.float32
        assert torch.equal((pixels[:, 0, 0, 0] * 255).round().long(), 2 * labels)


def test_any_start_gives_exactly_the_rest() -> None:
    augment = augmentation(flip=True, crop=1, rotate=10, scale=0.1, shift=0.5)
    images = torch.randint(0, 256, (23, 3, 6, 6), dtype=torch.uint8)
    batches = Batches(images, torch.arange(23), batch_size=5, seed=1, augment=augment)
    whole = list(batches.epoch(4))
    for start in range(len(batches) + 1):
        rest = list(batches.epoch(4, start=start))
        assert len(rest) == len(whole) - start
        for (a, b), (c, d) in zip(whole[start:], rest, strict=True):
            assert torch.equal(a, c)
            assert torch.equal(b, d)


def test_epochs_have_different_orders() -> None:
    batches = make(50, 50)
    (_, a), (_, b) = next(batches.epoch(0)), next(batches.epoch(1))
    assert a.tolist() != b.tolist()


def test_channels_last() -> None:
    batches = Batches(
        torch.zeros(4, 3, 5, 5, dtype=torch.uint8), torch.zeros(4).long(), batch_size=2, seed=0,
        channels_last=True,
    )  # fmt: skip
    assert all(p.is_contiguous(memory_format=torch.channels_last) for p, _ in batches.epoch(0))


def test_mistakes() -> None:
    with pytest.raises(Mistake, match="not 0"):
        make(5, 0)
    with pytest.raises(Failure, match="no pictures"):
        make(0, 5)


def drawn(indices: list[int], seed: int = 2, epoch: int = 1):  # type: ignore[no-untyped-def]
    return lambda stream: torch.from_numpy(draws.uniform(seed, epoch, indices, stream))


def test_flip_against_the_obvious() -> None:
    pixels = torch.rand(40, 2, 3, 4)
    draw = drawn(list(range(40)))
    expected = torch.stack(
        [x.flip(2) if u < 0.5 else x for x, u in zip(pixels, draw("flip"), strict=True)]
    )
    assert torch.equal(flip(pixels, draw), expected)


def test_crop_against_the_obvious() -> None:
    pixels = torch.rand(30, 3, 5, 7)
    draw = drawn(list(range(30)))
    found = crop(pixels, draw, pad=2)
    for i in range(30):
        top, left = (int(draw(s)[i] * 5) for s in ("crop down", "crop across"))
        padded = torch.zeros(3, 9, 11)
        padded[:, 2:7, 2:9] = pixels[i]
        assert torch.equal(found[i], padded[:, top : top + 5, left : left + 7])
    assert len({tuple(found[i].flatten().tolist()) for i in range(30)}) == 30


def slow_affine(image: torch.Tensor, to_source: np.ndarray) -> torch.Tensor:
    """Each output pixel looked up where it came from, by bilinear interpolation, in pixels."""
    height, width = image.shape[1:]
    result = torch.zeros_like(image)
    for row in range(height):
        for column in range(width):
            centred = (column + 0.5 - width / 2, row + 0.5 - height / 2, 1.0)
            x, y = to_source @ centred + (width / 2 - 0.5, height / 2 - 0.5)
            left, top = math.floor(x), math.floor(y)
            for j, i in ((top, left), (top, left + 1), (top + 1, left), (top + 1, left + 1)):
                share = (1 - abs(x - i)) * (1 - abs(y - j))
                if 0 <= i < width and 0 <= j < height:
                    result[:, row, column] += share * image[:, j, i]
    return result


def test_affine_against_the_obvious() -> None:
    pixels = torch.rand(6, 2, 7, 9, dtype=torch.float64)
    draw = drawn(list(range(6)))
    found = affine(pixels, draw, degrees=30, scale=0.2, shift=1.5)
    for i in range(6):

        def around(stream: str, bound: float, i: int = i) -> float:
            return float((draw(stream)[i] * 2 - 1) * bound)

        angle = around("turn", math.radians(30))
        wide, high = 1 + around("widen", 0.2), 1 + around("heighten", 0.2)
        to_source = np.array(
            [
                [math.cos(angle) * wide, -math.sin(angle) * high, around("shift across", 1.5)],
                [math.sin(angle) * wide, math.cos(angle) * high, around("shift down", 1.5)],
            ]
        )
        assert torch.allclose(found[i], slow_affine(pixels[i], to_source), rtol=0, atol=1e-10)


def test_affine_of_nothing_is_nothing() -> None:
    pixels = torch.rand(3, 1, 8, 8)
    assert torch.allclose(affine(pixels, drawn([0, 1, 2])), pixels, atol=1e-6)
    assert augmentation() is None


@settings(max_examples=20)
@given(st.lists(st.integers(0, 500), min_size=1, max_size=8, unique=True))
def test_a_sample_does_not_mind_its_company(indices: list[int]) -> None:
    augment = augmentation(flip=True, crop=2, rotate=15, scale=0.2, shift=1)
    assert augment is not None
    generator = torch.Generator().manual_seed(0)
    everything = torch.rand(501, 1, 6, 6, generator=generator)
    together = augment(everything[indices], np.array(indices), 9, 4)
    alone = torch.cat([augment(everything[i : i + 1], np.array([i]), 9, 4) for i in indices])
    assert torch.allclose(together, alone, rtol=0, atol=1e-6)
    assert together.shape == (len(indices), 1, 6, 6)
    assert float(together.min()) >= 0
    assert float(together.max()) <= 1


def test_an_empty_batch() -> None:
    augment = augmentation(flip=True, crop=1, rotate=5)
    assert augment is not None
    empty = augment(torch.empty(0, 3, 8, 8), np.array([], np.int64), 0, 0)
    assert empty.shape == (0, 3, 8, 8)
