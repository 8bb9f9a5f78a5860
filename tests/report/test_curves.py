import math
import re
from xml.etree import ElementTree

import pytest

from hubel.mistakes import Mistake
from hubel.report.curves import curves
from hubel.report.training_loss import grey

HISTORY = [
    {"epoch": e, "loss": 1 / e, "accuracy": 1 - 0.5 / e, "validation_accuracy": 0.8, "rate": 0.1}
    for e in (1.0, 2.0, 3.0)
]


def _texts(svg: bytes) -> list[str]:
    return [
        node.text or "" for node in ElementTree.fromstring(svg).iter() if node.tag.endswith("}text")
    ]


def test_all_three_are_svg_with_their_axes_named() -> None:
    for picture in curves(HISTORY, best_epoch=2):
        assert "epoch" in _texts(picture)
        assert "1" in _texts(picture)


def test_only_what_was_measured_is_drawn() -> None:
    made = curves(HISTORY)
    assert {"training", "validation"} <= set(_texts(made.accuracy))
    assert "validation" not in _texts(made.loss)  # one line needs no legend
    assert any("%" in text for text in _texts(made.accuracy))


def test_the_kept_epoch_is_marked() -> None:
    assert curves(HISTORY, best_epoch=2).accuracy != curves(HISTORY).accuracy


@pytest.mark.parametrize("last", [0.5, 0.001])
def test_a_loss_that_falls_far_is_drawn_on_a_logarithmic_axis(last: float) -> None:
    numbers = [
        float(text)
        for text in _texts(curves([{"loss": 2.0}, {"loss": last}]).loss)
        if re.fullmatch(r"[\d.]+", text)
    ]
    assert (0.001 in numbers) == (last == 0.001)


@pytest.mark.parametrize(
    "history",
    [
        [{"epoch": 1.0}],
        [{"loss": math.nan, "accuracy": 0.1, "rate": 0.0}],
        [{"loss": math.inf}, {"loss": 1.0}],
        [{"loss": 0.0, "accuracy": 1.0, "rate": 0.0}] * 2,
        [{"loss": -1.0, "accuracy": 0.0, "rate": 1e-9}] * 300,
    ],
)
def test_gaps_and_extremes_are_drawn(history: list[dict[str, float]]) -> None:
    for picture in curves(history, best_epoch=1):
        ElementTree.fromstring(picture)


def test_an_empty_history_is_a_mistake() -> None:
    with pytest.raises(Mistake, match="no finished epoch"):
        curves([])


def test_the_longest_legend_fits() -> None:
    # which the fixture that looks at every figure would find
    recipe = {"flip": True, "adversary": "fast", "smoothing": 0.1}
    both = [{"loss": 1.0, "accuracy": 0.5, "validation_loss": 1.0, "validation_accuracy": 0.5}]
    assert b"attacked, smoothed" in curves(both, training=grey(recipe)[:2]).loss
