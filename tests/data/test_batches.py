"""Batches: every picture once an epoch, pure draws, exact resumes."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hubel.data.augment.compose import augmentation
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
    augment = augmentation({"flip": 1, "crop": 1, "rotate": 10, "scale": 0.1, "shift": 0.5})
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
