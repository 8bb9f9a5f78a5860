"""Convolutions by tiles against torch's in float64."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hubel.understanding.incremental import winograd


@settings(max_examples=30)
@given(
    st.integers(1, 5), st.integers(1, 11), st.integers(1, 11), st.integers(0, 1),
    st.integers(1, 2), st.booleans(), st.booleans(),
)  # fmt: skip
def test_tiles_are_the_convolution(
    pictures: int, height: int, width: int, top: int, left: int, last: bool, biased: bool
) -> None:
    torch.manual_seed(height * 16 + width)
    x = torch.randn(pictures, 20, height + 2, width + 2)
    weight, bias = torch.randn(9, 20, 3, 3) / 13, torch.randn(9) if biased else None
    if last:
        x = x.contiguous(memory_format=torch.channels_last)
    ours = winograd.by_tiles(x, weight, bias, (top, left))
    exact = torch.conv2d(
        x.double(), weight.double(), bias.double() if bias is not None else None, 1, (top, left)
    )
    assert ours.shape == exact.shape
    assert ours.is_contiguous(memory_format=torch.channels_last)
    assert torch.allclose(ours.double(), exact, atol=2e-5)


def test_pictures_are_computed_in_parts_that_fit_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    x, weight = torch.randn(7, 16, 9, 9), torch.randn(16, 16, 3, 3) / 12
    at_once = winograd.by_tiles(x, weight, None, (1, 1))
    monkeypatch.setattr(winograd, "CACHE", 4 * 36 * 9 * 16 * 2)  # two pictures
    assert torch.allclose(winograd.by_tiles(x, weight, None, (1, 1)), at_once, atol=2e-5)


def test_only_large_convolutions_of_3_by_3_go_by_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []
    monkeypatch.setattr(winograd, "by_tiles", lambda *given: taken.append(given) or given[0])
    monkeypatch.setattr(winograd, "CHANNELS", 4)

    def convolved(
        x: torch.Tensor, maps: int = 4, kernel: int = 3, stride: int = 1, groups: int = 1
    ) -> bool:
        taken.clear()
        weight = torch.zeros(maps, x.shape[1] // groups, kernel, kernel, dtype=x.dtype)
        winograd.convolution(
            x, weight, None, [stride] * 2, [1, 1], [1, 1], False, [0, 0], groups
        )  # fmt: skip
        return bool(taken)

    x = torch.zeros(1, 4, 20, 20)
    assert convolved(x)
    assert not convolved(x[..., :19])  # fewer places
    assert not convolved(x, maps=3)
    assert not convolved(x[:, :3])
    assert not convolved(x, kernel=1)
    assert not convolved(x, stride=2)
    assert not convolved(x, groups=2)
    assert not convolved(x.double())
