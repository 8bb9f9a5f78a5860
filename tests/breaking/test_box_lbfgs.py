"""L-BFGS in the box: quadratics beside scipy, and each problem as if it were alone."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from torch import Tensor

from hubel.breaking.box_lbfgs import Value, minimise

N, D = 5, 8


def quadratics(seed: int = 0) -> tuple[Tensor, Tensor]:
    """Curvatures (N, D, D), positive definite, and minima (N, D), some outside the box."""
    generator = torch.Generator().manual_seed(seed)
    root = torch.randn(N, D, D, generator=generator, dtype=torch.float64)
    curvature = root @ root.mT + 0.5 * torch.eye(D, dtype=torch.float64)
    return curvature, 2 * torch.rand(N, D, generator=generator, dtype=torch.float64) - 0.5


def value_of(curvature: Tensor, minima: Tensor, asked: list[int]) -> Value:
    def value(x: Tensor, numbers: Tensor) -> tuple[Tensor, Tensor]:
        asked.append(len(numbers))
        away = x - minima[numbers]
        slope = (curvature[numbers] @ away[..., None])[..., 0]
        return (slope * away).sum(1) / 2, slope

    return value


def start(n: int = N) -> Tensor:
    return torch.full((n, D), 0.5, dtype=torch.float64)


def test_quadratics_end_where_scipy_ends() -> None:
    curvature, minima = quadratics()
    asked: list[int] = []
    first = 1 / curvature.diagonal(dim1=1, dim2=2).sum(1)
    found = minimise(value_of(curvature, minima, asked), start(), first=first, steps=200, flat=1e-9)
    bound = 0
    for i in range(N):
        own, goal = curvature[i].numpy(), minima[i].numpy()
        slow = minimize(
            lambda x, own=own, goal=goal: (x - goal) @ own @ (x - goal) / 2,
            np.full(D, 0.5), jac=lambda x, own=own, goal=goal: own @ (x - goal),
            method="L-BFGS-B", bounds=[(0, 1)] * D, options={"ftol": 1e-15, "gtol": 1e-10},
        )  # fmt: skip
        np.testing.assert_allclose(found[i].numpy(), slow.x, rtol=0, atol=1e-6)
        bound += int(((slow.x == 0) | (slow.x == 1)).sum())
    assert bound > 0  # the box was felt
    assert len(asked) < 200  # it ended by itself
    assert asked[-1] < N  # and the problems one by one


def test_each_problem_is_as_if_it_were_alone() -> None:
    curvature, minima = quadratics(1)
    first = torch.full((N,), 0.05, dtype=torch.float64)
    together = minimise(value_of(curvature, minima, []), start(), first=first, steps=12)
    for i in range(N):
        own = slice(i, i + 1)
        alone = value_of(curvature[own], minima[own], [])
        found = minimise(alone, start(1), first=first[own], steps=12)
        torch.testing.assert_close(found[0], together[i], rtol=0, atol=1e-12)


@pytest.mark.parametrize("memory", [1, 6])
def test_no_step_leads_up_and_none_leaves_the_box(memory: int) -> None:
    curvature, minima = quadratics(2)
    value = value_of(curvature, minima, [])
    before = value(start(), torch.arange(N))[0]
    for steps in range(1, 15):
        first = torch.full((N,), 10.0, dtype=torch.float64)  # far too long
        x = minimise(value, start(), first=first, steps=steps, memory=memory)
        now = value(x, torch.arange(N))[0]
        assert bool((now <= before).all())
        assert float(x.min()) >= 0
        assert float(x.max()) <= 1
        before = now
    assert bool((before < value(start(), torch.arange(N))[0]).all())


def test_no_problem_and_one_that_is_solved() -> None:
    curvature, minima = quadratics()
    value = value_of(curvature, minima, [])
    none = start(0)
    assert minimise(value, none, first=torch.ones(0), steps=3).shape == (0, D)
    inside = minima.clamp(0.1, 0.9)
    found = minimise(value_of(curvature, inside, []), inside, first=torch.ones(N).double(), steps=3)
    assert torch.equal(found, inside)
