"""A deeper plain network is worse, on its training pictures too (He et al. 2015, section 4.2)."""

from typing import NamedTuple

import numpy as np
import torch

from hubel import draws
from hubel.figures import percent
from hubel.labs.bands import band, by_epoch
from hubel.labs.built import network_for
from hubel.labs.lab import Drawing, Finding, Setting, Shown
from hubel.labs.learning import Pictures, colour_pictures, learn, spread
from hubel.report.drawing import ACCENT, INK, in_percent, legend_below, panels, png, style

FAMILIES = {"plain": "plain", "resnet": "residual"}
DEPTHS = (20, 56)
STUCK = 0.8  # of 0.9, which is chance: a network that is still there has not begun to learn


class Budget(NamedTuple):
    """What there is of everything: the pictures' side and number, epochs, seeds, and the rate."""

    side: int
    train: int
    test: int
    epochs: int
    batch_size: int
    lr: float
    seeds: int


Errors = dict[str, dict[str, list[list[float]]]]  # network → "train", "test" → seeds → epochs


def depth(setting: Setting) -> Shown:
    """Plain and residual networks of 20 and of 56 layers: training and test error by epoch.

    He initialisation, SGD with momentum 0.9 and weight decay 1e-4 as in the paper; a rate that
    rises and falls once, in place of the paper's steps, because the training is so short.
    """
    budget = setting.pick(
        quick=Budget(8, 128, 100, 1, 64, 0.05, 2),
        usual=Budget(16, 3500, 1000, 7, 64, 0.05, 3),
        full=Budget(32, 20000, 5000, 30, 128, 0.1, 3),
    )
    errors: Errors = {
        f"{family}{layers}": {"train": [], "test": []} for family in FAMILIES for layers in DEPTHS
    }
    what = ""
    for i in range(budget.seeds):
        seed = draws.integer(setting.seed, "depth", i)
        data = colour_pictures(budget.train, budget.test, seed=seed, side=budget.side)
        what = data.what
        for j, name in enumerate(errors):
            curves = _curves(name, data, budget, seed, setting, i * len(errors) + j)
            for part, curve in curves.items():
                errors[name][part].append(curve)
    return Shown(
        findings=(_finding(errors, budget, what),),
        drawings=(
            Drawing(
                "depth",
                _picture(errors),
                f"Error by epoch on {what}, {budget.side}×{budget.side}: left the plain networks, "
                f"right those with shortcuts; the mean of {budget.seeds} seeds and, as a band, "
                "all of them.",
            ),
        ),
        numbers={"errors": errors, "budget": budget._asdict()},
        lines=_notes(errors, budget),
    )


def _curves(
    name: str, data: Pictures, budget: Budget, seed: int, setting: Setting, before: int
) -> dict[str, list[float]]:
    """Training and test error after each epoch; 1 from where the loss is no longer finite."""
    network = network_for(name, data, seed=seed, scheme="he")
    # the layout in which small convolutions are fast on a processor; the numbers are the same
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    learned = learn(
        network,
        data,
        epochs=budget.epochs,
        lr=budget.lr,
        planned="one-cycle",
        weight_decay=1e-4,
        batch_size=budget.batch_size,
        seed=seed,
        on_train=budget.test,
        precision="auto",
        progress=lambda done, total: setting.watch.progress(
            "train", before * total + done, len(FAMILIES) * len(DEPTHS) * budget.seeds * total, name
        ),
    )
    lost = [1.0] * (budget.epochs - len(learned.history))
    return {
        part: [1 - row[f"{part}_accuracy"] for row in learned.history] + lost
        for part in ("train", "test")
    }


def _last(errors: Errors, name: str, part: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """The error of each seed after the last epoch."""
    return np.array([curve[-1] for curve in errors[name][part]])


def _finding(errors: Errors, budget: Budget, what: str) -> Finding:
    means = {
        name: tuple(percent(_last(errors, name, part).mean()) for part in ("train", "test"))
        for name in errors
    }
    gaps = {
        part: _last(errors, "plain56", part) - _last(errors, "plain20", part)
        for part in ("train", "test")
    }
    return Finding(
        "L31",
        f"After {budget.epochs} epochs the plain network of 56 layers errs on "
        f"{means['plain56'][0]} of the training pictures and {means['plain56'][1]} of the test "
        f"pictures, that of 20 layers on {means['plain20'][0]} and {means['plain20'][1]}; with "
        f"shortcuts 56 layers err on {means['resnet56'][0]} and {means['resnet56'][1]}, 20 on "
        f"{means['resnet20'][0]} and {means['resnet20'][1]}.",
        bool((gaps["train"] > 0).all() and (gaps["test"] > 0).all()),
        f"{budget.seeds} seeds; {budget.train:,} pictures of {what}, "
        f"{budget.side}×{budget.side}; errors on {budget.test:,} of them and on "
        f"{budget.test:,} test pictures",
        f"the plain networks' gap in training error {spread(gaps['train'])}, in test error "
        f"{spread(gaps['test'])}",
    )


def _notes(errors: Errors, budget: Budget) -> tuple[str, ...]:
    """What a reader must know of this size of the experiment."""
    notes = [
        f"The paper trains on 45,000 pictures of 32×32 for 64,000 steps; here {budget.train:,} of "
        f"{budget.side}×{budget.side} for "
        f"{budget.epochs * -(-budget.train // budget.batch_size):,}."
    ]
    stuck = sum(curve[-1] > STUCK for curve in errors["plain56"]["train"])
    if stuck:
        notes.append(
            f"In {stuck} of {budget.seeds} seeds the plain network of 56 layers had not begun to "
            f"learn (an error above {percent(STUCK, 0)}): so short a training shows that it is "
            "harder to train, not how much worse it ends."
        )
    behind = _last(errors, "resnet56", "train") - _last(errors, "resnet20", "train")
    if behind.mean() > 0:
        notes.append(
            f"With shortcuts, too, 56 layers err on {100 * behind.mean():.1f} points more of the "
            "training pictures than 20: that the deeper one is ahead, as in the paper, would take "
            "a longer training."
        )
    return tuple(notes)


def _picture(errors: Errors) -> bytes:
    epochs = range(1, 1 + len(errors["plain20"]["train"][0]))
    with style():
        figure, columns = panels(1, 2, width=330, height=270)
        for axes, (family, word) in zip(columns, FAMILIES.items(), strict=True):
            for layers, colour in zip(DEPTHS, (INK, ACCENT), strict=True):
                for part, dashes in (("train", "--"), ("test", "-")):
                    band(
                        axes, list(epochs), errors[f"{family}{layers}"][part], color=colour,
                        linestyle=dashes, marker="." if len(epochs) < 3 else "", lw=1.6,
                        label=f"{layers} layers, {'training' if part == 'train' else part}",
                    )  # fmt: skip
            axes.set(title=word, ylim=(0, 1), ylabel="error")
            by_epoch(axes)
            in_percent(axes.yaxis)
        legend_below(figure, columns=4)
        return png(figure)
