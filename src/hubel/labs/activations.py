"""Sigmoid, tanh and ReLU in the same network: how fast each learns, and how much of it is flat."""

import math
from collections.abc import Sequence

from hubel import draws
from hubel.figures import percent
from hubel.labs.bands import band, by_epoch
from hubel.labs.built import network_for
from hubel.labs.flatness import FLAT, Flat, flatness
from hubel.labs.lab import Drawing, Finding, Setting, Shown
from hubel.labs.learning import Learned, Pictures, grey_pictures, learn, spread
from hubel.report.drawing import (
    ACCENT,
    INK,
    MUTED,
    in_percent,
    legend_under,
    panels,
    png,
    style,
)

SCHEMES = {"sigmoid": "xavier", "tanh": "xavier", "relu": "he"}  # each with the one made for it
WORDS = {"sigmoid": "sigmoid", "tanh": "tanh", "relu": "ReLU"}
LINES = {"sigmoid": (MUTED, ":"), "tanh": (INK, "--"), "relu": (ACCENT, "-")}
RATES = (0.003, 0.01, 0.03, 0.1, 0.3)
HIDDEN = (100, 100, 100, 100)
GOAL = 0.15  # the training error that is to be reached


def activations(setting: Setting) -> Shown:
    """Each at the rate of a grid with the lowest training loss over the epochs; several seeds."""
    train, epochs, seeds = setting.pick((300, 2, 2), (3000, 20, 5), (20000, 30, 5))
    rates = setting.pick(RATES[1:3], RATES, RATES)
    trainings = len(WORDS) * (len(rates) + seeds)
    data = grey_pictures(train, 1000, seed=setting.seed)
    done = 0

    def trained(kind: str, lr: float, seed: int) -> Learned:
        nonlocal done
        network = network_for(
            "mlp", data, seed=seed, scheme=SCHEMES[kind], hidden=HIDDEN, activation=kind
        )
        found = learn(
            network, data, epochs=epochs, lr=lr, batch_size=64, seed=seed, on_train=train,
            progress=lambda at, steps: setting.watch.progress(
                "train", done * steps + at, trainings * steps, f"{WORDS[kind]}, rate {lr}"
            ),
        )  # fmt: skip
        done += 1
        return found

    chosen: dict[str, float] = {}
    for kind in WORDS:
        # the seed of the choice is not one of those that are measured
        seed = draws.integer(setting.seed, "rate")
        slow = [_slowness(trained(kind, lr, seed), epochs) for lr in rates]
        chosen[kind] = rates[slow.index(min(slow))]
    errors: dict[str, list[list[float]]] = {kind: [] for kind in WORDS}
    flat: dict[str, list[list[Flat]]] = {kind: [] for kind in WORDS}
    for kind in WORDS:
        for i in range(seeds):
            learned = trained(kind, chosen[kind], draws.integer(setting.seed, "measured", i))
            lost = [1.0] * (epochs - len(learned.history))
            errors[kind].append([1 - row["train_accuracy"] for row in learned.history] + lost)
            flat[kind].append(flatness(learned.classifier, data.train[:500], kind))
    needed = {kind: [reached(curve, GOAL) for curve in curves] for kind, curves in errors.items()}
    return Shown(
        findings=(_finding(needed, flat, chosen, epochs, data, train),),
        drawings=(
            Drawing(
                "activations",
                _picture(errors, flat, chosen),
                f"Left: training error by epoch on {data.what}, each function at its own rate of "
                f"{', '.join(map(str, rates))}; mean and band of {seeds} seeds. Right: the share "
                f"of units whose slope is below {FLAT} in the trained networks.",
            ),
        ),
        numbers={
            "training_error": errors,
            "rates": chosen,
            "epochs_needed": needed,
            "flat": {
                kind: [[layer._asdict() for layer in seed] for seed in found]
                for kind, found in flat.items()
            },
        },
    )


def reached(errors: Sequence[float], goal: float) -> int | None:
    """The first epoch, from 1, after which the error is at most the goal; None: never.

    >>> reached([0.3, 0.1, 0.2], 0.15), reached([0.3], 0.15)
    (2, None)
    """
    return next((i for i, error in enumerate(errors, 1) if error <= goal), None)


