"""The publishers' formats, on small files made here and on the real ones where they are."""

import gzip
import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from hubel.data import cifar, idx, sources
from hubel.data.decoding import load
from hubel.data.samples import manifest
from hubel.data.sources import SOURCES, open_splits
from hubel.mistakes import Failure
from hubel.pixels import PixelSpec


def idx_bytes(array: np.ndarray) -> bytes:
    header = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    return header + array.tobytes()


def write_idx(folder: Path, n: int = 40, *, zipped: bool = True) -> None:
    rng = np.random.default_rng(0)
    for part, count in (("train", n), ("t10k", n // 2)):
        images = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        labels = (np.arange(count) % 10).astype(np.uint8)
        for name, array in (("images-idx3-ubyte", images), ("labels-idx1-ubyte", labels)):
            content = idx_bytes(array)
            path = folder / f"{part}-{name}{'.gz' if zipped else ''}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(gzip.compress(content) if zipped else content)


@pytest.mark.parametrize("zipped", [True, False])
def test_mnist_from_idx_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zipped: bool
) -> None:
    monkeypatch.setenv("HUBEL_HOME", str(tmp_path))
    write_idx(tmp_path / "data" / "mnist", 200, zipped=zipped)
    splits = open_splits("mnist")
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (180, 20, 100)
    assert splits.train.image(0).shape == (28, 28, 1)
    assert np.bincount(splits.validation.labels).tolist() == [2] * 10
    first = np.random.default_rng(0).integers(0, 256, (200, 28, 28), dtype=np.uint8)
    i = int(splits.train.names[5].rpartition("/")[2])
    assert np.array_equal(splits.train.image(5)[..., 0], first[i])
    loaded = load(splits.test, PixelSpec((28, 28), channels=1))
    assert torch.from_numpy(loaded.images).shape == (100, 1, 28, 28)  # without a warning


def test_idx_files_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "images"
    good = idx_bytes(np.zeros((2, 3, 3), np.uint8))
    for content, said in (
        (b"", "no IDX file"),
        (b"\x00\x00\x0d\x03" + good[4:], "no IDX file"),
        (good[:-1], "cut short"),
        (good + b"x", "too long"),
        (good[:9], "cut short"),
        (idx_bytes(np.zeros((2,), np.uint8)), "1 dimensions"),
        (gzip.compress(good)[:-9], "cannot be read"),
        (b"\x1f\x8bjunk", "cannot be read"),
    ):
        path.write_bytes(content)
        with pytest.raises(Failure, match=said) as caught:
            idx.read(path, dimensions=3)
        assert str(path) in str(caught.value)
    path.write_bytes(good)
    assert idx.read(path, dimensions=3).shape == (2, 3, 3)


def test_pipes_and_files_without_end_are_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    for name in ("pipe", "zero"):
        with pytest.raises(Failure, match=f"{name} cannot be read: expected a file"):
            idx.read(tmp_path / name, dimensions=3)
        with pytest.raises(Failure, match=f"{name} cannot be read: expected a file"):
            cifar.samples([tmp_path / name], label_bytes=1, classes=("a", "b"), split="train")
        with pytest.raises(Failure, match=f"{name} cannot be read: expected a file"):
            cifar.class_names(tmp_path / name, 2)


def test_an_idx_file_is_read_no_further_than_its_header_says(tmp_path: Path) -> None:
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(idx_bytes(np.zeros((2, 3, 3), np.uint8)) + bytes(10**8)))
    tracemalloc.start()
    try:
        with pytest.raises(Failure, match="too long"):
            idx.read(path, dimensions=3)
        assert tracemalloc.get_traced_memory()[1] < 10**7
    finally:
        tracemalloc.stop()


def test_idx_labels_that_do_not_fit(tmp_path: Path) -> None:
    (tmp_path / "i").write_bytes(idx_bytes(np.zeros((2, 3, 3), np.uint8)))
    (tmp_path / "l").write_bytes(idx_bytes(np.array([0, 1, 1], np.uint8)))
    with pytest.raises(Failure, match="2 pictures"):
        idx.samples(tmp_path / "i", tmp_path / "l", ("a", "b"), "train")
    (tmp_path / "l").write_bytes(idx_bytes(np.array([0, 9], np.uint8)))
    with pytest.raises(Failure, match="label 9"):
        idx.samples(tmp_path / "i", tmp_path / "l", ("a", "b"), "train")


