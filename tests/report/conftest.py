"""A small, complete report with every part filled, for the tests to vary."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from hubel.report.results import FirstLayer, Miss, MissPair, TrainingReport
from hubel.results import ClassFigures, Evaluation

EPOCHS = 6


@pytest.fixture
def figures() -> Callable[[Sequence[str]], Evaluation]:
    """Figures of any classes, from a drawn confusion matrix."""

    def make(classes: Sequence[str]) -> Evaluation:
        k = len(classes)
        matrix = np.random.default_rng(k).integers(0, 4, (k, k)) + 40 * np.eye(k, dtype=np.int64)
        n, right = int(matrix.sum()), int(matrix.trace())
        precision = np.diag(matrix) / matrix.sum(0)
        recall = np.diag(matrix) / matrix.sum(1)
        rows = [
            ClassFigures(name, float(p), float(r), float(2 * p * r / (p + r)), int(count))
            for name, p, r, count in zip(classes, precision, recall, matrix.sum(1), strict=True)
        ]
        bounds = right / n - 0.02, right / n + 0.01
        return Evaluation(right / n, bounds, n, 0.99 if k > 5 else None, 0.3, rows, matrix)

    return make


@pytest.fixture
def report(figures: Callable[[Sequence[str]], Evaluation]) -> TrainingReport:
    classes = [f"kind {i}" for i in range(10)]
    image = np.arange(64, dtype=np.uint8).reshape(8, 8, 1)
    history = [
        {
            "epoch": float(e + 1),
            "loss": 2.0 * 0.4**e,
            "accuracy": 1 - 0.5**e / 2,
            "validation_loss": 2.1 * 0.5**e,
            "validation_accuracy": 1 - 0.6**e / 2,
            "rate": 0.01 * (EPOCHS - e),
            "seconds": 1.5 * (e + 1),
        }
        for e in range(EPOCHS)
    ]
    miss = Miss(image, "test/17", "kind 1", "kind 7", 0.99996)
    return TrainingReport(
        title="A title",
        data="letters",
        network="tiny",
        classes=classes,
        recipe={"lr": 0.01, "arguments": {"widths": (16, 32)}, "flip": None},
        environment={"python": "3.11.2"},
        history=history,
        best_epoch=5,
        validation=figures(classes),
        splits={"train": 1222, "validation": 216, "test": 359},
        parameters=24330,
        seconds=9.0,
        test=figures(classes),
        mistakes=[MissPair("kind 1", "kind 7", 3, [miss])],
        first_layer=FirstLayer(np.zeros((16, 1, 3, 3)), "filters"),
        notices=["3 files could not be read."],
    )
