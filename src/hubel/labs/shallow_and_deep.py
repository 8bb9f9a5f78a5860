"""Features designed by hand with a classifier behind them, against a hierarchy that is learned."""

import math
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hubel.baselines.shallow import BASELINES, Part, baselines
from hubel.figures import interval, percent, tells
from hubel.labs.built import network_for
from hubel.labs.inversion import inversion, inversion_picture, likeness
from hubel.labs.lab import Drawing, Finding, Setting, Shown
from hubel.labs.learning import Pictures, answers, colour_pictures, learn
from hubel.mistakes import Failure
from hubel.report.drawing import ACCENT, INK, MUTED, in_percent, panels, png, style
from hubel.training.comparison import beside
from hubel.training.evaluate import wilson

BY_HAND = ("colour histogram + linear SVM", "HOG + linear SVM")
NETWORKS = {  # network of the catalogue → its name here, and its rate
    "linear": ("linear on pixels", 0.003),
    "mlp": ("multi-layer perceptron", 0.01),
    "small": ("convolutional network", 0.05),
}
DEEP = NETWORKS["small"][0]
SHOWN = 8  # pictures whose HOG is inverted


class Rated(NamedTuple):
    """A method: which test pictures (N,) it names rightly, their share, and its 95 % interval."""

    right: NDArray[np.bool_]
    accuracy: float
    interval: tuple[float, float]


def shallow_and_deep(setting: Setting) -> Shown:
    """Five methods on one split of colour pictures, and what the best hand-made features see."""
    train, test, epochs = setting.pick((200, 100, 2), (3000, 2000, 20), (20000, 10000, 30))
    data = colour_pictures(train, test, seed=setting.seed)
    inside, outside = _split(data)
    rated = _by_hand(setting, inside, outside) | _learned(setting, inside, epochs)
    fit = inversion(inside.train.numpy(), outside.images)
    alike, mean = likeness(fit, data.test.numpy())
    shown = _one_of_each(data)
    names = [data.classes[int(data.test_labels[i])] for i in shown]
    return Shown(
        findings=(_finding(rated, inside),),
        drawings=(
            Drawing(
                "accuracies",
                _bars(rated),
                f"Accuracy on {len(data.test):,} test pictures, with 95 % intervals; in orange "
                "what is learned from the pixels on.",
            ),
            Drawing(
                "hog",
                inversion_picture(fit, data.test[shown].numpy(), names),
                "What HOG sees: test pictures, their histograms of oriented gradients, and the "
                "brightness that a ridge regression fitted on training pictures finds for these "
                "histograms alone (after Vondrick et al. 2013).",
            ),
        ),
        numbers={
            "methods": {
                name: {"accuracy": row.accuracy, "interval": row.interval}
                for name, row in rated.items()
            },
            "correlation": {"inverted_hog": alike, "mean_picture": mean},
            "ridge": fit.strength,
        },
        lines=(
            "What is given back from the HOG of test pictures alone correlates with their "
            f"brightness by {alike:.2f}, pixel by pixel; the mean training picture by {mean:.2f}. "
            "Lost are colour, lightness, contrast, and whether a picture is its own negative.",
        ),
    )


def _split(data: Pictures) -> tuple[Pictures, Part]:
    """What everything learns from, and the last sixth, by which strengths are chosen."""
    cut = len(data.train) * 5 // 6
    inside = replace(data, train=data.train[:cut], train_labels=data.train_labels[:cut])
    return inside, Part(data.train[cut:].numpy(), data.train_labels[cut:].numpy())


def _by_hand(setting: Setting, data: Pictures, outside: Part) -> dict[str, Rated]:
    rows = {name: BASELINES[name] for name in BY_HAND}
    train = Part(data.train.numpy(), data.train_labels.numpy())
    test = Part(data.test.numpy(), data.test_labels.numpy())
    setting.watch.progress("by hand", 0, len(rows), BY_HAND[0])
    rated = {}
    for row in baselines(train, outside, test, rows=rows, seconds=math.inf):
        if row.answers is None:
            raise Failure(f"{row.name} did not converge: there is nothing to compare with.")
        rated[row.name] = _rated(row.answers, data)
        setting.watch.progress("by hand", len(rated), len(rows), row.name)
    return rated


def _learned(setting: Setting, data: Pictures, epochs: int) -> dict[str, Rated]:
    rated: dict[str, Rated] = {}

    def told(word: str, at: int, steps: int) -> None:
        setting.watch.progress("train", len(rated) * steps + at, len(NETWORKS) * steps, word)

    for name, (word, lr) in NETWORKS.items():
        learned = learn(
            network_for(name, data, seed=setting.seed), data, epochs=epochs, lr=lr,
            planned="one-cycle", batch_size=64, weight_decay=5e-4, seed=setting.seed, on_train=0,
            measured="last", progress=partial(told, word),
        )  # fmt: skip
        rated[word] = _rated(answers(learned.classifier, data.test).argmax(1).numpy(), data)
    return rated


def _rated(answered: NDArray[np.int64], data: Pictures) -> Rated:
    right = answered == data.test_labels.numpy()
    return Rated(right, float(right.mean()), wilson(int(right.sum()), len(right)))


def _one_of_each(data: Pictures) -> list[int]:
    """The first test picture of each of the first SHOWN classes that have one."""
    labels = data.test_labels.tolist()
    return [labels.index(k) for k in range(len(data.classes)) if k in labels][:SHOWN]


def _finding(rated: dict[str, Rated], data: Pictures) -> Finding:
    deep = rated[DEEP]
    rival = max((name for name in rated if name != DEEP), key=lambda name: rated[name].accuracy)
    row = beside(rival, rated[rival].right, deep.right)
    listed = ", ".join(f"{name} {percent(one.accuracy)}" for name, one in rated.items())
    return Finding(
        "L4",
        f"{listed[0].upper()}{listed[1:]}; the learned hierarchy is "
        f"{100 * (deep.accuracy - row.accuracy):+.1f} points from the best of the others, {rival} "
        f"({row.only_ours} pictures only it names rightly against {row.only_theirs}, p = "
        f"{row.p:.2g}).",
        row.beaten,
        f"{len(data.train):,} pictures of {data.what} to learn from, {len(data.test):,} to test on",
        f"95 % intervals: {DEEP} {interval(deep.interval)}, {rival} "
        f"{interval(rated[rival].interval)}",
    )


def _bars(rated: dict[str, Rated]) -> bytes:
    with style():
        figure, (axes,) = panels(1, 1, width=460, height=190)
        for i, (name, one) in enumerate(rated.items()):
            axes.barh(i, one.accuracy, color=INK if name in BY_HAND else ACCENT, height=0.6)
            if tells(one.interval):
                axes.plot(one.interval, [i, i], color=MUTED, lw=2.5)
            axes.text(1.015, i, percent(one.accuracy), va="center", fontsize=9)
        axes.set_yticks(range(len(rated)), list(rated))
        axes.invert_yaxis()
        in_percent(axes.xaxis)
        axes.set(xlim=(0, 1), xlabel="accuracy on test pictures")
        return png(figure)
