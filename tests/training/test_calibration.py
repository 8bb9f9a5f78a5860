"""Calibration and temperature, against the definitions; temperature changes no answer."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hubel.training.calibration import calibration, temperature


def drawn(seed: int, sure: float, n: int = 4000, k: int = 5) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits that are calibrated, times `sure`."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(n, k, generator=generator) * 2
    labels = torch.multinomial(logits.softmax(1), 1, generator=generator)[:, 0]
    return logits * sure, labels


@settings(max_examples=20)
@given(st.integers(0, 99), st.sampled_from([0.5, 1.0, 2.0, 4.0]))
def test_the_temperature_undoes_what_made_it_too_sure(seed: int, sure: float) -> None:
    logits, labels = drawn(seed, sure)
    found = temperature(logits, labels)
    assert abs(found / sure - 1) < 0.12
    before, after = calibration(logits, labels).error, calibration(logits / found, labels).error
    assert after < max(0.04, before)


@settings(max_examples=20)
@given(st.integers(0, 999), st.integers(1, 60), st.integers(1, 20))
def test_the_error_is_its_definition(seed: int, n: int, bins: int) -> None:
    logits, labels = drawn(seed, 1.0, n=n)
    found = calibration(logits, labels, bins=bins)
    probabilities = logits.double().softmax(1).numpy()
    total = 0.0
    for low in np.arange(bins) / bins:  # the slow way: one bin after another, one picture at a time
        inside = [
            (p.max(), p.argmax() == label)
            for p, label in zip(probabilities, labels.tolist(), strict=True)
            if low <= p.max() < low + 1 / bins or (p.max() == 1 and low + 1 / bins >= 1)
        ]
        if inside:
            confidence, right = np.mean(inside, axis=0)
            total += abs(confidence - right) * len(inside) / n
    assert abs(found.error - total) < 1e-9
    assert sum(row.n for row in found.bins) == n


def test_answers_without_a_mistake_stay_bounded() -> None:
    logits = torch.eye(3) * 5
    assert 1 / 21 < temperature(logits, torch.arange(3)) < 0.2
