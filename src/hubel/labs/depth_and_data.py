"""What depth is worth against the number of pictures: four networks on few and on many."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

import torch
from torch import nn

from hubel import draws
from hubel.figures import percent
from hubel.labs.bands import band
from hubel.labs.lab import Drawing, Finding, Setting, Shown
from hubel.labs.learning import Pictures, accuracy, grey_pictures, learn, spread
from hubel.networks import catalogue
from hubel.report.drawing import (
    ACCENT,
    INK,
    MUTED,
    in_percent,
    legend_below,
    panels,
    png,
    style,
)
from hubel.training.initialisation import initialise

RATE = 1e-3  # Adam's usual one, falling by a cosine
PAIRS = {"hidden layer": ("MLP", "linear"), "depth": ("deep CNN", "shallow CNN")}
Found = dict[str, list[list[float]]]  # network → seeds → accuracy by number of pictures


def depth_and_data(setting: Setting) -> Shown:
    """Accuracy on test pictures by number of training pictures a class, for every network.

    Every training has the same number of steps: fewer pictures come round more often.
    """
    sizes = setting.pick([2, 8], [5, 25, 125, 1000], [5, 20, 100, 500, 2000, 5000])
    epochs, test, seeds = setting.pick((1, 200, 2), (5, 2000, 3), (10, 10000, 5))
    found: Found = {name: [] for name in NETWORKS}
    weights: dict[str, int] = {}
    done, trainings = 0, seeds * len(NETWORKS) * len(sizes)
    what = ""
    for i in range(seeds):
        seed = draws.integer(setting.seed, "depth and data", i)
        data = grey_pictures(60000, test, seed=seed)
        what = data.what
        for name, row in NETWORKS.items():
            accuracies = []
            for size in sizes:
                network = row.build(data)
                initialise(network, "he", seed=seed)
                weights[name] = sum(p.numel() for p in network.parameters())
                learned = learn(
                    network, some(data, size, most=sizes[-1]), epochs=epochs, lr=RATE,
                    optimiser="adam", planned="cosine", batch_size=64, seed=seed,
                    on_train=0, measured="last",
                    progress=lambda at, steps, done=done, name=name: (  # type: ignore[misc]
                        setting.watch.progress("train", done * steps + at, trainings * steps, name)
                    ),
                )  # fmt: skip
                done += 1
                accuracies.append(accuracy(learned.classifier, data.test, data.test_labels))
            found[name].append(accuracies)
    n = f"{seeds} seeds, {test:,} test pictures of {what}, {sizes[0]} to {sizes[-1]} a class"
    return Shown(
        findings=(_deeper(found, sizes, n), _hungrier(found, weights, sizes, n)),
        drawings=(
            Drawing(
                "depth-and-data",
                _picture(found, weights, sizes),
                f"Accuracy on {what} against the number of training pictures a class; mean and "
                f"band of {seeds} seeds.",
            ),
        ),
        numbers={"accuracy": found, "sizes": sizes, "weights": weights},
    )


def some(data: Pictures, size: int, *, most: int) -> Pictures:
    """The first `size` training pictures of each class (or all), repeated to about `most` each."""
    chosen = []
    for label in range(len(data.classes)):
        own = (data.train_labels == label).nonzero()[:, 0][: min(size, most)]
        chosen.append(own.repeat(max(1, round(most / max(1, len(own))))))
    index = torch.cat(chosen)
    return Pictures(
        data.train[index], data.train_labels[index], data.test, data.test_labels, data.classes,
        data.what,
    )  # fmt: skip


def cnn(data: Pictures, *, widths: tuple[int, ...], pools: tuple[int, ...]) -> nn.Module:
    """3×3 convolutions of so many maps with ReLUs, max pooling behind some, a linear layer."""
    _, before, height, width = data.train.shape
    layers: list[nn.Module] = []
    for i, maps in enumerate(widths):
        layers += [nn.Conv2d(before, maps, 3, padding=1), nn.ReLU()]
        before = maps
        if i in pools:
            layers.append(nn.MaxPool2d(2))
            height, width = height // 2, width // 2
    return nn.Sequential(
        *layers, nn.Flatten(), nn.Linear(before * height * width, len(data.classes))
    )


def _of_catalogue(name: str, data: Pictures) -> nn.Module:
    _, channels, height, width = data.train.shape
    size, classes = (height, width), len(data.classes)
    return catalogue.build(name, classes=classes, channels=channels, size=size)


class Row(NamedTuple):
    """A network: how it is built for pictures, its layers with weights, and how it is drawn."""

    build: Callable[[Pictures], nn.Module]
    layers: int
    color: str
    linestyle: str


NETWORKS: Mapping[str, Row] = {
    "linear": Row(partial(_of_catalogue, "linear"), 1, MUTED, ":"),
    "MLP": Row(partial(_of_catalogue, "mlp"), 2, INK, "--"),
    "shallow CNN": Row(partial(cnn, widths=(16,), pools=(0,)), 2, INK, "-"),
    "deep CNN": Row(partial(cnn, widths=(16, 32, 32, 32, 32), pools=(0, 2)), 6, ACCENT, "-"),
}


def _gaps(found: Found, pair: tuple[str, str], at: int) -> list[float]:
    """How much more accurate the first of a pair is than the second, by seed."""
    first, second = (found[name] for name in pair)
    return [a[at] - b[at] for a, b in zip(first, second, strict=True)]


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _deeper(found: Found, sizes: list[int], n: str) -> Finding:
    ends = {name: _mean([seed[-1] for seed in rows]) for name, rows in found.items()}
    gaps = {word: _gaps(found, pair, -1) for word, pair in PAIRS.items()}
    held = {word: min(gap) > 0 for word, gap in gaps.items()}
    listed = ", ".join(
        f"{name} ({NETWORKS[name].layers} layer{'s' * (NETWORKS[name].layers > 1)}) {percent(end)}"
        for name, end in ends.items()
    )
    parts = "; ".join(
        f"the {PAIRS[word][0]} is {'' if held[word] else 'not '}better than the {PAIRS[word][1]} "
        "in every seed"
        for word in PAIRS
    )
    return Finding(
        "L9",
        f"With {sizes[-1]} pictures a class: {listed}; {parts}.",
        all(held.values()),
        n,
        "; ".join(f"{' − '.join(PAIRS[word])} {spread(gap)}" for word, gap in gaps.items()),
    )


def _hungrier(found: Found, weights: dict[str, int], sizes: list[int], n: str) -> Finding:
    """Whether what a larger or deeper network has over the other grows with the pictures."""
    parts, spreads, held = [], [], []
    for pair in PAIRS.values():
        few, many = (_gaps(found, pair, at) for at in (0, -1))
        growth = [b - a for a, b in zip(few, many, strict=True)]
        held.append(min(growth) > 0)
        verb = "grows in every seed" if held[-1] else "does not grow in every seed"
        counts = " against ".join(f"{weights[name]:,}" for name in pair)
        parts.append(
            f"the {pair[0]} is {100 * _mean(few):+.1f} points from the {pair[1]} ({counts} "
            f"weights) with {sizes[0]} a class and {100 * _mean(many):+.1f} with {sizes[-1]}: the "
            f"lead {verb}"
        )
        spreads.append(f"{pair[0]}, change of the lead {spread(growth)}")
    text = "; ".join(parts)
    return Finding("L39", f"{text[0].upper()}{text[1:]}.", all(held), n, "; ".join(spreads))


def _picture(found: Found, weights: dict[str, int], sizes: list[int]) -> bytes:
    with style():
        figure, (axes,) = panels(1, 1, width=430, height=310)
        for name, row in NETWORKS.items():
            band(axes, sizes, found[name], color=row.color, linestyle=row.linestyle, lw=1.8,
                 marker="o", ms=3.5, label=f"{name}, {weights[name]:,} weights")  # fmt: skip
        axes.set_xscale("log")
        axes.set_xticks(sizes, list(map(str, sizes)))
        axes.minorticks_off()
        axes.set(xlabel="training pictures a class", ylabel="accuracy on test pictures")
        in_percent(axes.yaxis)
        legend_below(figure, columns=2)
        return png(figure)
