"""Where linear scores cross along a ray: against exact fractions, and by what it means."""

from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from hubel.breaking import crossing
from hubel.breaking.crossing import Bounds, crossings

BOX = (0.0, 1.0)
Row = list[Fraction]


def exactly(
    weight: Tensor, bias: Tensor, x: Tensor, d: Tensor, target: int, over: list[int], box: bool
) -> float:
    """The least α at which target's score is no lower than any of `over`: piece by piece, from the
    scores themselves."""
    rows = [[Fraction(v) for v in row] for row in weight.tolist()]
    biases, start, way = ([Fraction(v) for v in t.tolist()] for t in (bias, x, d))

    def leads(alpha: Fraction) -> Row:
        at = [a + alpha * b for a, b in zip(start, way, strict=True)]
        at = [min(max(v, Fraction(0)), Fraction(1)) for v in at] if box else at
        scores = [sum(w * v for w, v in zip(row, at, strict=True)) + b
                  for row, b in zip(rows, biases, strict=True)]  # fmt: skip
        return [scores[target] - scores[k] for k in over]

    ends = {Fraction(0)}
    for a, b in zip(start, way, strict=True) if box else ():
        ends |= {(1 - a) / b} if b > 0 else {-a / b} if b < 0 else set()
    stops = sorted(ends)
    for begin, end in zip(stops, [*stops[1:], None], strict=True):
        first, later = leads(begin), leads(begin + 1 if end is None else end)
        length = 1 if end is None else end - begin
        low, high = begin, end
        possible = True
        for one, two in zip(first, later, strict=True):
            slope = (two - one) / length if length else Fraction(0)
            if one < 0:
                possible &= slope > 0
                low = max(low, begin - one / slope) if slope > 0 else low
            elif slope < 0:
                root = begin - one / slope
                high = root if high is None else min(high, root)
        if possible and (high is None or low <= high):
            return float(low)
    return float("inf")


def drawn(seed: int, rays: int, classes: int, size: int) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    x = torch.rand(rays, size, generator=generator, dtype=torch.float64)
    x[:, 0] = 0  # pixels are often black
    d = normal(rays, size)
    d[:, 1] = 0
    target = torch.randint(0, classes, (rays,), generator=generator)
    own = (target + 1) % classes
    return normal(classes, size), normal(classes), x, d, target, own


@pytest.mark.parametrize("bounds", [BOX, None])
def test_crossings_are_those_of_exact_fractions(bounds: Bounds | None) -> None:
    weight, bias, x, d, target, own = drawn(0, 60, 4, 7)
    found = crossings(weight, bias, x, d, target, own, bounds=bounds)
    never = 0
    for i in range(60):
        at = int(target[i])
        given_ = (weight, bias, x[i], d[i], at)
        expected = exactly(*given_, [k for k in range(4) if k != at], bounds is not None)
        assert float(found.alpha[i]) == pytest.approx(expected, rel=1e-10, abs=1e-12)
        passed = exactly(*given_, [int(own[i])], bounds is not None)
        assert float(found.passed[i]) == pytest.approx(passed, rel=1e-10, abs=1e-12)
        never += expected == float("inf")
    assert 5 < never < 55  # both kinds were among them


@settings(max_examples=60)
@given(st.integers(0, 2**32), st.integers(2, 5), st.integers(2, 12), st.booleans())
def test_the_target_leads_there_and_nowhere_before(
    seed: int, classes: int, size: int, box: bool
) -> None:
    weight, bias, x, d, target, own = drawn(seed, 6, classes, size)
    found = crossings(weight, bias, x, d, target, own, bounds=BOX if box else None)

    def lead(alpha: Tensor) -> Tensor:
        at = x + alpha[:, None] * d
        scores = (at.clamp(0, 1) if box else at) @ weight.T + bias
        return (scores.gather(1, target[:, None]) - scores).amin(1)

    there = found.alpha.isfinite()
    scale = 1 + found.alpha.where(there, 0)
    assert bool((lead(found.alpha.where(there, 0)) >= -1e-9 * scale)[there].all())
    for share in torch.linspace(0, 0.999, 40, dtype=torch.float64):
        # where it is never reached, it is not reached up to 100 either
        early = lead(share * found.alpha.where(there, 100.0))
        assert bool((early <= 1e-9 * scale).all())
    assert bool((found.passed <= found.alpha + 1e-9 * scale).all())


def test_rays_do_not_depend_on_how_many_are_walked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    given_ = drawn(1, 9, 3, 5)
    whole = crossings(*given_, bounds=BOX)
    monkeypatch.setattr(crossing, "MOST", 1)
    alone = crossings(*given_, bounds=BOX)
    assert torch.equal(whole.alpha, alone.alpha)
    assert torch.equal(whole.passed, alone.passed)
    none = crossings(*(part[:0] if i > 1 else part for i, part in enumerate(given_)), bounds=BOX)
    assert none.alpha.shape == none.passed.shape == (0,)


def test_nothing_moves_behind_the_last_bound() -> None:
    """A target that is a hair below where all coordinates have stopped is never reached."""
    weight = torch.tensor([[0.1, 0.2, 0.3], [0.0, 0.0, 0.0]], dtype=torch.float64)
    x, d = torch.zeros(1, 3, dtype=torch.float64), torch.ones(1, 3, dtype=torch.float64)
    target, own = torch.tensor([0]), torch.tensor([1])
    for bias, expected in ((0.6 + 1e-9, torch.inf), (0.3, 0.5)):
        given_ = torch.tensor([0, bias], dtype=torch.float64)
        found = crossings(weight, given_, x, d, target, own, bounds=BOX)
        assert float(found.alpha) == pytest.approx(expected, rel=1e-12)
