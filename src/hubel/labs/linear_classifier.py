"""f(x, W) = Wx + b: four pixels by hand, then the 3,072 numbers of a picture, and templates."""

from typing import Any

import torch
from torch import Tensor, nn

from hubel import draws
from hubel.figures import percent, within
from hubel.labs.lab import Drawing, Finding, Setting, Shown
from hubel.labs.learning import Learned, Pictures, colour_pictures, learn, spread
from hubel.networks.linear import linear
from hubel.report.filters import filters
from hubel.training.evaluate import wilson

# The example with three classes, of which the lecture shows the scores.
W = ((0.2, -0.5, 0.1, 2.0), (1.5, 1.3, 2.1, 0.0), (0.0, 0.25, 0.2, -0.3))
X = (56.0, 231.0, 24.0, 2.0)
B = (1.1, 3.2, -1.2)
NAMES = ("cat", "dog", "ship")
SCORES = (-96.8, 437.9, 60.75)  # L11's

SMOOTHING = 0.15  # λ of ΣW²: without it a template shows the noise of its pictures


def linear_classifier(setting: Setting) -> Shown:
    """The slide's scores, and a linear classifier learned from pictures of 32×32×3 numbers."""
    scores = by_hand()
    data = colour_pictures(
        setting.pick(600, 20000, 50000), setting.pick(300, 4000, 10000), seed=setting.seed
    )
    orders = setting.pick(1, 3, 5)
    learned = [_trained(setting, data, order, orders) for order in range(orders)]
    weights = learned[0].classifier.network.get_submodule("score").weight
    assert isinstance(weights, Tensor)  # noqa: S101 - a linear layer's
    rows, numbers = weights.shape
    accuracies = [float(one.history[-1]["test_accuracy"]) for one in learned]
    n = len(data.test)
    bounds = wilson(round(accuracies[0] * n), n)
    chance = float(data.test_labels.bincount().max()) / n
    image = tuple(data.train.shape[1:])
    return Shown(
        findings=(
            Finding(
                "L10",
                f"{rows} scores from {numbers:,} numbers ({rows} × {numbers:,} weights and {rows} "
                f"biases): {percent(accuracies[0])} of held-out pictures are named rightly "
                f"({within(bounds)}), where always the commonest class names "
                f"{percent(chance)}; the rows are drawn as {rows} pictures of "
                f"{image[1]}×{image[2]}.",
                (rows, numbers) == (10, 32 * 32 * 3) and bounds[0] > chance,
                f"{len(data.train):,} pictures of {data.what} to learn from, {n:,} held out, "
                f"{orders} orders",
                f"accuracy {spread(100 * each for each in accuracies)} % over the orders",
            ),
            Finding(
                "L11",
                "The scores are " + ", ".join(f"{s:g}".replace("-", "−") for s in scores) + ".",
                all(abs(s - said) < 1e-9 for s, said in zip(scores, SCORES, strict=True)),
                "3 classes, 4 pixels",
            ),
        ),
        drawings=(
            Drawing(
                "templates",
                filters(weights.detach().view(rows, *image).numpy(), data.classes),
                "The rows of W as pictures, each on its own scale: grey is a weight of 0, light "
                "wants light there and dark wants dark.",
            ),
        ),
        numbers=_numbers(scores, learned, bounds, chance),
        lines=_lines(scores),
    )


def by_hand() -> tuple[float, ...]:
    """Wx + b of the example, product by product in float64."""
    w, x, b = (torch.tensor(part, dtype=torch.float64) for part in (W, X, B))
    return tuple((w * x).sum(1).add(b).tolist())


def _trained(setting: Setting, data: Pictures, order: int, orders: int) -> Learned:
    """From W = 0, which will do for a single layer: what is seen is what was learned."""
    network = linear(classes=len(data.classes))
    for parameter in network.parameters():
        nn.init.zeros_(parameter)
    return learn(
        network,
        data,
        epochs=setting.pick(3, 6, 12),
        lr=0.003,
        weight_decay=2 * SMOOTHING,
        planned="one-cycle",
        seed=draws.integer(setting.seed, "linear", order),
        progress=lambda done, total: setting.watch.progress(
            "train", order * total + done, orders * total, f"order {order + 1}"
        ),
    )


def _lines(scores: tuple[float, ...]) -> tuple[str, ...]:
    """Every product of the example, as it would be written on a blackboard."""
    lines = []
    for name, row, bias, score in zip(NAMES, W, B, scores, strict=True):
        products = " + ".join(f"{w:g}·{x:g}" for w, x in zip(row, X, strict=True))
        values = " + ".join(f"{w * x:g}" for w, x in zip(row, X, strict=True))
        lines.append(f"{name}: {products} + {bias:g}".replace("-", "−").replace("+ −", "− "))
        lines.append(f"   = {values} + {bias:g} = {score:g}".replace("-", "−").replace("+ −", "− "))
    return tuple(lines)


def _numbers(
    scores: tuple[float, ...], learned: list[Learned], bounds: tuple[float, float], chance: float
) -> dict[str, Any]:
    last = [one.history[-1] for one in learned]
    return {
        "scores": list(scores),
        "accuracy": [row["test_accuracy"] for row in last],
        "training_accuracy": [row["train_accuracy"] for row in last],
        "interval": list(bounds),
        "commonest_class": chance,
    }
