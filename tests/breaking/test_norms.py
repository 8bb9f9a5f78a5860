"""Norms: sizes, balls, and steepest directions, each against its definition."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from hubel.breaking.norms import L2, LINF, NORMS, Norm


def changes(seed: int, n: int = 4, scale: float = 1.0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return scale * torch.randn(n, 2, 3, 3, generator=generator, dtype=torch.float64)


def plain_size(d: Tensor, norm: Norm) -> list[float]:
    values = [[abs(v) for v in picture.flatten().tolist()] for picture in d]
    if norm is LINF:
        return [max(v) for v in values]
    return [math.sqrt(sum(x * x for x in v)) for v in values]


@pytest.mark.parametrize("norm", NORMS.values(), ids=NORMS)
class TestEveryNorm:
    @settings(max_examples=12)
    @given(seed=st.integers(0, 2**32), scale=st.floats(1e-3, 1e3))
    def test_size_is_the_definition(self, norm: Norm, seed: int, scale: float) -> None:
        d = changes(seed, scale=scale)
        assert norm.size(d).tolist() == pytest.approx(plain_size(d, norm), rel=1e-12)

    @settings(max_examples=12)
    @given(seed=st.integers(0, 2**32), epsilon=st.floats(1e-3, 10))
    def test_projection_is_inside_and_leaves_what_is_inside(
        self, norm: Norm, seed: int, epsilon: float
    ) -> None:
        d = changes(seed)
        found = norm.project(d, epsilon)
        assert bool((norm.size(found) <= epsilon * (1 + 1e-12)).all())
        inside = norm.size(d) <= epsilon
        torch.testing.assert_close(found[inside], d[inside], rtol=1e-14, atol=0)

    @settings(max_examples=12)
    @given(seed=st.integers(0, 2**32))
    def test_no_point_of_the_ball_is_nearer_than_the_projection(
        self, norm: Norm, seed: int
    ) -> None:
        d = changes(seed, n=1)
        found = norm.project(d, 0.7)
        generator = torch.Generator().manual_seed(seed)
        others = torch.stack([norm.start(d[0], generator) for _ in range(200)])
        nearest = (0.7 * others - d).flatten(1).norm(dim=1).min()
        assert float((found - d).norm()) <= float(nearest) + 1e-12

    @settings(max_examples=12)
    @given(seed=st.integers(0, 2**32))
    def test_steepest_has_size_1_and_no_start_rises_more(self, norm: Norm, seed: int) -> None:
        slope = changes(seed, n=1)
        best = norm.steepest(slope)
        assert norm.size(best).tolist() == pytest.approx([1.0], abs=1e-12)
        generator = torch.Generator().manual_seed(seed)
        others = torch.stack([norm.start(slope[0], generator) for _ in range(200)])
        assert float((best * slope).sum()) >= float((others * slope).flatten(1).sum(1).max())

    def test_nothing_has_no_direction_and_stays_nothing(self, norm: Norm) -> None:
        none = torch.zeros(2, 1, 2, 2)
        assert not norm.steepest(none).any()
        assert not norm.project(none, 0.1).any()
        assert norm.size(none[:0]).shape == (0,)

    def test_everything_holds_every_picture(self, norm: Norm) -> None:
        farthest = torch.ones(1, 3, 4, 5, dtype=torch.float64)
        assert norm.size(farthest).item() == pytest.approx(norm.everything(60))


def test_starts_fill_the_ball_evenly() -> None:
    # in n dimensions a share r^n of an even ball is within radius r
    generator = torch.Generator().manual_seed(0)
    like = torch.zeros(1, 2, 2)
    radii = L2.size(torch.stack([L2.start(like, generator) for _ in range(4000)]))
    shares = [float((radii <= r).double().mean()) for r in (0.6, 0.8, 0.95)]
    assert shares == pytest.approx([r**4 for r in (0.6, 0.8, 0.95)], abs=0.03)
    inside = torch.stack([LINF.start(like, generator) for _ in range(4000)])
    assert float(inside.mean()) == pytest.approx(0, abs=0.02)
    assert float(inside.abs().mean()) == pytest.approx(0.5, abs=0.01)
