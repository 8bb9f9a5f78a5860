"""The table of effects: each alone and all together keep the contracts of a batch."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hubel.data.augment import geometry
from hubel.data.augment.colour import principal
from hubel.data.augment.compose import EFFECTS, augmentation
from hubel.data.augment.drawing import drawn
from hubel.data.augment.trivial import KINDS, trivial

SMALL = {name: min(effect.shown, 5) for name, effect in EFFECTS.items()}


def pictures(n: int, channels: int = 3, size: int = 12) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(n, channels, size, size, generator=generator)


def axes(channels: int) -> torch.Tensor:
    return principal((pictures(4, channels).numpy() * 255).astype(np.uint8))


def test_without_an_effect_there_is_none() -> None:
    assert augmentation({}) is None
    assert augmentation({"flip": 0, "rotate": 0.0}) is None


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", EFFECTS)
def test_each_effect(name: str, channels: int) -> None:
    augment = augmentation({name: SMALL[name]}, axes=axes(channels))
    assert augment is not None
    pixels = pictures(40, channels)
    indices = np.arange(40)
    found = augment(pixels, indices, 7, 0)
    assert found.shape == pixels.shape
    assert found.dtype == pixels.dtype
    assert float(found.min()) >= 0
    assert float(found.max()) <= 1
    assert torch.equal(pixels, pictures(40, channels))  # left as found
    colourless = channels == 1 and name in ("saturation", "hue", "greyscale")
    assert torch.allclose(found, pixels, atol=1e-6) == colourless
    assert torch.equal(found, augment(pixels, indices, 7, 0))
    if not colourless:
        assert not torch.allclose(found, augment(pixels, indices, 7, 1))  # another epoch
        assert not torch.allclose(found, augment(pixels, indices, 8, 0))  # another seed
    empty = augment(pixels[:0], indices[:0], 7, 0)
    assert empty.shape == (0, channels, 12, 12)


@settings(max_examples=15)
@given(st.lists(st.integers(0, 300), min_size=1, max_size=6, unique=True))
def test_a_sample_does_not_mind_its_company(indices: list[int]) -> None:
    # a value between two steps of posterising falls to either: `trivial` comes first, and alone
    augment = augmentation({k: v for k, v in SMALL.items() if k != "trivial"}, axes=axes(3))
    assert augment is not None
    everything = pictures(301, size=8)
    draw, whole = drawn(np.array(indices), seed=9, epoch=4), everything[indices]
    for i, index in enumerate(indices):
        one = trivial(whole[i : i + 1], drawn(np.array([index]), seed=9, epoch=4))
        assert torch.allclose(one[0], trivial(whole, draw)[i], rtol=0, atol=2e-5)
    together = augment(everything[indices], np.array(indices), 9, 4)
    alone = torch.cat([augment(everything[i : i + 1], np.array([i]), 9, 4) for i in indices])
    assert torch.allclose(together, alone, rtol=0, atol=2e-5)


def test_neighbours_in_place_are_sampled_once() -> None:
    """Turned and turned back is what it was: two samplings would have blurred it."""
    pixels = pictures(1, size=33)
    angle = torch.tensor([0.7], dtype=torch.float64)
    once = geometry.sample(pixels, geometry.rotation(angle) @ geometry.rotation(-angle))
    assert torch.allclose(once, pixels, atol=1e-5)


def test_trivial_takes_every_kind_about_equally_often() -> None:
    pixels = pictures(1, size=16).expand(2800, 3, 16, 16)
    counts = np.zeros(len(KINDS), int)
    draw = drawn(np.arange(2800), seed=0, epoch=0)
    kind = (draw("kind") * len(KINDS)).long()
    for number in range(len(KINDS)):
        counts[number] = int((kind == number).sum())
    assert counts.min() > 150
    assert counts.max() < 250
    changed = (trivial(pixels, draw) - pixels).abs().amax((1, 2, 3)) > 1e-6
    kept = {name for number, name in enumerate(KINDS) if not bool(changed[kind == number].any())}
    assert kept == {"as it is"}
