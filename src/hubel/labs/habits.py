"""Two habits of training, each left out in turn: centred pixels, and mini-batches."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from hubel import draws
from hubel.labs.bands import band, by_epoch
from hubel.labs.built import network_for
from hubel.labs.lab import Setting
from hubel.labs.learning import Pictures, learn
from hubel.pixels import PixelSpec
from hubel.report.drawing import ACCENT, INK, MUTED, legend_below, panels, png, style

RATES = (0.003, 0.01, 0.03, 0.1, 0.3)
MINI = 64
LINES = {"usual": (ACCENT, "-"), "not centred": (INK, "--"), "one batch": (MUTED, ":")}


def habits(setting: Setting, data: Pictures) -> dict[str, list[list[float]]]:
    """Training loss by epoch: "usual", "not centred", "one batch" → seeds → epochs.

    A ReLU perceptron of two hidden layers; each way at the rate of RATES with the lowest last
    training loss, found with a seed of its own.
    """
    epochs, seeds = setting.pick((2, 1), (10, 3), (20, 5))
    rates = setting.pick(RATES[1:2], RATES, RATES)
    ways = {
        "usual": (data, MINI),
        "not centred": (Uncentred(**vars(data)), MINI),
        "one batch": (data, len(data.train)),
    }
    trainings, done = len(ways) * (len(rates) + seeds), 0
    found: dict[str, list[list[float]]] = {}
    for way, (pictures, batch_size) in ways.items():

        def trained(lr: float, seed: int, pictures: Pictures, batch_size: int) -> list[float]:
            network = network_for("mlp", pictures, seed=seed, scheme="he", hidden=(100, 100))
            learned = learn(
                network, pictures, epochs=epochs, lr=lr, batch_size=batch_size, seed=seed,
                on_train=len(pictures.train),
            )  # fmt: skip
            losses = [row["train_loss"] for row in learned.history]
            return losses + [math.inf] * (epochs - len(losses))

        ends: list[float] = []
        for lr in rates:
            ends.append(trained(lr, draws.integer(setting.seed, "rate"), pictures, batch_size)[-1])
            done += 1
            setting.watch.progress("habits", done, trainings, way)
        best = rates[ends.index(min(ends))]
        found[way] = []
        for i in range(seeds):
            seed = draws.integer(setting.seed, "habits", i)
            found[way].append(trained(best, seed, pictures, batch_size))
            done += 1
            setting.watch.progress("habits", done, trainings, way)
    return found


def habits_picture(found: Mapping[str, Sequence[Sequence[float]]]) -> bytes:
    """Loss curves of each way, as PNG."""
    epochs = list(range(1, 1 + len(found["usual"][0])))
    with style():
        figure, (axes,) = panels(1, 1, width=360, height=260)
        for way, (colour, dashes) in LINES.items():
            band(axes, epochs, found[way], color=colour, linestyle=dashes, lw=1.8, label=way)
        axes.set_ylabel("training loss")
        by_epoch(axes)
        axes.set_ylim(0, None)
        legend_below(figure, columns=2)
        return png(figure)


class Uncentred(Pictures):
    """Pictures whose pixels are scaled by their deviation, their mean being left in."""

    @property
    def spec(self) -> PixelSpec:
        spec = super().spec
        return replace(spec, mean=(0.0,) * spec.channels)