def _slowness(learned: Learned, epochs: int) -> float:
    """The mean of the training losses after each epoch; infinite if the last was not come to."""
    losses = [row["train_loss"] for row in learned.history]
    return sum(losses) / epochs if learned.finite and len(losses) == epochs else math.inf


def _finding(
    needed: dict[str, list[int | None]],
    flat: dict[str, list[list[Flat]]],
    chosen: dict[str, float],
    epochs: int,
    data: Pictures,
    train: int,
) -> Finding:
    late = epochs + 1
    runs = {kind: [late if n is None else n for n in found] for kind, found in needed.items()}
    mean = {kind: sum(found) / len(found) for kind, found in runs.items()}
    others = ("sigmoid", "tanh")
    gaps = {kind: [n - r for r, n in zip(runs["relu"], runs[kind], strict=True)] for kind in others}
    words = {
        kind: "sooner than" if min(gap) > 0 else "later than" if max(gap) < 0 else "no sooner than"
        for kind, gap in gaps.items()
    }

    def share(kind: str, what: str) -> float:
        values = [layer._asdict()[what] for seed in flat[kind] for layer in seed]
        return float(sum(values) / len(values))

    counts = ", ".join(
        f"{WORDS[kind]} {f'more than {epochs}' if min(found) == late else f'{mean[kind]:.1f}'}"
        + (f" ({found.count(late)} of {len(found)} never)" if min(found) < late in found else "")
        for kind, found in runs.items()
    )
    verdict = " and ".join(f"{words[kind]} {WORDS[kind]}" for kind in others)
    return Finding(
        "L23",
        f"Epochs to a training error of {percent(GOAL, 0)}: {counts}; ReLU is {verdict}. Slopes "
        f"below {FLAT} after training: {percent(share('sigmoid', 'any'), 0)} of the sigmoids, "
        f"{percent(share('tanh', 'any'), 0)} of the tanhs; of the ReLUs none that is on, but "
        f"{percent(share('relu', 'any'), 0)} are off at a time ({percent(share('relu', 'always'))} "
        "on every picture).",
        all(min(gap) > 0 for gap in gaps.values())
        and all(share("relu", "on") < share(kind, "on") for kind in others),
        f"{len(runs['relu'])} seeds, {train:,} pictures of {data.what}, {len(HIDDEN)} hidden "
        f"layers of {HIDDEN[0]}; rates "
        + ", ".join(f"{WORDS[kind]} {lr}" for kind, lr in chosen.items()),
        "epochs "
        + "; ".join(f"{WORDS[kind]} {spread(found)}" for kind, found in runs.items())
        + (f" ({late}: not reached)" if any(late in found for found in runs.values()) else ""),
    )


def _picture(
    errors: dict[str, list[list[float]]],
    flat: dict[str, list[list[Flat]]],
    chosen: dict[str, float],
) -> bytes:
    epochs = list(range(1, 1 + len(errors["relu"][0])))
    layers = list(range(1, 1 + len(HIDDEN)))
    with style():
        figure, (left, right) = panels(1, 2, width=330, height=270)
        for kind, (colour, dashes) in LINES.items():
            band(left, epochs, errors[kind], color=colour, linestyle=dashes, lw=1.7,
                 label=f"{WORDS[kind]}, rate {chosen[kind]:g}")  # fmt: skip
            shares = [[layer.any for layer in seed] for seed in flat[kind]]
            band(right, layers, shares, color=colour, linestyle=dashes, lw=1.7, marker="o", ms=4,
                 label=f"{WORDS[kind]}{' (off)' if kind == 'relu' else ''}")  # fmt: skip
        left.axhline(GOAL, color=MUTED, lw=0.7)
        left.set(ylabel="training error", ylim=(0, 1))
        by_epoch(left)
        right.set(xlabel="hidden layer", ylabel=f"share of slopes below {FLAT}", ylim=(0, 1))
        right.set_xticks(layers)
        for axes in (left, right):
            in_percent(axes.yaxis)
            legend_under(axes, columns=2)
        return png(figure)
