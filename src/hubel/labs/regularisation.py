"""What a penalty on the weights does to them: L2 makes all small, L1 makes many exactly zero.

A linear classifier by proximal gradient descent (Parikh & Boyd 2014, section 4.2): plain descent
would step over the kink of |w| at 0 and back, and never rest there; here each step by L1 moves a
weight towards 0 and stops it at 0.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from hubel.figures import percent
from hubel.labs.lab import Drawing, Finding, Setting, Shown
from hubel.labs.learning import Pictures, grey_pictures
from hubel.report.drawing import ACCENT, INK, MUTED, panels, png, style

STRENGTHS = {"none": (0.0,), "L2": (1e-3, 1e-2, 1e-1), "L1": (1e-3, 3e-3, 1e-2)}
SHOWN = {"none": 0.0, "L2": 1e-2, "L1": 3e-3}  # the strengths that are drawn
RATE = 0.02  # below 2 / the curvature: the loss falls at every step
FIRST = 0.02  # deviation of the weights at first


class Fitted(NamedTuple):
    """weights (classes, pixels); the share of them that is zero; accuracies, in and out."""

    weights: Tensor
    zero: float
    train: float
    test: float


def regularisation(setting: Setting) -> Shown:
    """One classifier without a penalty, with L2 and with L1, at several strengths."""
    train, test, steps = setting.pick((300, 200, 60), (3000, 2000, 1500), (20000, 10000, 6000))
    data = grey_pictures(train, test, seed=setting.seed)
    cases = [(kind, strength) for kind, row in STRENGTHS.items() for strength in row]
    found: dict[tuple[str, float], Fitted] = {}
    for i, (kind, strength) in enumerate(cases):
        found[kind, strength] = fitted(data, kind, strength, steps, setting)
        setting.watch.progress("fit", i + 1, len(cases), f"{kind} {strength:g}")
    plain, small, sparse = (found[kind, strength] for kind, strength in SHOWN.items())
    size = {kind: _size(found[kind, strength].weights) for kind, strength in SHOWN.items()}
    return Shown(
        findings=(
            Finding(
                "L13",
                f"The weights' root mean square is {size['none']:.2g} without a penalty, "
                f"{size['L2']:.2g} with L2 (λ = {SHOWN['L2']:g}) and {size['L1']:.2g} with L1 "
                f"(λ = {SHOWN['L1']:g}); exactly zero are {percent(plain.zero)}, "
                f"{percent(small.zero)} and {percent(sparse.zero)}. Test accuracy "
                f"{percent(plain.test)}, {percent(small.test)} and {percent(sparse.test)}, on the "
                f"training pictures {percent(plain.train)}, {percent(small.train)} and "
                f"{percent(sparse.train)}.",
                size["L2"] < size["none"] and small.zero < 0.01 and sparse.zero > 0.5,
                f"{len(data.train):,} pictures of {data.what}, {len(data.test):,} to test on, "
                f"{steps} steps of full-batch proximal descent",
                "zeros with L1 at λ = "
                + ", ".join(f"{s:g}: {percent(found['L1', s].zero, 0)}" for s in STRENGTHS["L1"]),
            ),
        ),
        drawings=(
            Drawing(
                "regularisation",
                _picture(data, found),
                f"Above, one class's weights ({data.classes[0]}) as a picture; below, how many "
                "weights are how large (note the logarithmic counts).",
            ),
        ),
        numbers={f"{kind} {strength:g}": _told(one) for (kind, strength), one in found.items()},
    )


def fitted(data: Pictures, kind: str, strength: float, steps: int, setting: Setting) -> Fitted:
    """Softmax regression on pixels from which the mean picture is taken, by proximal descent."""
    mean = data.train.float().mean(0) / 255
    x, test = ((part.float() / 255 - mean).flatten(1) for part in (data.train, data.test))
    generator = torch.Generator().manual_seed(setting.seed)
    W = FIRST * torch.randn(len(data.classes), x.shape[1], generator=generator)
    b = torch.zeros(len(data.classes))
    target = F.one_hot(data.train_labels, len(data.classes)).float()
    for _ in range(steps):
        errors = ((x @ W.T + b).softmax(1) - target) / len(x)
        W -= RATE * (errors.T @ x + (2 * strength * W if kind == "L2" else 0))
        b -= RATE * errors.sum(0)
        if kind == "L1":
            W = F.softshrink(W, RATE * strength)
    return Fitted(
        W,
        float((W == 0).double().mean()),
        _right(x @ W.T + b, data.train_labels),
        _right(test @ W.T + b, data.test_labels),
    )


def _right(scores: Tensor, labels: Tensor) -> float:
    return float((scores.argmax(1) == labels).double().mean())


def _size(weights: Tensor) -> float:
    return float(weights.square().mean().sqrt())


def _told(one: Fitted) -> dict[str, Any]:
    return {"rms": _size(one.weights), "zero": one.zero, "train": one.train, "test": one.test}


def _picture(data: Pictures, found: dict[tuple[str, float], Fitted]) -> bytes:
    with style():
        figure, axes = panels(2, 3, width=220, height=190)
        for i, ((kind, strength), colour) in enumerate(
            zip(SHOWN.items(), (MUTED, INK, ACCENT), strict=True)
        ):
            weights = found[kind, strength].weights
            limit = float(weights[0].abs().max())
            template = weights[0].view(data.train.shape[2:]).numpy()
            axes[i].imshow(template, cmap="gray", vmin=-limit, vmax=limit)
            axes[i].set_title(f"{kind}, λ = {strength:g}" if strength else "no penalty", size=10)
            axes[i].set_axis_off()
            below = axes[3 + i]
            below.hist(weights.flatten().numpy(), bins=61, range=(-0.3, 0.3), color=colour)
            below.set_yscale("log")
            below.set_ylim(0.8, weights.numel())
            below.set_yticks([1, 10, 100, 1000], ["1", "10", "100", "1000"])
            below.minorticks_off()
            below.set_xlabel("weight")
        axes[3].set_ylabel("how many")
        return png(figure)
