"""What the first weights do to a deep network's signal and to its gradient, and to its training.

Glorot & Bengio 2010 (Xavier), He et al. 2015, "Delving deep"; and beside them two older habits
(LeCun et al. 1998, "Efficient backprop"): pixels centred about 0, and mini-batches.
"""

import math
from collections.abc import Sequence

from torch import nn

from hubel import draws
from hubel.labs.bands import band, by_epoch
from hubel.labs.built import network_for
from hubel.labs.habits import habits, habits_picture
from hubel.labs.lab import Drawing, Finding, Setting, Shown
from hubel.labs.learning import Pictures, grey_pictures, learn, spread
from hubel.labs.signals import spreads
from hubel.model import Classifier
from hubel.report.drawing import (
    ACCENT,
    INK,
    MUTED,
    legend_below,
    panels,
    plain_logs,
    png,
    style,
)

KINDS = {"tanh": "tanh", "relu": "ReLU"}
LINES = {"naive": (MUTED, ":"), "xavier": (INK, "--"), "he": (ACCENT, "-")}
WORDS = {"naive": "naive", "xavier": "Xavier", "he": "He"}
LAYERS, UNITS = 20, 100
RATE = 0.01

Statistics = dict[str, dict[str, dict[str, list[float]]]]  # kind → scheme → what → by layer
Curves = dict[str, dict[str, list[list[float]]]]  # kind → scheme → seeds → by epoch


def initialisation(setting: Setting) -> Shown:
    """A deep perceptron by each scheme: signal and gradient by layer, and the training loss."""
    train, epochs, seeds = setting.pick((200, 1, 1), (3000, 6, 3), (20000, 20, 5))
    data = grey_pictures(train, 500, seed=setting.seed)
    before: Statistics = {kind: {} for kind in KINDS}
    losses: Curves = {kind: {scheme: [] for scheme in LINES} for kind in KINDS}
    cases = [(kind, scheme, i) for kind in KINDS for scheme in LINES for i in range(seeds)]

    def trained(network: nn.Module, seed: int, done: int, word: str) -> list[float]:
        learned = learn(
            network, data, epochs=epochs, lr=RATE, batch_size=64, seed=seed, on_train=train,
            progress=lambda at, steps: setting.watch.progress(
                "train", done * steps + at, len(cases) * steps, word
            ),
        )  # fmt: skip
        curve = [row["train_loss"] for row in learned.history]
        return curve + [math.nan] * (epochs - len(curve))

    for n, (kind, scheme, i) in enumerate(cases):
        seed = draws.integer(setting.seed, "initialisation lab", i)
        network = network_for(
            "mlp", data, seed=seed, scheme=scheme, hidden=(UNITS,) * LAYERS, activation=kind
        )
        if i == 0:
            classifier = Classifier(network, classes=data.classes, pixels=data.spec)
            before[kind][scheme] = spreads(classifier, data.train[:500], data.train_labels[:500])
        losses[kind][scheme].append(trained(network, seed, n, f"{KINDS[kind]}, {scheme}"))
    beside = habits(setting, data)
    return Shown(
        findings=(_finding(before, losses, beside, data, seeds, train),),
        drawings=(
            Drawing(
                "initialisation",
                _picture(before, losses),
                f"{LAYERS} hidden layers of {UNITS} units on {data.what}: the standard deviation "
                "of the signal by layer, that of the loss's gradient (both before training), and "
                f"the training loss by epoch; mean and band of {seeds} seeds.",
            ),
            Drawing(
                "habits",
                habits_picture(beside),
                "Training loss with the usual habits, without centring, and with all pictures as "
                "one batch, each at its own best rate.",
            ),
        ),
        numbers={"before_training": before, "training_loss": losses, "habits": beside},
    )


def _finding(
    before: Statistics, losses: Curves, beside: dict[str, list[list[float]]], data: Pictures,
    seeds: int, train: int,
) -> Finding:  # fmt: skip
    def end(curves: Sequence[Sequence[float]]) -> float:
        return sum(curve[-1] for curve in curves) / len(curves)

    def better(ours: Sequence[Sequence[float]], theirs: Sequence[Sequence[float]]) -> bool:
        return all(a[-1] < b[-1] for a, b in zip(ours, theirs, strict=True))

    usual = beside["usual"]
    holds = {
        "Xavier": better(losses["tanh"]["xavier"], losses["tanh"]["naive"]),
        "He": better(losses["relu"]["he"], losses["relu"]["naive"]),
        "centring": better(usual, beside["not centred"]),
        "mini-batches": better(usual, beside["one batch"]),
    }
    fall = before["tanh"]["naive"]["signal"][-1], before["tanh"]["xavier"]["signal"][-1]
    back = before["tanh"]["naive"]["gradient"][0], before["tanh"]["xavier"]["gradient"][0]
    failed = [word for word, held in holds.items() if not held]
    return Finding(
        "L35",
        f"At layer {LAYERS} of a tanh network the signal's deviation is {fall[0]:.1g} by naive "
        f"weights and {fall[1]:.2g} by Xavier's, the gradient's at layer 1 {back[0]:.1g} and "
        f"{back[1]:.1g}; training losses naive, Xavier, He: "
        + "; ".join(
            f"{word} {', '.join(f'{end(losses[kind][scheme]):.2f}' for scheme in LINES)}"
            for kind, word in KINDS.items()
        )
        + f"; centred {end(usual):.3f}, not centred {end(beside['not centred']):.3f}, in one batch "
        f"{end(beside['one batch']):.2f}"
        + (f"; not better in every seed: {', '.join(failed)}" if failed else "")
        + ". ReLU is measured by the lab activations, augmentation by its own.",
        not failed,
        f"{seeds} seeds, {train:,} pictures of {data.what}, {LAYERS} layers of {UNITS} units",
        f"tanh by Xavier {spread(c[-1] for c in losses['tanh']['xavier'])}, ReLU by He "
        f"{spread(c[-1] for c in losses['relu']['he'])}, centred {spread(c[-1] for c in usual)}, "
        f"not centred {spread(c[-1] for c in beside['not centred'])}",
    )


def _picture(before: Statistics, losses: Curves) -> bytes:
    rows = ("deviation of the signal", "deviation of the gradient", "training loss")
    with style():
        figure, axes = panels(3, 2, width=330, height=196)
        for j, (kind, word) in enumerate(KINDS.items()):
            for scheme, (colour, dashes) in LINES.items():
                drawn = {"color": colour, "linestyle": dashes, "lw": 1.8, "label": WORDS[scheme]}
                for i, what in enumerate(("signal", "gradient")):
                    found = before[kind][scheme][what]
                    axes[2 * i + j].semilogy(range(1, LAYERS + 1), found, **drawn)
                epochs = range(1, 1 + len(losses[kind][scheme][0]))
                band(axes[4 + j], list(epochs), losses[kind][scheme], **drawn)  # type: ignore[arg-type]
            for i, what in enumerate(rows):
                axes[2 * i + j].set(xlabel="hidden layer" if i < 2 else "epoch")
                if j == 0:
                    axes[2 * i].set_ylabel(what)
                if i < 2:
                    axes[2 * i + j].set_xticks([1, 5, 10, 15, 20])
                    axes[2 * i + j].set_ylim(1e-14, 30)
                    plain_logs(axes[2 * i + j], decades=3)
            axes[j].set_title(word)
            by_epoch(axes[4 + j])
            axes[4 + j].set_ylim(0, 2.5)
        legend_below(figure, columns=4)
        return png(figure)
