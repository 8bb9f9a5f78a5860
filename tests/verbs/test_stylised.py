"""Stylised copies in training: whose they are, which pictures get them, and that a run resumes."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import hubel
from hubel.data import scenes
from hubel.data.augment.compose import augmentation
from hubel.mistakes import Mistake
from hubel.training.recipe import Recipe, resolve
from hubel.verbs.stylised import COLOURS, LARGEST, ROUGH, in_other_surfaces, stylised, surfaces


def pictures(n: int, channels: int = 1, side: int = 28) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(n, channels, side, side, generator=generator)


def test_of_probability_0_nothing_is_added() -> None:
    assert stylised(0.0) is None
    flip = augmentation({"flip": 1})
    assert stylised(0.0, flip) is flip


def test_so_many_are_copies_and_the_others_are_left_alone() -> None:
    pixels = pictures(200, side=12)
    change = stylised(0.3)
    assert change is not None
    before = pixels.clone()
    found = change(pixels, np.arange(200), 0, 0)
    changed = (found != pixels).flatten(1).any(1)
    assert 35 < int(changed.sum()) < 85  # 60 expected, deviation 6.5
    assert torch.equal(pixels, before)
    every = stylised(1.0)
    assert every is not None
    assert bool((every(pixels, np.arange(200), 0, 0) != pixels).flatten(1).any(1).all())


def test_a_copy_is_drawn_by_seed_epoch_and_index_alone() -> None:
    pixels = pictures(12)
    change = stylised(0.5)
    assert change is not None
    together = change(pixels, np.arange(12), 3, 2)
    for i in range(12):
        alone = change(pixels[i : i + 1], np.array([i]), 3, 2)
        torch.testing.assert_close(alone[0], together[i], rtol=0, atol=1e-6)
    assert torch.equal(change(pixels, np.arange(12), 3, 2), together)
    for seed, epoch in ((4, 2), (3, 3)):
        assert not torch.equal(change(pixels, np.arange(12), seed, epoch), together)


def test_other_changes_come_after_it() -> None:
    pixels = pictures(4, channels=3)
    flip = augmentation({"flip": 1})
    both, alone = stylised(1.0, flip), stylised(1.0)
    assert flip is not None
    assert both is not None
    assert alone is not None
    index = np.arange(4)
    expected = flip(alone(pixels, index, 1, 0), index, 1, 0)
    assert torch.equal(both(pixels, index, 1, 0), expected)


def test_surfaces_are_parts_of_the_photographs() -> None:
    side, index = 24, np.arange(40)
    found = surfaces(side, 3, seed=0, indices=index)
    assert found.shape == (40, 3, side, side)
    stock = np.stack([_coded(photograph) for photograph in scenes.photographs()])
    seen = set()
    for part in (found * 255).round().byte().permute(0, 2, 3, 1).numpy()[:10]:
        # undone: in one of six orders of colours and eight positions it is a cut of a photograph
        matches = [
            number
            for order in COLOURS
            for turn in range(4)
            for mirror in (False, True)
            for number in _cut_from(
                _coded(np.rot90(part[:, ::-1] if mirror else part, turn)[:, :, order]), stock
            )
        ]
        assert matches
        seen.add(matches[0])
    assert len(seen) > 3
    grey = surfaces(side, 1, seed=0, indices=index)
    weights = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    torch.testing.assert_close(grey, (found * weights).sum(1, keepdim=True), rtol=0, atol=1e-6)
    assert float(found.mean(1).flatten(1).std(1).min()) > ROUGH * 0.95


def _coded(image: np.ndarray) -> np.ndarray:
    """uint8 (H, W, 3) → (H, W): one number a colour."""
    return image.astype(np.int64) @ np.array([65536, 256, 1])


def _cut_from(part: np.ndarray, stock: np.ndarray) -> list[int]:
    """The photographs that the part is a cut of."""
    side = len(part)
    last = stock.shape[1] - side + 1
    corners = (stock[:, :last, :last] == part[0, 0]) & (
        stock[:, side - 1 :, side - 1 :] == part[-1, -1]
    )
    return [
        int(n)
        for n, y, x in np.argwhere(corners)
        if np.array_equal(stock[n, y : y + side, x : x + side], part)
    ]


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 28, 20), (3, 200, 160)])
def test_of_any_size(shape: tuple[int, int, int]) -> None:
    pixels = pictures(1, shape[0], 200)[:, :, : shape[1], : shape[2]]
    found = in_other_surfaces(pixels, seed=0, indices=np.array([5]))
    assert found.shape == pixels.shape
    assert found.dtype == pixels.dtype
    assert bool(((found >= 0) & (found <= 1)).all())
    assert max(shape) < LARGEST or found.shape[2] > LARGEST


def test_the_recipe_has_it() -> None:
    assert Recipe().stylised == 0
    assert resolve("fast", {"stylised": 0.5}).stylised == 0.5
    with pytest.raises(Mistake, match="stylised"):
        resolve("fast", {"stylised": 1.5})


@pytest.mark.slow
def test_a_resumed_training_sees_the_same_copies(tmp_path: Path) -> None:
    settings = {"network": "small", "epochs": 1, "threads": 1, "stylised": 0.5, "validation": 0.8,
                "arguments": {"widths": [4, 8, 8]}}  # fmt: skip
    whole = hubel.train("digits", out=tmp_path / "whole", **settings)
    parts = hubel.train("digits", out=tmp_path / "parts", minutes=1e-6, **settings)
    plain = hubel.train("digits", out=tmp_path / "plain", **settings | {"stylised": 0.0})
    assert "stylised = 0.5" in (parts.run / "recipe.toml").read_text()
    assert parts.stopped == "time limit"
    for _ in range(8):
        parts = hubel.train(resume=tmp_path / "parts", minutes=1e-6)
        if parts.stopped != "time limit":
            break
    assert parts.stopped == "finished"
    found = [(each.run / "model" / "model.safetensors").read_bytes()
             for each in (whole, parts, plain)]  # fmt: skip
    assert found[0] == found[1]
    assert found[0] != found[2]
