"""The triplet loss by hand, mining against a slow loop, retrieval against all orders of equals."""

import itertools
import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from hubel.mistakes import Mistake
from hubel.training.triplet import (
    Retrieval,
    retrieval,
    semi_hard,
    semi_hard_loss,
    triplet_loss,
)

INFINITE = math.inf


def unit(*angles: float) -> Tensor:
    """Points of the unit circle, by their angles in degrees."""
    turned = torch.tensor(angles, dtype=torch.float64).deg2rad()
    return torch.stack((turned.cos(), turned.sin()), 1)


def test_the_loss_by_hand() -> None:
    # squared distances on the circle are 2 − 2 cos of the angle between
    anchors, positives, negatives = unit(0, 0, 0), unit(60, 60, 0), unit(180, 60, 90)
    # 1 − 4 + 0.2 < 0;  1 − 1 + 0.2;  0 − 2 + 0.2 < 0
    assert float(triplet_loss(anchors, positives, negatives)) == pytest.approx(0.2, abs=1e-12)
    # pulled apart: 4 − 1 + 0.2, 1 − 1 + 0.2, 2 − 0 + 0.2
    assert float(triplet_loss(anchors, negatives, positives)) == pytest.approx(5.6, abs=1e-12)
    wide = float(triplet_loss(anchors, positives, negatives, margin=4))
    assert wide == pytest.approx(1 + 4 + 2, abs=1e-12)


def test_the_gradient_pulls_the_positive_in_and_pushes_the_negative_away() -> None:
    anchor, positive, negative = unit(0), unit(50).requires_grad_(), unit(40).requires_grad_()
    triplet_loss(anchor, positive, negative).backward()
    assert positive.grad is not None
    assert negative.grad is not None
    for point, sign in ((positive, -1), (negative, 1)):
        moved = F.normalize(point - 0.1 * point.grad).detach()
        before = float((point.detach() - anchor).norm())
        assert sign * (float((moved - anchor).norm()) - before) > 0.01


def slow_semi_hard(x: Tensor, labels: list[int]) -> list[tuple[int, int, int]]:
    far = [[float((a - b).square().sum().sqrt()) for b in x] for a in x]
    found = []
    n = len(labels)
    for a in range(n):
        negatives = [i for i in range(n) if labels[i] != labels[a]]
        if not negatives:
            continue
        for p in range(n):
            if p == a or labels[p] != labels[a]:
                continue
            further = [i for i in negatives if far[a][i] > far[a][p]]
            if further:
                found.append((a, p, min(further, key=lambda i: far[a][i])))
            else:
                found.append((a, p, max(negatives, key=lambda i: far[a][i])))
    return found


