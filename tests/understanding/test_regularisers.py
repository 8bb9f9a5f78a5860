"""Regularisers against loops over pixels, and SciPy's Gaussian."""

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

from hubel.mistakes import Mistake
from hubel.understanding.regularisers import (
    REGULARISERS,
    Regulariser,
    blur,
    blurred,
    clip_small_contribution,
    clip_small_norm,
    l2_decay,
)

X = torch.randn(2, 3, 9, 8, generator=torch.Generator().manual_seed(7), dtype=torch.float64)
SLOPE = torch.randn(2, 3, 9, 8, generator=torch.Generator().manual_seed(8), dtype=torch.float64)


def applied(rule: Regulariser, number: int = 1) -> Tensor:
    assert rule.after is not None
    return rule.after(X, SLOPE, number)


def test_decay_and_blur_are_those_of_the_paper() -> None:
    torch.testing.assert_close(applied(l2_decay(0.3)), 0.7 * X)
    assert [torch.equal(applied(blur(1.0, 4), n), X) for n in range(1, 9)] == [
        True, True, True, False, True, True, True, False,
    ]  # fmt: skip
    for width in (0.5, 1.0, 1.7):
        expected = gaussian_filter(
            X.numpy(),
            (0, 0, width, width),
            mode="nearest",
            radius=(0, 0, *[math.ceil(3 * width)] * 2),
        )
        torch.testing.assert_close(blurred(X, width), torch.from_numpy(expected), rtol=1e-9,
                                   atol=1e-12)  # fmt: skip


@pytest.mark.parametrize("percent", [0, 10, 50, 90])
def test_clipping_is_that_of_the_paper(percent: int) -> None:
    norm, contribution = (
        applied(clip_small_norm(percent)),
        applied(clip_small_contribution(percent)),
    )
    for i in range(2):
        norms = np.empty((9, 8))
        gains = np.empty((9, 8))
        for y in range(9):
            for x in range(8):
                pixel, slope = X[i, :, y, x].tolist(), SLOPE[i, :, y, x].tolist()
                norms[y, x] = math.sqrt(sum(v * v for v in pixel))
                gains[y, x] = abs(sum(v * g for v, g in zip(pixel, slope, strict=True)))
        for sizes, found in ((norms, norm[i]), (gains, contribution[i])):
            rank = sizes.ravel().argsort().argsort().reshape(9, 8)
            kept = torch.from_numpy(rank >= int(72 * percent / 100))
            assert torch.equal(found, X[i] * kept)


def test_contribution_is_what_the_score_loses_by_the_pixel() -> None:
    # exactly, for a linear score: |s(x) − s(x with the pixel at 0)|
    weights = SLOPE[:1]
    kept = clip_small_contribution(50).after
    assert kept is not None
    found = kept(X[:1], weights, 1)
    change = torch.empty(9, 8, dtype=torch.float64)
    for y in range(9):
        for x in range(8):
            without = X[:1].clone()
            without[:, :, y, x] = 0
            change[y, x] = ((weights * X[:1]).sum() - (weights * without).sum()).abs()
    assert torch.equal((found[0] != 0).any(0), change > change.flatten().kthvalue(36).values)


def test_refuses_settings_outside_their_range() -> None:
    for rule, value in (("l2-decay", 1.5), ("l2-penalty", -1.0), ("clip-small-norm", 101),
                        ("clip-small-contribution", -1), ("blur", math.nan)):  # fmt: skip
        with pytest.raises(Mistake, match=str(value)):
            REGULARISERS[rule](value)
    with pytest.raises(Mistake, match="every 0"):
        blur(1, 0)
