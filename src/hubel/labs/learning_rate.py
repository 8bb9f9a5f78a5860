"""Learning rates: too low, good, too high; and the range test that proposes one."""

import math
from collections.abc import Sequence
from functools import partial

import torch

from hubel import draws
from hubel.data.batches import Batches
from hubel.labs.bands import band, by_epoch
from hubel.labs.built import network_for
from hubel.labs.lab import Drawing, Finding, Setting, Shown
from hubel.labs.learning import Pictures, grey_pictures, learn, spread
from hubel.model import Classifier
from hubel.report.drawing import (
    ACCENT,
    INK,
    MUTED,
    legend_under,
    panels,
    plain_logs,
    png,
    style,
)
from hubel.training import losses, optimisers
from hubel.training.range_test import RangeTest, range_test

# rates as multiples of the one that the range test proposes
FACTORS = {"too low": 1 / 100, "good": 1.0, "too high": 30.0}
COLOURS = {"too low": MUTED, "good": ACCENT, "too high": INK}
GUESS = math.log(10)  # the loss of ten classes by equal shares
FALLBACK = 0.01  # where the range test proposes none
NETWORK = "lenet5"  # no normalisation, which would forgive a rate that is too high


def learning_rate(setting: Setting) -> Shown:
    """One network at three rates, several seeds each; and the test that found the middle one."""
    n, epochs, seeds = setting.pick((300, 2, 2), (3000, 6, 3), (20000, 10, 5))
    data = grey_pictures(n, 500, seed=setting.seed, side=28)
    test = tested(data, setting)
    proposed = test.proposed or FALLBACK
    curves: dict[str, list[list[float]]] = {word: [] for word in FACTORS}
    exploded: dict[str, int] = dict.fromkeys(FACTORS, 0)
    total = len(FACTORS) * seeds
    for i in range(total):
        word, seed = list(FACTORS)[i // seeds], draws.integer(setting.seed, "rate", i % seeds)
        learned = learn(
            network_for(NETWORK, data, seed=seed), data, epochs=epochs,
            lr=proposed * FACTORS[word], batch_size=64, seed=seed, on_train=n,
            progress=partial(_told, setting, word, i, total),
        )  # fmt: skip
        found = [row["train_loss"] for row in learned.history]
        exploded[word] += not learned.finite
        curves[word].append(found + [math.nan] * (epochs - len(found)))
    # a training that exploded has no loss at its end: for the verdict it is beyond all others
    ends = {
        word: [curve[-1] if math.isfinite(curve[-1]) else math.inf for curve in rows]
        for word, rows in curves.items()
    }
    by = "a range test proposed" if test.proposed else "was taken, as a range test proposed none"
    return Shown(
        findings=(
            Finding(
                "L19",
                f"After {epochs} epochs the training loss is {_end(ends['too low'])} at a rate of "
                f"{proposed * FACTORS['too low']:.2g}, {_end(ends['good'])} at {proposed:.2g}, "
                f"which {by}, and {_end(ends['too high'])} at "
                f"{proposed * FACTORS['too high']:.2g} (guessing has {GUESS:.2f}).",
                max(ends["good"]) < min(*ends["too low"], *ends["too high"]),
                f"{seeds} seeds, {len(data.train):,} pictures of {data.what}, {NETWORK}",
                "; ".join(f"{word} {spread(row)}" for word, row in ends.items()),
            ),
        ),
        drawings=(
            Drawing(
                "learning-rate",
                _picture(curves, test, proposed),
                "Left: training loss by epoch at three rates, mean and band of the seeds. Right: "
                "the range test, in which the rate grows from step to step: the loss of each step "
                "(thin), smoothed (thick), and the rate that is proposed.",
            ),
        ),
        numbers={
            "proposed": test.proposed,
            "losses": curves,
            "exploded": exploded,
            "range_test": {"rates": test.rates, "losses": test.losses},
        },
    )


def _end(losses: Sequence[float]) -> str:
    """The mean of the trainings that ended, and how many exploded.

    >>> _end([0.5, 0.25, math.inf]), _end([math.inf, math.inf])
    ('0.38 (1 of 3 trainings exploded)', 'gone (2 of 2 trainings exploded)')
    """
    whole = [loss for loss in losses if math.isfinite(loss)]
    mean = f"{sum(whole) / len(whole):.2f}" if whole else "gone"
    boom = len(losses) - len(whole)
    return f"{mean} ({boom} of {len(losses)} trainings exploded)" if boom else mean


def _told(setting: Setting, word: str, part: int, parts: int, done: int, steps: int) -> None:
    setting.watch.progress("train", part * steps + done, parts * steps, word)


def tested(data: Pictures, setting: Setting) -> RangeTest:
    """The range test on these pictures, as `hubel train --lr auto` does it."""
    network = network_for(NETWORK, data, seed=draws.integer(setting.seed, "rate", 0))
    classifier = Classifier(network, classes=data.classes, pixels=data.spec)
    named = list(classifier.network.named_parameters())
    return range_test(
        classifier,
        Batches(data.train, data.train_labels, batch_size=64, seed=setting.seed),
        loss=losses.loss("cross-entropy"),
        optimiser=partial(_sgd, named),
        steps=setting.pick(30, 150, 150),
        seed=setting.seed,
        progress=lambda done, total: setting.watch.progress("rate", done, total),
    )


def _sgd(named: list[tuple[str, torch.nn.Parameter]], lr: float) -> optimisers.Optimiser:
    return optimisers.build(named, kind="sgd", lr=lr, momentum=0.9)


def _picture(curves: dict[str, list[list[float]]], test: RangeTest, proposed: float) -> bytes:
    with style():
        figure, (left, right) = panels(1, 2, width=330, height=260)
        for word, rows in curves.items():
            label = f"{word}: {proposed * FACTORS[word]:.2g}"
            epochs = range(1, len(rows[0]) + 1)
            band(left, list(epochs), rows, color=COLOURS[word], lw=1.8, label=label)
        left.axhline(GUESS, color=MUTED, lw=0.8, ls=(0, (2, 3)))
        left.set(ylabel="training loss", ylim=(0, 3))
        by_epoch(left)
        legend_under(left, columns=3)
        right.plot(test.rates, test.losses, color=MUTED, lw=0.8)
        right.plot(test.rates, test.smoothed, color=INK, lw=1.8)
        right.axvline(proposed, color=ACCENT, lw=1.2)
        right.annotate(
            f"{proposed:.2g}", (proposed, 0.1), xytext=(4, 0), textcoords="offset points",
            color=ACCENT,
        )  # fmt: skip
        right.set(xlabel="rate", ylabel="loss of the step", xscale="log", ylim=(0, 4))
        plain_logs(right)
        return png(figure)
