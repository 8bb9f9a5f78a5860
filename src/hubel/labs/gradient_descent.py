"""Walking downhill: on all pictures, on mini-batches, or on one picture at a time."""

from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from hubel import draws
from hubel.figures import percent
from hubel.labs.bands import by_epoch
from hubel.labs.built import network_for
from hubel.labs.lab import Drawing, Finding, Setting, Shown
from hubel.labs.learning import Pictures, grey_pictures, learn
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

KINDS = {"all pictures": 0, "mini-batches of 64": 64, "one picture": 1}  # pictures in a step
RATES = {"all pictures": 0.01, "mini-batches of 64": 0.01, "one picture": 0.002}
WALK = 40  # steps on the slope of two weights
COLOURS = dict(zip(KINDS, (INK, ACCENT, MUTED), strict=True))


class Way(NamedTuple):
    """The training loss after each epoch, seconds by then, and the loss of every step."""

    losses: tuple[float, ...]
    seconds: tuple[float, ...]
    steps: tuple[float, ...]


def gradient_descent(setting: Setting) -> Shown:
    """A linear classifier by three kinds of descent, and their paths over a real loss's surface."""
    n, epochs = setting.pick((200, 2), (2000, 8), (10000, 20))
    data = grey_pictures(n, 200, seed=setting.seed)
    ways = {kind: _way(setting, data, kind, epochs, i) for i, kind in enumerate(KINDS)}
    slope = Slope(data)
    paths = {kind: slope.path(setting.seed, size) for kind, size in KINDS.items()}
    rises = {kind: slope.rises(path) for kind, path in paths.items()}
    full, mini, one = ways.values()
    falls = all(b < a for a, b in pairwise(full.steps))  # of all pictures, step by step
    return Shown(
        findings=(
            Finding(
                "L18",
                f"With all pictures in a step the loss falls at {'' if falls else 'not '}every one "
                f"of the {len(full.steps)} steps. On the slope of two weights the loss of all "
                f"pictures rises at {percent(rises['all pictures'], 0)} of the steps where a step "
                f"sees all, {percent(rises['mini-batches of 64'], 0)} where it sees 64, "
                f"{percent(rises['one picture'], 0)} where it sees one. After {epochs} epochs the "
                f"training loss is {full.losses[-1]:.2f}, {mini.losses[-1]:.2f} and "
                f"{one.losses[-1]:.2f}, in {full.seconds[-1]:.1f}, {mini.seconds[-1]:.1f} and "
                f"{one.seconds[-1]:.1f} s.",
                falls and rises["all pictures"] == 0 and mini.losses[-1] < full.losses[-1],
                f"{len(data.train):,} pictures of {data.what}, a linear classifier, "
                f"{WALK} steps on the slope",
                "one training of each kind; rates "
                + ", ".join(f"{rate:g}" for rate in RATES.values()),
            ),
        ),
        drawings=(
            Drawing(
                "gradient-descent",
                _picture(ways, slope, paths),
                "Left: training loss against epochs, every picture being seen once in each. "
                "Middle: against seconds. Right: the three paths over the loss of a classifier "
                "with two weights (contours): the brightness of a picture's upper and lower half.",
            ),
        ),
        numbers={kind: _told(way) | {"rises": rises[kind]} for kind, way in ways.items()},
    )


def _way(setting: Setting, data: Pictures, kind: str, epochs: int, part: int) -> Way:
    learned = learn(
        network_for("linear", data, seed=setting.seed), data, epochs=epochs, lr=RATES[kind],
        momentum=0.0, batch_size=KINDS[kind] or len(data.train), seed=setting.seed,
        on_train=len(data.train),
        progress=lambda done, total: setting.watch.progress(
            "train", part * total + done, len(KINDS) * total, kind
        ),
    )  # fmt: skip
    rows = learned.history
    seconds = tuple(row["seconds"] for row in rows)
    return Way(tuple(row["train_loss"] for row in rows), seconds, learned.steps)


class Slope:
    """A loss with two weights: is a picture of class 1, by two brightnesses of it?"""

    def __init__(self, data: Pictures) -> None:
        half = data.train.shape[2] // 2
        grey = data.train[:, 0].float() / 255
        x = torch.stack((grey[:, :half].mean((1, 2)), grey[:, half:].mean((1, 2))), 1)
        self.x = (x - x.mean(0)) / x.std(0)
        self.y = (data.train_labels == 1).float()

    def loss(self, w: Tensor, chosen: Tensor | slice = slice(None)) -> Tensor:
        """Binary cross-entropy for weights (…, 2), the mean over the chosen pictures."""
        scores = w @ self.x[chosen].T
        return F.softplus(scores).mean(-1) - (scores * self.y[chosen]).mean(-1)

    def path(self, seed: int, batch: int) -> Tensor:
        """The weights (WALK + 1, 2) on the way down from a corner; batch 0: all pictures."""
        w = torch.tensor([3.0, 3.0])
        found = [w]
        order = torch.from_numpy(draws.order(seed, 0, len(self.x)))
        for step in range(WALK):
            first = step * batch % max(len(order) - batch, 1)
            chosen = order[first : first + batch] if batch else order
            given = w.clone().requires_grad_()
            (gradient,) = torch.autograd.grad(self.loss(given, chosen), given)
            w = w - 1.0 * gradient
            found.append(w)
        return torch.stack(found)

    def losses(self, path: Tensor) -> list[float]:
        """The loss on all pictures at each place."""
        return [float(self.loss(w)) for w in path]

    def rises(self, path: Tensor) -> float:
        """The share of a path's steps at which the loss on all pictures rises."""
        return sum(b > a for a, b in pairwise(self.losses(path))) / (len(path) - 1)


def _told(way: Way) -> dict[str, Any]:
    return {"losses": way.losses, "seconds": way.seconds, "steps": len(way.steps)}


def _picture(ways: dict[str, Way], slope: Slope, paths: dict[str, Tensor]) -> bytes:
    with style():
        figure, (left, middle, right) = panels(1, 3, width=250, height=250)
        for kind, way in ways.items():
            drawn: dict[str, Any] = {"color": COLOURS[kind], "lw": 1.8, "marker": "o", "ms": 3.5}
            left.plot(range(1, len(way.losses) + 1), way.losses, label=kind, **drawn)
            middle.plot(way.seconds, way.losses, **drawn)
        left.set(ylabel="training loss", ylim=(0, None))
        by_epoch(left)
        legend_below(figure, columns=3)
        middle.set(xlabel="seconds", ylim=(0, None), xscale="log")
        plain_logs(middle)
        axis = torch.linspace(-4, 4, 61)
        grid = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), -1)
        heights = slope.loss(grid.view(-1, 2)).view(61, 61)
        right.contour(axis.numpy(), axis.numpy(), heights.numpy(), 14, colors=MUTED, linewidths=0.6)
        for kind, path in paths.items():
            right.plot(path[:, 0].numpy(), path[:, 1].numpy(), "-", color=COLOURS[kind], lw=1.4)
        right.plot([3], [3], "o", color=INK, ms=5)
        right.set(xlabel="weight of the upper half", ylabel="of the lower half", aspect="equal")
        return png(figure)
