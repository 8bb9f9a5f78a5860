"""All pictures of a split at one size: threads, processes and the obvious loop agree."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from hubel import entrance
from hubel.data.batches import Batches
from hubel.data.decoding import load
from hubel.data.folder import whole
from hubel.data.samples import Arrays
from hubel.mistakes import Failure
from hubel.pixels import PixelSpec, decode, fit


@pytest.mark.parametrize("workers", [0, 2])
def test_files_against_the_obvious_loop(folder: Path, workers: int) -> None:
    spec = PixelSpec((9, 7), channels=1)
    samples = whole(folder)
    told: list[tuple[int, int]] = []
    loaded = load(
        samples, spec, workers=workers, progress=lambda done, total: told.append((done, total))
    )
    for i, path in enumerate(samples.paths):
        expected = fit(decode(path, channels=1), spec)
        assert np.array_equal(loaded.images[i], expected.transpose(2, 0, 1))
    assert loaded.images.shape == (30, 1, 9, 7)
    assert loaded.names == tuple(samples.names)
    assert told == [(i, 30) for i in range(1, 31)]


def test_arrays_of_the_right_size_are_only_transposed() -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 4, 6, 3), dtype=np.uint8)
    samples = Arrays(images, np.zeros(5, np.int64), ("a", "b"), list("pqrst"))
    loaded = load(samples, PixelSpec((4, 6)))
    assert np.array_equal(loaded.images, images.transpose(0, 3, 1, 2))
    resized = load(samples, PixelSpec((8, 8), channels=1))
    assert resized.images.shape == (5, 1, 8, 8)


def test_a_crop_is_cut_from_pictures_of_the_right_size_too() -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), dtype=np.uint8)
    samples = Arrays(images, np.zeros(3, np.int64), ("a", "b"), list("pqr"))
    spec = PixelSpec((8, 8), crop_fraction=0.5)
    expected = [fit(image, spec).transpose(2, 0, 1) for image in images]
    assert np.array_equal(load(samples, spec).images, expected)
    assert not np.array_equal(expected, images.transpose(0, 3, 1, 2))


def test_unreadable_pictures_are_left_out_by_name(folder: Path) -> None:
    (folder / "dark" / "3.png").write_bytes(b"junk")
    (folder / "grey" / "4.png").unlink()
    samples = whole(folder)
    (folder / "grey" / "5.png").unlink()  # vanishes between listing and decoding
    loaded = load(samples, PixelSpec((8, 8)), max_unreadable=0.1)
    assert dict(loaded.unreadable).keys() == {"dark/3.png", "grey/5.png"}
    assert dict(loaded.unreadable)["grey/5.png"] == "there is no such file"
    assert len(loaded.labels) == len(loaded.images) == 27
    assert "dark/3.png" not in loaded.names
    with pytest.raises(Failure, match=r"2 of 29 .* more than 5 %"):
        load(samples, PixelSpec((8, 8)), max_unreadable=0.05)


def test_a_class_without_one_readable_picture_is_named(folder: Path) -> None:
    for path in (folder / "light").iterdir():
        path.write_bytes(b"junk")
    with pytest.raises(Failure, match="No picture of light"):
        load(whole(folder), PixelSpec((8, 8)), max_unreadable=0.9)


def test_more_than_memory_goes_into_a_mapped_file(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = PixelSpec((9, 7), channels=3)
    (folder / "dark" / "0.png").write_bytes(b"no picture")
    expected = load(whole(folder), spec)
    monkeypatch.setenv("HUBEL_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(entrance, "usable_memory", lambda: 1000)
    mapped = load(whole(folder), spec)
    assert isinstance(mapped.images, np.memmap)
    assert np.array_equal(mapped.images, expected.images)
    assert mapped.names == expected.names
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["pictures"]
    batch, _ = next(
        Batches(
            torch.from_numpy(mapped.images), torch.from_numpy(mapped.labels), batch_size=29, seed=0
        ).epoch(0)
    )
    assert batch.sum() == pytest.approx(expected.images.sum() / 255, rel=1e-5)


def test_no_room_on_the_disk_either(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setenv("HUBEL_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(entrance, "usable_memory", lambda: 1000)
    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(Failure, match=r"more than fits in memory.*No space left.*HUBEL_HOME"):
        load(whole(folder), PixelSpec((9, 7), channels=3))


def test_each_hears_of_the_readable_pictures_in_order(folder: Path) -> None:
    (folder / "grey" / "3.png").write_bytes(b"no picture")
    heard: list[np.ndarray] = []
    loaded = load(whole(folder), PixelSpec((9, 7), channels=3), each=heard.append)
    assert np.array_equal(np.concatenate(heard), loaded.images)
    assert len(loaded.images) == 29
    arrays = Arrays(np.zeros((2, 8, 8, 1), np.uint8), np.array([0, 1]), ("a", "b"), ["x", "y"])
    heard.clear()
    load(arrays, PixelSpec((8, 8), channels=1), each=heard.append)
    assert sum(map(len, heard)) == 2
