"""Splits: stratified, seeded, recorded; what changed is said."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conftest import paint

from hubel.data.samples import Arrays, Files, Splits, differences, manifest, stratified
from hubel.data.sources import open_splits
from hubel.mistakes import Failure, Mistake


@given(
    st.lists(st.integers(8, 40), min_size=2, max_size=5),
    st.floats(0.05, 0.4),
    st.floats(0, 0.4),
    st.integers(0, 99),
)
def test_stratified_parts_are_a_partition_with_the_shares(
    counts: list[int], validation: float, test: float, seed: int
) -> None:
    labels = np.repeat(np.arange(len(counts)), counts)
    shares = {"validation": validation, "test": test}
    classes = [f"c{k}" for k in range(len(counts))]
    parts = stratified(labels, shares, seed=seed, classes=classes)
    together = np.sort(np.concatenate(list(parts.values())))
    assert together.tolist() == list(range(len(labels)))
    for name, share in shares.items():
        own = np.bincount(labels[parts[name]], minlength=len(counts))
        for k, n in enumerate(counts):
            assert own[k] == (max(1, round(share * n)) if share > 0 else 0)
    again = stratified(labels, shares, seed=seed, classes=classes)
    assert all(np.array_equal(parts[name], again[name]) for name in parts)


def test_another_seed_is_another_split() -> None:
    labels = np.zeros(50, np.int64)
    a, b = (stratified(labels, {"v": 0.5}, seed=s, classes=["x"])["v"] for s in (0, 1))
    assert a.tolist() != b.tolist()


def arrays(n: int = 6) -> Arrays:
    images = np.arange(n * 4, dtype=np.uint8).reshape(n, 2, 2, 1)
    return Arrays(images, np.arange(n) % 2, ("a", "b"), [f"p{i}" for i in range(n)])


def test_differences_name_what_changed() -> None:
    whole = arrays()
    parts = [np.array([0, 1]), np.array([2, 3]), np.array([4, 5])]
    splits = Splits(*(whole.subset(p) for p in parts))
    rows = manifest(splits)
    assert differences(rows, splits) == []
    images = whole.images.copy()
    images[0, 0, 0, 0] ^= 255
    labels = whole.labels.copy()
    labels[1] = 0
    changed = replace(whole, images=images, labels=labels)
    moved = Splits(*(changed.subset(np.array(p)) for p in ([0, 1], [2], [4, 5, 3])))
    assert differences(rows, moved) == [
        "p1 was b and is a",
        "p3 (test) is new",
        "p3 (validation) is gone",
        "the content of p0 changed",
    ]


def test_subset_of_none_is_empty() -> None:
    assert len(arrays().subset(np.array([], np.int64))) == 0


def test_large_collections_are_known_by_size_and_time(tmp_path: Path) -> None:
    paint(tmp_path / "0.png", 0, 90)
    files = Files([tmp_path / "0.png"], np.array([0]), ("a", "b"), ["0.png"])
    assert len(files.digest(0)) == 64
    assert "bytes" in replace(files, hashed=False).digest(0)
    (tmp_path / "0.png").unlink()
    assert "unreadable" in files.digest(0)


def test_folders_split_by_class_and_seed(folder: Path) -> None:
    splits = open_splits(str(folder), validation=0.2, test=0.3, seed=1)
    for part, n in ((splits.train, 5), (splits.validation, 2), (splits.test, 3)):
        assert np.bincount(part.labels).tolist() == [n] * 3
    assert splits.train.classes == ("dark", "grey", "light")
    again = open_splits(str(folder), validation=0.2, test=0.3, seed=1)
    assert again.test.names == splits.test.names
    assert open_splits(str(folder), validation=0.2, test=0.3, seed=2).test.names != (
        splits.test.names
    )


def test_a_folder_with_its_own_splits_keeps_them(folder: Path, tmp_path: Path) -> None:
    root = tmp_path / "own"
    for part, n in (("train", 4), ("test", 2)):
        for name in ("dark", "light"):
            for i in range(n):
                paint(root / part / name / "deep" / f"{i}.png", i, 90)
    splits = open_splits(str(root), validation=0.25)
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (6, 2, 4)
    assert splits.test.names[0] == "test/dark/deep/0.png"
    assert any("No validation split" in s for s in splits.notices)
    with pytest.raises(Mistake, match="--test"):
        open_splits(str(root), test=0.5)
    (root / "val" / "dark").mkdir(parents=True)
    (root / "valid" / "dark").mkdir(parents=True)
    with pytest.raises(Failure, match="val and valid"):
        open_splits(str(root))


def test_a_class_may_be_called_test(tmp_path: Path) -> None:
    for name in ("test", "other"):
        for i in range(5):
            paint(tmp_path / name / f"{i}.png", i, 90)
    assert open_splits(str(tmp_path)).train.classes == ("other", "test")
