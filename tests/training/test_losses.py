"""Losses: the lecture's golden numbers, gradients, stability, and what is no batch."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from hubel.mistakes import Mistake
from hubel.training import losses
from hubel.training.losses import (
    LOSSES,
    binary_cross_entropy,
    cross_entropy,
    hinge,
    l1,
    l2,
    loss,
    map_criterion,
)

# cat, car, frog: three images, right in the second only
SCORES = torch.tensor([[3.2, 5.1, -1.7], [1.3, 4.9, 2.0], [2.2, 2.5, -3.1]], dtype=torch.float64)
LABELS = torch.tensor([0, 1, 2])


def test_hinge_of_the_lecture() -> None:
    each = [float(hinge(SCORES[i : i + 1], LABELS[i : i + 1])) for i in range(3)]
    assert [round(x, 10) for x in each] == [2.9, 0.0, 12.9]
    assert round(float(hinge(SCORES, LABELS)), 2) == 5.27


def test_softmax_of_the_lecture_and_its_erratum() -> None:
    exponentials = SCORES[0].exp().tolist()
    assert [round(x, d) for x, d in zip(exponentials, (1, 1, 2), strict=True)] == [
        24.5,
        164.0,
        0.18,
    ]
    probabilities = SCORES[0].softmax(0).tolist()
    assert [round(p, 2) for p in probabilities] == [0.13, 0.87, 0.0]
    value = float(cross_entropy(SCORES[:1], LABELS[:1]))
    assert round(value, 2) == 2.04
    assert round(value / math.log(10), 2) == 0.89  # what the slide prints: base 10


def slow_hinge(scores: Tensor, labels: Tensor, margin: float) -> float:
    total = 0.0
    for row, y in zip(scores.tolist(), labels.tolist(), strict=True):
        total += sum(max(0.0, s - row[y] + margin) for j, s in enumerate(row) if j != y)
    return total / len(labels)


def slow_cross_entropy(scores: Tensor, labels: Tensor, smoothing: float) -> float:
    total = 0.0
    for row, y in zip(scores.tolist(), labels.tolist(), strict=True):
        top = max(row)
        norm = top + math.log(sum(math.exp(s - top) for s in row))
        target = [smoothing / len(row) + (1 - smoothing) * (j == y) for j in range(len(row))]
        total += sum(t * (norm - s) for t, s in zip(target, row, strict=True))
    return total / len(labels)


batches = st.integers(1, 6).flatmap(
    lambda n: st.tuples(
        st.lists(st.lists(st.floats(-50, 50), min_size=4, max_size=4), min_size=n, max_size=n),
        st.lists(st.integers(0, 3), min_size=n, max_size=n),
    )
)


@given(batches, st.floats(0, 3), st.floats(0, 0.9))
def test_the_slow_ones_agree(
    batch: tuple[list[list[float]], list[int]], margin: float, smoothing: float
) -> None:
    scores, labels = torch.tensor(batch[0], dtype=torch.float64), torch.tensor(batch[1])
    assert float(hinge(scores, labels, margin=margin)) == pytest.approx(
        slow_hinge(scores, labels, margin), rel=1e-12, abs=1e-12
    )
    assert float(cross_entropy(scores, labels, smoothing=smoothing)) == pytest.approx(
        slow_cross_entropy(scores, labels, smoothing), rel=1e-12, abs=1e-12
    )


def test_class_weights_are_a_weighted_mean() -> None:
    weights = torch.tensor([1.0, 2.0, 5.0], dtype=torch.float64)
    each = [float(cross_entropy(SCORES[i : i + 1], LABELS[i : i + 1])) for i in range(3)]
    expected = sum(w * x for w, x in zip(weights.tolist(), each, strict=True)) / 8
    assert float(cross_entropy(SCORES, LABELS, weights=weights)) == pytest.approx(expected)


def test_binary_cross_entropy_in_its_three_forms() -> None:
    z, y = torch.tensor([0.3, -2.0, 5.0], dtype=torch.float64), torch.tensor([1, 0, 0])
    p = torch.sigmoid(z)
    expected = float(-(y * p.log() + (1 - y) * (1 - p).log()).mean())
    assert float(binary_cross_entropy(z, y)) == pytest.approx(expected, rel=1e-12)
    assert float(binary_cross_entropy(z[:, None], y)) == pytest.approx(expected, rel=1e-12)
    logits = torch.stack((z, -z), 1)  # two classes, each against the rest
    one_hot = torch.nn.functional.one_hot(y, 2).double()
    q = torch.sigmoid(logits)
    expected = float(-(one_hot * q.log() + (1 - one_hot) * (1 - q).log()).mean())
    assert float(binary_cross_entropy(logits, y)) == pytest.approx(expected, rel=1e-12)


def test_map_criterion_is_equation_9() -> None:
    distances = torch.tensor([[4.0, 1.0, 9.0]], dtype=torch.float64)
    for j in (0.5, 2.0):
        expected = 1.0 + math.log(math.exp(-j) + math.exp(-4) + math.exp(-1) + math.exp(-9))
        found = map_criterion(-distances, torch.tensor([1]), j=j)
        assert float(found) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", LOSSES)
def test_huge_logits_stay_finite_and_softmax_rows_sum_to_one(name: str) -> None:
    logits = torch.tensor([[1e4, -1e4, 0.0], [-1e4, 1e4, 1e4]])
    assert torch.isfinite(LOSSES[name](logits, torch.tensor([1, 0])))
    assert torch.allclose(logits.softmax(1).sum(1), torch.ones(2), rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_are_right(name: str) -> None:
    logits = SCORES.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda z: LOSSES[name](z, LABELS), logits, rtol=1e-6, atol=1e-9)


def test_gradients_of_the_settings_and_penalties_are_right() -> None:
    weights = torch.tensor([1.0, 2.0, 5.0], dtype=torch.float64)
    for function in (
        lambda z: cross_entropy(z, LABELS, smoothing=0.1, weights=weights),
        lambda z: binary_cross_entropy(z[:, 0], torch.tensor([1, 0, 1])),
        lambda z: l1([z]),
        lambda z: l2([z]),
    ):
        logits = SCORES.clone().requires_grad_()
        assert torch.autograd.gradcheck(function, logits, rtol=1e-6, atol=1e-8)


def test_penalties_see_weights_and_not_biases() -> None:
    parameters = [torch.tensor([[1.0, -2.0], [3.0, 0.0]]), torch.tensor([10.0, 10.0])]
    assert float(l1(parameters)) == 6
    assert float(l2(parameters)) == 14
    assert float(l1(parameters[1:])) == float(l2(parameters[1:])) == 0


@pytest.mark.parametrize("name", LOSSES)
def test_no_batch_no_mean_and_no_label_out_of_range(name: str) -> None:
    function = LOSSES[name]
    assert torch.isfinite(function(SCORES, LABELS))  # the positive control
    with pytest.raises(Mistake, match="empty"):
        function(SCORES[:0], LABELS[:0])
    with pytest.raises(Mistake, match="found 7"):
        function(SCORES, torch.tensor([0, 7, 1]))
    with pytest.raises(Mistake, match="found -1"):
        function(SCORES, torch.tensor([0, -1, 1]))
    with pytest.raises(Mistake, match=r"\(2,\)"):
        function(SCORES, LABELS[:2])
    with pytest.raises(Mistake, match="int32"):
        function(SCORES, LABELS.int())


def test_impossible_smoothing_and_weights() -> None:
    with pytest.raises(Mistake, match=r"1\.5"):
        cross_entropy(SCORES, LABELS, smoothing=1.5)
    with pytest.raises(Mistake, match=r"\(2,\)"):
        cross_entropy(SCORES, LABELS, weights=torch.ones(2))


def test_losses_by_name() -> None:
    assert loss("hinge") is hinge
    smoothed = loss("cross-entropy", smoothing=0.1)
    assert float(smoothed(SCORES, LABELS)) == float(cross_entropy(SCORES, LABELS, smoothing=0.1))
    with pytest.raises(Mistake, match="cross-entropy"):
        loss("crossentropy")
    with pytest.raises(Mistake, match="not for hinge"):
        loss("hinge", smoothing=0.1)
    assert losses.loss is loss