@given(st.lists(st.integers(0, 3), max_size=12), st.integers(0, 2**31))
@settings(max_examples=100)
def test_mining_is_the_slow_loops(labels: list[int], seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    x = F.normalize(torch.randn(len(labels), 3, generator=generator, dtype=torch.float64))
    found = semi_hard(x, torch.tensor(labels, dtype=torch.int64))
    assert list(zip(*(part.tolist() for part in found), strict=True)) == slow_semi_hard(x, labels)


def test_semi_hard_is_further_than_the_positive_but_not_by_much() -> None:
    # anchor at 0, positive at 30; negatives at 20 (too hard), 40, 90 and 170
    x, labels = unit(0, 30, 20, 40, 90, 170), torch.tensor([0, 0, 1, 2, 3, 4])
    found = semi_hard(x, labels)
    assert (int(found.anchor[0]), int(found.positive[0]), int(found.negative[0])) == (0, 1, 3)
    # every negative nearer than the positive: the furthest of them
    found = semi_hard(unit(0, 90, 10, -30, 20), torch.tensor([0, 0, 1, 1, 2]))
    assert int(found.negative[0]) == 3
    # a negative as far as the positive is not further
    found = semi_hard(unit(0, 60, -60, 100), torch.tensor([0, 0, 1, 1]))
    assert int(found.negative[0]) == 3


def test_the_mined_loss_is_the_mean_over_triplets() -> None:
    x = F.normalize(torch.randn(9, 4, generator=torch.Generator().manual_seed(3)).double())
    labels = torch.tensor([0, 0, 0, 1, 1, 2, 2, 2, 3])
    triplets = slow_semi_hard(x, labels.tolist())
    assert len(triplets) == 6 + 2 + 6
    slow = sum(
        max(0.0, float((x[a] - x[p]).square().sum() - (x[a] - x[n]).square().sum()) + 0.2)
        for a, p, n in triplets
    ) / len(triplets)
    assert slow > 0
    assert float(semi_hard_loss(x, labels)) == pytest.approx(slow, rel=1e-9)


@pytest.mark.parametrize("labels", [[1, 1, 1], [0, 1, 2], [5], []])
def test_batches_without_triplets_have_no_loss_and_a_gradient_of_zero(labels: list[int]) -> None:
    x = unit(*(30.0 * i for i in range(len(labels)))).requires_grad_()
    loss = semi_hard_loss(x, torch.tensor(labels, dtype=torch.int64))
    assert float(loss.detach()) == 0
    loss.backward()
    assert x.grad is not None
    assert torch.equal(x.grad, torch.zeros_like(x))


def test_what_is_no_embedding() -> None:
    x, labels = unit(0, 10, 90), torch.tensor([0, 0, 1])
    assert float(semi_hard_loss(x, labels)) >= 0  # the positive control
    with pytest.raises(Mistake, match="norm of 1; found 2 to 2"):
        semi_hard_loss(2 * x, labels)
    with pytest.raises(Mistake, match=r"\(3, 2\) and \(2,\)"):
        semi_hard_loss(x, labels[:2])
    with pytest.raises(Mistake, match=r"\(3, 2\), \(3, 2\), \(2, 2\)"):
        triplet_loss(x, x, x[:2])
    with pytest.raises(Mistake, match="0 or more, not -1"):
        triplet_loss(x, x, x, margin=-1)
    with pytest.raises(Mistake, match="real numbers"):
        triplet_loss(x.long(), x.long(), x.long())


def slow_retrieval(x: Tensor, labels: list[int], k: int) -> tuple[float, float, float, int]:
    """Averages over every order of equally far others."""
    rows = []
    for q in range(len(labels)):
        others = [i for i in range(len(labels)) if i != q]
        if not any(labels[i] == labels[q] for i in others):
            continue
        far = {i: float((x[i] - x[q]).abs().max()) for i in others}  # one dimension: exact
        figures = []
        for order in itertools.permutations(others):
            ranked = [far[i] for i in order]
            if ranked != sorted(ranked):
                continue
            hits = [labels[i] == labels[q] for i in order]
            precisions = [sum(hits[: i + 1]) / (i + 1) for i in range(len(hits)) if hits[i]]
            figures.append((hits[0], sum(hits[:k]) / k, sum(precisions) / len(precisions)))
        rows.append([sum(column) / len(figures) for column in zip(*figures, strict=True)])
    if not rows:
        return 0, 0, 0, 0
    one, precision, average = (sum(column) / len(rows) for column in zip(*rows, strict=True))
    return one, precision, average, len(rows)


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), min_size=3, max_size=6),
    st.integers(1, 2),
)
@settings(max_examples=100)
def test_retrieval_with_ties_is_the_average_over_their_orders(
    points: list[tuple[int, int]], k: int
) -> None:
    x = torch.tensor([[float(place)] for place, _ in points], dtype=torch.float64)
    labels = [label for _, label in points]
    one, precision, average, queries = slow_retrieval(x, labels, k)
    if queries == 0:
        with pytest.raises(Mistake, match="nothing to retrieve"):
            retrieval(x, torch.tensor(labels), k=k)
        return
    found = retrieval(x, torch.tensor(labels), k=k)
    expected = (one, precision, average, queries, len(labels) - queries)
    assert found == pytest.approx(expected, abs=1e-12)


def test_retrieval_by_hand() -> None:
    x, labels = unit(0, 10, 25, 90, 100), torch.tensor([0, 0, 1, 1, 2])
    # 0: 10 25 90 100 → hit at 1.  10: 0 25 … → hit at 1.
    # 25: 10 0 90 100 → hit at 3.  90: 100 25 10 0 → hit at 2.  100 is alone
    found = retrieval(x, labels, k=2)
    assert found == pytest.approx(Retrieval(0.5, (0.5 * 3) / 4, (1 + 1 + 1 / 3 + 1 / 2) / 4, 4, 1))


def test_a_collapsed_embedding_retrieves_as_chance_does() -> None:
    labels = torch.arange(40) % 4
    x = unit(*([17.0] * 40))
    found = retrieval(x, labels, k=5)
    assert found.recall_at_1 == pytest.approx(9 / 39)
    assert found.precision_at_k == pytest.approx(9 / 39)
    order = torch.randperm(40, generator=torch.Generator().manual_seed(0))
    assert retrieval(x[order], labels[order], k=5) == pytest.approx(found)


def test_retrieval_in_parts_is_retrieval_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    x = F.normalize(torch.randn(30, 3, generator=torch.Generator().manual_seed(1)))
    labels = torch.arange(30) % 7
    whole = retrieval(x, labels, k=3)
    monkeypatch.setattr("hubel.training.triplet.BATCH", 7)
    assert retrieval(x, labels, k=3) == pytest.approx(whole, abs=1e-12)
    perfect = retrieval(F.one_hot(labels).double(), labels, k=3)
    assert perfect == pytest.approx(Retrieval(1.0, 1.0, 1.0, 30, 0))


def test_retrieval_of_what_cannot_be() -> None:
    x, labels = unit(0, 10, 90), torch.tensor([0, 0, 1])
    assert retrieval(x, labels, k=1).queries == 2
    with pytest.raises(Mistake, match="1 to 2, not 3"):
        retrieval(x, labels, k=3)
    with pytest.raises(Mistake, match=r"\(3, 2\) and \(2,\)"):
        retrieval(x, labels[:2], k=1)
    with pytest.raises(Mistake, match="finite"):
        retrieval(torch.full((3, 2), INFINITE), labels, k=1)
