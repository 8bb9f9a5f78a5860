"""Features designed by hand with a classifier behind them, against a hierarchy that is learned."""

from functools import partial
from typing import NamedTuple

import numpy as np
import skimage.feature
import torch
from numpy.typing import NDArray
from torch import Tensor

from hubel.baselines import features
from hubel.baselines.shallow import Part, baselines
from hubel.labs.built import network_for
from hubel.labs.lab import Drawing, Finding, Setting, Shown
from hubel.labs.learning import Pictures, answers, colour_pictures, learn
from hubel.report.drawing import ACCENT, INK, MUTED, panels, png, style
from hubel.report.sheet import contact_sheet
from hubel.training.evaluate import wilson

CHANCE = "always the most frequent class"
RIDGE = 1.0  # of the regression from HOG back to pixels
SHOWN = 8  # pictures that are inverted


class Rated(NamedTuple):
    """A method, the share of test pictures that it names rightly, and the interval of that."""

    name: str
    accuracy: float
    interval: tuple[float, float]
    learned: bool


def shallow_and_deep(setting: Setting) -> Shown:
    """Five methods and chance on one split of small colour pictures; and what HOG sees."""
    n, held = setting.pick((100, 60), (1500, 1500), (20000, 10000))
    data = colour_pictures(n, held, seed=setting.seed)
    cut = len(data.train) * 9 // 10  # the rest chooses the strength of the machines
    parts = [
        Part(images.numpy(), labels.numpy())
        for images, labels in (
            (data.train[:cut], data.train_labels[:cut]),
            (data.train[cut:], data.train_labels[cut:]),
            (data.test, data.test_labels),
        )
    ]
    rated: list[Rated] = []
    for i, one in enumerate(baselines(*parts, seed=setting.seed)):
        rated.append(_rated(one.name, one.answers == parts[2].labels, False))
        setting.watch.progress("shallow", i + 1, 4, one.name)
    epochs = setting.pick(2, 12, 20)
    for name, word, lr in (("mlp", "multi-layer perceptron", 0.02),
                           ("small", "convolutional network", 0.05)):  # fmt: skip
        learned = learn(
            network_for(name, data, seed=setting.seed), data, epochs=epochs, lr=lr,
            planned="one-cycle", batch_size=64, weight_decay=5e-4, seed=setting.seed, on_train=0,
            progress=partial(_told, setting, word),
        )  # fmt: skip
        right = answers(learned.classifier, data.test).argmax(1) == data.test_labels
        rated.append(_rated(word, right.numpy(), True))
    network = rated[-1]
    best = max((one for one in rated if not one.learned), key=lambda one: one.accuracy)
    inverted, error, blank = seen_by_hog(data)
    return Shown(
        findings=(
            Finding(
                "L4",
                f"{'; '.join(f'{one.name} {one.accuracy:.1%}' for one in rated)}. The learned "
                f"hierarchy has {100 * (network.accuracy - best.accuracy):+.1f} points over the "
                f"best of the others made by hand, {best.name}.",
                network.interval[0] > best.interval[1],
                f"{len(data.train):,} pictures of {data.what}, {len(data.test):,} to test on",
                f"95 % intervals: network {network.interval[0]:.1%} to {network.interval[1]:.1%}, "
                f"{best.name} {best.interval[0]:.1%} to {best.interval[1]:.1%}",
            ),
        ),
        drawings=(
            Drawing("accuracies", _bars(rated), "Test accuracies with their 95 % intervals."),
            Drawing(
                "hog",
                inverted,
                "What HOG sees: test pictures, their histograms of oriented gradients, and the "
                "grey pictures that a ridge regression, fitted on training pictures, finds for "
                "these histograms alone (the idea of Vondrick et al. 2013). Colour is gone, and so "
                "is what is finer than a cell; its error is "
                f"{error / blank:.0%} of that of the mean picture.",
            ),
        ),
        numbers={one.name: {"accuracy": one.accuracy, "interval": one.interval} for one in rated}
        | {"hog inverted": {"error": error, "of the mean picture": blank}},
    )


def _told(setting: Setting, word: str, done: int, total: int) -> None:
    setting.watch.progress("train", done, total, word)


def _rated(name: str, right: NDArray[np.bool_], learned: bool) -> Rated:
    return Rated(name, float(right.mean()), wilson(int(right.sum()), len(right)), learned)


def seen_by_hog(data: Pictures) -> tuple[bytes, float, float]:
    """A sheet of test pictures, their HOG and its inversion; the inversion's mean square error on
    all test pictures, and that of the mean training picture."""
    inside, outside = (features.hog(images.numpy()) for images in (data.train, data.test))
    grey, wanted = (_grey(images) for images in (data.train, data.test))
    x = torch.from_numpy(inside)
    middle, mean = x.mean(0), grey.mean(0)
    x = x - middle
    # (XᵀX + ρ)⁻¹ Xᵀ Y, with ρ growing with the number of pictures
    square = x.T @ x + RIDGE * len(x) / 1000 * torch.eye(x.shape[1])
    back = torch.linalg.solve(square, x.T @ (grey - mean))
    made = (torch.from_numpy(outside) - middle) @ back + mean
    side = data.test.shape[2:]
    rows: list[NDArray[np.uint8]] = [image.permute(1, 2, 0).numpy() for image in data.test[:SHOWN]]
    rows += [_glyphs(image) for image in data.test[:SHOWN]]
    rows += [_uint8(one.view(1, *side)) for one in made[:SHOWN]]
    sheet = contact_sheet(rows, columns=SHOWN, cell=80)
    error = float((made - wanted).square().mean())
    return sheet, error, float((mean - wanted).square().mean())


def _grey(images: Tensor) -> Tensor:
    return (images.float() / 255).mean(1).flatten(1)


def _glyphs(image: Tensor) -> NDArray[np.uint8]:
    """The histograms as little stars of lines, enlarged so that they can be seen."""
    large = np.kron(image.permute(1, 2, 0).numpy(), np.ones((4, 4, 1), np.uint8))
    cell = 4 * max(2, min(image.shape[1:]) // features.CELLS)
    _, drawn = skimage.feature.hog(
        large, orientations=9, pixels_per_cell=(cell, cell), cells_per_block=(2, 2),
        visualize=True, channel_axis=2,
    )  # fmt: skip
    scaled = drawn / max(float(np.quantile(drawn, 0.995)), 1e-9)
    grey: NDArray[np.uint8] = np.rint(255 * np.clip(scaled, 0, 1)).astype(np.uint8)
    return grey[..., None]


def _uint8(grey: Tensor) -> NDArray[np.uint8]:
    found: NDArray[np.uint8] = (grey.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
    return found


def _bars(rated: list[Rated]) -> bytes:
    with style():
        figure, [axes] = panels(1, 1, width=460, height=210)
        for i, one in enumerate(rated):
            colour = MUTED if one.name == CHANCE else ACCENT if one.learned else INK
            axes.barh(i, one.accuracy, color=colour, height=0.6)
            axes.plot(one.interval, [i, i], color=MUTED, lw=2)
        axes.set_yticks(range(len(rated)), [one.name for one in rated])
        axes.invert_yaxis()
        axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
        axes.set(xlim=(0, 1), xlabel="test accuracy")
        return png(figure)
