"""The head's regression: against scikit-learn, in the network's own units; and its settings."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from hubel.transfer.probe import USUAL, probe


def blobs(classes: int, n: int = 120, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % classes
    middles = torch.randn(classes, 6, generator=generator) * 2
    return middles[labels] + torch.randn(n, 6, generator=generator), labels


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_gives_the_regression_s_own_logits(classes: int) -> None:
    features, labels = blobs(classes)
    weights, biases = probe(features, labels, classes=classes)
    scaled = StandardScaler().fit_transform(features.double().numpy())
    oracle = LogisticRegression(C=USUAL, max_iter=5_000, tol=1e-9).fit(scaled, labels.numpy())
    ours = (features @ weights.T + biases).softmax(1).numpy()
    np.testing.assert_allclose(ours, oracle.predict_proba(scaled), atol=1e-4)


def test_validation_chooses_the_strength() -> None:
    features, labels = blobs(3)
    outside = blobs(3, n=60, seed=0)
    weights, _ = probe(features, labels, classes=3, validation=outside)
    assert weights.shape == (3, 6)


def test_a_class_without_pictures_is_never_named() -> None:
    features, labels = blobs(2)
    weights, biases = probe(features, labels * 2, classes=3)  # classes 0 and 2
    assert set((features @ weights.T + biases).argmax(1).tolist()) == {0, 2}


def test_features_that_never_change_do_no_harm() -> None:
    features, labels = blobs(2)
    features[:, 0] = 7.0
    weights, biases = probe(features, labels, classes=2)
    assert torch.isfinite(weights).all()
    assert torch.isfinite(biases).all()


def test_balanced_names_the_rare_class_more_often() -> None:
    generator = torch.Generator().manual_seed(1)
    labels = torch.cat((torch.zeros(190), torch.ones(10))).long()
    features = torch.randn(200, 4, generator=generator) + labels[:, None] * 0.8
    named = [
        int((features @ w.T + b).argmax(1).sum())
        for w, b in (probe(features, labels, classes=2, balanced=flag) for flag in (False, True))
    ]
    assert named[1] > 2 * named[0]
