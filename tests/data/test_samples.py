"""Splits: stratified, seeded, recorded; what changed is said."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubel.data.folder import whole
from hubel.data.samples import Arrays, Files, Splits, differences, manifest, stratified
from hubel.data.sources import open_splits
from hubel.mistakes import Failure, Mistake
from tests.conftest import paint


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
    assert "unreadable" in replace(files, digests={}).digest(0)


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


def own_splits(root: Path, **counts: int) -> Path:
    """Folders of splits, each with so many pictures of dark and light."""
    for part, n in counts.items():
        for k, name in enumerate(("dark", "light")):
            for i in range(n):
                paint(root / part / name / f"{i}.png", 10 * k + i, 40 + 120 * k)
    return root


def test_a_missing_test_split_is_split_off_when_asked_for(tmp_path: Path) -> None:
    root = str(own_splits(tmp_path, train=10))
    splits = open_splits(root, validation=0.2, test=0.3)
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (10, 4, 6)
    names = [set(s.names) for s in (splits.train, splits.validation, splits.test)]
    assert len(set.union(*names)) == 20
    assert "No test split: 30 % of train/ was split off, by class." in splits.notices
    assert len(open_splits(root).test) == 0  # nobody asked
    with pytest.raises(Mistake, match=r"--validation 0\.5 and --test 0\.5 leave nothing"):
        open_splits(root, validation=0.5, test=0.5)


def test_splits_are_known_by_their_names_in_any_case(tmp_path: Path) -> None:
    splits = open_splits(str(own_splits(tmp_path, Train=4, VAL=2, Testing=3)))
    assert splits.train.classes == ("dark", "light")  # not Train, VAL and Testing
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (8, 4, 6)
    assert "Using VAL/ as the validation split." in splits.notices


def test_splits_without_class_folders_are_no_classes(tmp_path: Path) -> None:
    for i in range(5):
        for part in ("train", "test"):
            paint(tmp_path / "flat" / part / f"{i}.png", i, 90)
    with pytest.raises(Failure, match="holds test, train, which are splits"):
        open_splits(str(tmp_path / "flat"))
    root = own_splits(tmp_path / "half", train=4)
    paint(root / "test" / "0.png", 0, 90)
    assert "test/ holds no class folders" in " ".join(open_splits(str(root)).notices)


def test_a_split_lists_the_classes_it_lacks(tmp_path: Path) -> None:
    root = own_splits(tmp_path, train=4, validation=2)
    assert len(open_splits(str(root)).validation) == 4
    for path in (root / "validation" / "light").iterdir():
        path.unlink()
    (root / "validation" / "light").rmdir()
    with pytest.raises(Failure, match=r"classes of validation/ .* train/: light missing"):
        open_splits(str(root))


def test_classes_are_in_natural_order(tmp_path: Path) -> None:
    for name in ("10", "9", "01", "1", "b2", "b10", "ß"):
        paint(tmp_path / name / "0.png", 0, 90)
    assert whole(tmp_path).classes == ("01", "1", "9", "10", "b2", "b10", "ß")


def test_names_that_are_not_utf8(folder: Path) -> None:
    os.rename(folder / "dark" / "3.png", os.fsencode(folder / "dark") + b"/\xff.png")
    samples = whole(folder)
    at = samples.names.index("dark/\\xff.png")
    assert samples.image(at).shape == (12, 12, 3)  # named by what can be written, and still read
    os.rename(folder / "grey", os.fsencode(folder) + b"/gr\xe9y")
    with pytest.raises(Failure, match=r"gr\\+xe9y.*not UTF-8"):
        whole(folder)


def test_pipes_and_loops_do_not_hang(folder: Path) -> None:
    os.mkfifo(folder / "dark" / "pipe.png")
    (folder / "dark" / "again").symlink_to(folder)
    (folder / "dark" / "broken.png").symlink_to(folder / "nowhere.png")
    samples = whole(folder)
    names = [name for name in samples.names if name.startswith("dark/") and "again" not in name]
    assert names == [*(f"dark/{i}.png" for i in range(10)), "dark/broken.png"]


def test_what_cannot_be_a_path_is_an_unknown_name() -> None:
    for name in ("", "a" * 5000, "a\0b"):
        with pytest.raises(Mistake, match="no data set or folder"):
            open_splits(name)


def test_a_class_may_be_called_test(tmp_path: Path) -> None:
    for name in ("test", "other"):
        for i in range(5):
            paint(tmp_path / name / f"{i}.png", i, 90)
    assert open_splits(str(tmp_path)).train.classes == ("other", "test")
