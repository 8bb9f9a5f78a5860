"""Linear classifiers by L-BFGS: scikit-learn's, to the last figure that matters."""

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

from hubel.training.linear import Fitted, softmax_regression, svm


def blobs(classes: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Overlapping, and of unequal numbers."""
    draw = np.random.default_rng(0)
    labels = np.arange(150) % classes
    labels = labels[(labels > 0) | (np.arange(150) % 3 == 0)]
    return draw.normal(size=(len(labels), 7)) + draw.normal(size=(classes, 7))[labels], labels


@pytest.mark.parametrize("balanced", [False, True])
@pytest.mark.parametrize("classes", [2, 3, 6])
def test_softmax_regression(classes: int, balanced: bool) -> None:
    features, labels = blobs(classes)
    ours = softmax_regression(features, labels, classes, strength=0.3, balanced=balanced)
    assert ours.converged
    theirs = LogisticRegression(
        C=0.3, class_weight="balanced" if balanced else None, tol=1e-10, max_iter=10_000
    ).fit(features, labels)
    scores = ours.scores(features)
    shares = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    np.testing.assert_allclose(shares, theirs.predict_proba(features), atol=1e-3)


@pytest.mark.parametrize("classes", [2, 3, 6])
def test_svm(classes: int) -> None:
    features, labels = blobs(classes)
    ours = svm(features, labels, classes, strength=0.1)
    assert ours.converged
    theirs = LinearSVC(C=0.1, class_weight="balanced", dual=False, tol=1e-10, max_iter=10_000)
    expected = theirs.fit(features, labels).decision_function(features)
    scores = ours.scores(features)
    found = scores[:, 1] if classes == 2 else scores
    np.testing.assert_allclose(found, expected, atol=1e-3)
    assert np.array_equal(scores.argmax(1), theirs.predict(features))


@pytest.mark.parametrize("fit", [softmax_regression, svm])
def test_one_that_is_cut_short_says_so(fit: object) -> None:
    features, labels = blobs(3)

    def fitted(**how: object) -> Fitted:
        return fit(features, labels, 3, strength=1.0, **how)

    assert fitted().converged
    assert not fitted(steps=2).converged
    asked = itertools.count()
    assert not fitted(stop=lambda: next(asked) == 1).converged
    assert next(asked) == 2  # after the second step
