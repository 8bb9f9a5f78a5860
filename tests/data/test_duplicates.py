"""Copies are found however they were changed, strangers are not; a split keeps groups together."""

import io

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from skimage import data as photographs

from hubel.data import alignment
from hubel.data.alignment import SIDE, align
from hubel.data.duplicates import SQUARE, Pair, blank, copies, groups, luma, near_duplicates
from hubel.data.samples import stratified
from hubel.mistakes import Failure
from hubel.pixels import fit

Picture = NDArray[np.uint8]


def some_photographs() -> list[Picture]:
    return [
        photographs.astronaut(),
        photographs.chelsea(),
        photographs.coffee(),
        photographs.rocket(),
        photographs.stereo_motorcycle()[0],
    ]


def squares(pictures: list[Picture]) -> Picture:
    return np.stack([fit(picture, SQUARE).transpose(2, 0, 1) for picture in pictures])


def pressed(picture: Picture, quality: int) -> Picture:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def resized(picture: Picture, factor: float) -> Picture:
    image = Image.fromarray(picture)
    size = round(image.width * factor), round(image.height * factor)
    return np.asarray(image.resize(size))


CHANGES = {
    "mirrored": lambda p: np.ascontiguousarray(p[:, ::-1]),
    "cropped": lambda p: p[p.shape[0] // 12 :, : -p.shape[1] // 8],
    "smaller": lambda p: resized(p, 0.4),
    "pressed": lambda p: pressed(p, 40),
    "lighter": lambda p: np.clip(p * 0.8 + 40, 0, 255).astype(np.uint8),
    "warmer": lambda p: np.clip(p * np.array([1.15, 1.0, 0.85]), 0, 255).astype(np.uint8),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_found_among_strangers(change: str) -> None:
    pictures = some_photographs()
    changed = [CHANGES[change](picture) for picture in pictures]
    pairs = copies(squares(pictures + changed))
    n = len(pictures)
    assert [(pair.first, pair.second) for pair in pairs] == [(i, n + i) for i in range(n)]
    assert all(pair.mirrored == (change == "mirrored") for pair in pairs)
    assert not any(pair.equal for pair in pairs)


def test_all_changes_at_once() -> None:
    picture = photographs.chelsea()
    changed = picture
    for change in CHANGES.values():
        changed = change(changed)
    assert [pair[:2] for pair in _ends(copies(squares([picture, changed])))] == [(0, 1)]


def _ends(pairs: list[Pair]) -> list[tuple[int, int]]:
    return [(pair.first, pair.second) for pair in pairs]


def test_equal_pictures_are_paired_with_the_first_alone() -> None:
    pictures = [photographs.coffee()] * 4 + [photographs.rocket()]
    pairs = copies(squares(pictures))
    assert _ends(pairs) == [(0, 1), (0, 2), (0, 3)]
    assert all(pair.equal and pair.likeness == 1 for pair in pairs)


def test_blank_pictures_are_equal_or_nothing() -> None:
    shades = [np.full((9, 9, 3), shade, np.uint8) for shade in (0, 0, 90, 255)]
    images = squares([*shades, photographs.chelsea()])
    assert _ends(copies(images)) == [(0, 1)]
    assert blank(images).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("n", [0, 1])
def test_too_few_to_pair(n: int) -> None:
    assert copies(np.zeros((n, 3, 128, 128), np.uint8)) == []
    assert near_duplicates(torch.rand(n, SIDE, SIDE)) == []


def test_alignment_finds_the_warp_that_was_made() -> None:
    """The slow way beside it: the best of many warps on a grid is no better."""
    picture = luma(squares([photographs.chelsea()]))
    warp = torch.tensor([[0.9, 0.05, 0.95, -0.03]])
    target, _, _ = alignment._warped(picture, warp)
    start = torch.tensor([[1.0, 0.0, 1.0, 0.0]])
    found = align(picture, target, start)
    torch.testing.assert_close(found.warp, warp, atol=0.01, rtol=0)
    grid = [
        torch.tensor([[sx, tx, sy, ty]])
        for sx in (0.85, 0.9, 0.95)
        for tx in (0.0, 0.05)
        for sy in (0.9, 0.95, 1.0)
        for ty in (-0.03, 0.0)
    ]
    slow = max(float(alignment._likeness(picture, target, one)[0]) for one in grid)
    assert float(found.likeness) > slow - 0.01
    assert slow > 0.99


def test_groups_are_the_connected_pictures() -> None:
    pairs = [Pair(0, 3, 1.0), Pair(3, 4, 0.9), Pair(1, 2, 0.9)]
    assert groups(6, pairs).tolist() == [0, 1, 1, 0, 0, 5]


@settings(max_examples=40)
@given(st.lists(st.integers(0, 30), min_size=40, max_size=80), st.integers(0, 99))
def test_a_split_never_parts_a_group(numbers: list[int], seed: int) -> None:
    group = np.array(numbers)
    labels = group % 2  # a group is of one class
    shares = {"validation": 0.2, "test": 0.2}
    try:
        parts = stratified(labels, shares, seed=seed, classes=["a", "b"], groups=group)
    except Failure:
        assert min(len(np.unique(group[labels == k])) for k in (0, 1)) < 3
        return
    sides = [set(group[chosen].tolist()) for chosen in parts.values()]
    assert sum(map(len, sides)) == len(set(numbers))
    assert np.sort(np.concatenate(list(parts.values()))).tolist() == list(range(len(labels)))


def test_groups_of_one_are_the_plain_split() -> None:
    labels = np.arange(60) % 3
    told = {"shares": {"v": 0.3}, "seed": 4, "classes": ["a", "b", "c"]}
    plain = stratified(labels, **told)  # type: ignore[arg-type]
    alone = stratified(labels, **told, groups=np.arange(60))  # type: ignore[arg-type]
    assert all(np.array_equal(plain[name], alone[name]) for name in plain)


@settings(max_examples=60)
@given(st.integers(0, 99))
def test_many_copies_do_not_fill_a_small_part(seed: int) -> None:
    """Whichever group is drawn first: of 15 there are copies, 25 are alone, and 4 are wanted."""
    group = np.concatenate((np.zeros(15, int), np.arange(1, 26)))
    labels = np.zeros(40, np.int64)
    parts = stratified(labels, {"v": 0.1}, seed=seed, classes=["a"], groups=group)
    assert len(parts["v"]) == 4
    assert set(range(15)) <= set(parts["train"].tolist())


def test_a_refusal_says_what_the_copies_have_to_do_with_it() -> None:
    with pytest.raises(Failure, match=r"only 2 that are no copies.*group_duplicates=false"):
        stratified(
            np.zeros(8, np.int64),
            {"v": 0.2, "t": 0.2},
            seed=0,
            classes=["a"],
            groups=np.array([0] * 4 + [1] * 4),
        )