def write_cifar(folder: Path, files: list[str], *, label_bytes: int, classes: int) -> None:
    rng = np.random.default_rng(1)
    folder.mkdir(parents=True, exist_ok=True)
    for name in files:
        labels = np.zeros((2 * classes, label_bytes), np.uint8)
        labels[:, -1] = np.arange(2 * classes) % classes
        pictures = rng.integers(0, 256, (2 * classes, 3072), dtype=np.uint8)
        (folder / name).write_bytes(np.hstack((labels, pictures)).tobytes())


def test_cifar10_and_100_in_the_binary_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUBEL_HOME", str(tmp_path))
    ten = tmp_path / "data" / "cifar10"
    write_cifar(ten, list(SOURCES["cifar10"].files), label_bytes=1, classes=10)
    splits = open_splits("cifar10")
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (90, 10, 20)
    record = np.frombuffer((ten / "test_batch.bin").read_bytes(), np.uint8)[:3073]
    image = splits.test.image(0)
    assert image.shape == (32, 32, 3)
    for channel in range(3):  # planes of 1,024 bytes, row by row
        plane = record[1 + 1024 * channel : 1 + 1024 * (channel + 1)].reshape(32, 32)
        assert np.array_equal(image[:, :, channel], plane)

    hundred = tmp_path / "data" / "cifar100"
    write_cifar(hundred, ["train.bin", "test.bin"], label_bytes=2, classes=100)
    names = [f"thing {i}" for i in range(100)]
    (hundred / "fine_label_names.txt").write_text("\n".join(names) + "\n")
    splits = open_splits("cifar100", validation=0.5)
    assert splits.train.classes == tuple(names)
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (100, 100, 200)


def test_cifar_files_that_are_none(tmp_path: Path) -> None:
    write_cifar(tmp_path, ["good.bin"], label_bytes=1, classes=10)
    good = (tmp_path / "good.bin").read_bytes()

    def read(path: Path) -> None:
        cifar.samples([path], label_bytes=1, classes=tuple("0123456789"), split="train")

    read(tmp_path / "good.bin")
    for content, said in (
        (good[:-1], "cut short"),
        (b"", "cut short"),
        (b"\x80\x04pickled", "binary version"),
        (b"\xff" + good[1:], "label 255"),
    ):
        (tmp_path / "bad.bin").write_bytes(content)
        with pytest.raises(Failure, match=said):
            read(tmp_path / "bad.bin")
    with pytest.raises(Failure, match=r"none\.bin"):
        read(tmp_path / "none.bin")


@pytest.mark.data("fashion-mnist")
def test_the_real_fashion_mnist() -> None:
    splits = open_splits("fashion-mnist")
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (54000, 6000, 10000)
    assert np.bincount(splits.test.labels).tolist() == [1000] * 10
    assert np.bincount(splits.validation.labels).tolist() == [600] * 10
    assert splits.test.classes[splits.test.labels[0]] == "Ankle boot"  # its well-known first


@pytest.mark.data("stamps")
def test_the_real_stamps() -> None:
    splits = open_splits("stamps")
    total = sum(np.bincount(s.labels) for s in (splits.train, splits.validation, splits.test))
    assert dict(zip(splits.train.classes, total.tolist(), strict=True)) == {
        "bird": 35,
        "mammal": 65,
        "fruit": 26,
        "flower": 25,
        "vegetable": 18,
    }
    assert not any("cartoon" in name for name in splits.train.names)
    assert open_splits("stamps", seed=7).test.names == splits.test.names  # fixed, whatever the seed
    assert open_splits("stamps", seed=7).train.names != splits.train.names


def test_digits_end_with_other_writers() -> None:
    splits = open_splits("digits")
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (1222, 216, 359)
    other = open_splits("digits", seed=5)
    assert [r["digest"] for r in manifest(other)] == [r["digest"] for r in manifest(splits)]
    last = load_digits().images[-1]
    assert np.array_equal(splits.test.image(358)[..., 0], np.rint(last * 255 / 16))


def test_digits_are_scikit_learns(monkeypatch: pytest.MonkeyPatch) -> None:
    bunch = load_digits()
    rows = sources._digits_rows()
    assert np.array_equal(rows, np.column_stack((bunch.data, bunch.target)))
    monkeypatch.setattr(sources, "find_spec", lambda name: None)  # where it keeps them elsewhere
    assert np.array_equal(sources._digits_rows(), rows)


def test_no_sample_is_in_two_splits() -> None:
    for name in ("digits", "stamps"):
        splits = open_splits(name)
        names = [set(s.names) for s in (splits.train, splits.validation, splits.test)]
        assert not (names[0] & names[1])
        if name == "stamps":
            assert not (names[0] & names[2] | names[1] & names[2])
