"""One step of a two-layer network, written out: output errors, hidden errors, all updates at once.

Rumelhart, Hinton & Williams 1986; with softmax and cross-entropy the output errors are p − y.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from hubel.labs.lab import Drawing, Finding, Setting, Shown
from hubel.labs.learning import grey_pictures
from hubel.networks import catalogue
from hubel.report.drawing import ACCENT, INK, MUTED, panels, png, style

RATE, HIDDEN = 0.5, 16


class Written(NamedTuple):
    """A step written out, for one picture: x (1, pixels), hidden units z (1, HIDDEN),
    probabilities p (1, classes), the loss's gradient along scores and hidden sums (of the same
    shapes), and the changes of the four parameters by name."""

    x: Tensor
    z: Tensor
    p: Tensor
    at_output: Tensor
    at_hidden: Tensor
    changes: dict[str, Tensor]


def update(setting: Setting) -> Shown:
    """The step beside torch's own gradient and step, and beside one that is not simultaneous."""
    data = grey_pictures(1, 1, seed=setting.seed)
    label = data.train_labels
    torch.manual_seed(setting.seed)
    network = catalogue.build(
        "mlp", classes=len(data.classes), channels=1, size=tuple(data.train.shape[2:]),
        hidden=(HIDDEN,), activation="sigmoid",
    ).double()  # fmt: skip
    before = {name: value.detach().clone() for name, value in network.named_parameters()}
    x = data.train.double().flatten(1) / 255
    step = written_out(before, x, label)
    after = {name: before[name] + change for name, change in step.changes.items()}
    # not all together: the hidden units' errors by an output layer that has moved already
    late = written_out(before, x, label, behind=after["score.weight"]).changes
    apart = float((late["fc1.weight"] - step.changes["fc1.weight"]).abs().max())
    optimiser = torch.optim.SGD(network.parameters(), lr=RATE)
    nn.functional.cross_entropy(network(x), label).backward()  # type: ignore[no-untyped-call]
    optimiser.step()
    off = {name: float((after[name] - value.detach()).abs().max())
           for name, value in network.named_parameters()}  # fmt: skip
    largest, count = max(off.values()), sum(value.numel() for value in before.values())
    named = data.classes[int(label)]
    return Shown(
        findings=(
            Finding(
                "L20",
                "Written out, output errors p − y, hidden errors (Wᵀδ)·z(1 − z), and the changes "
                f"applied together differ from torch's own step by at most {largest:.1g}. Moving "
                f"the output layer before the hidden errors are known would differ by {apart:.2g}.",
                largest < 1e-12 < apart,
                f"one picture, {HIDDEN} hidden units, {count:,} weights, in float64",
            ),
        ),
        drawings=(
            Drawing(
                "update",
                _picture(data.train[0, 0], step, data.classes),
                f"One step on a picture of {named!r}. 1: the output errors p − y. 2: sent back "
                "through the weights, the hidden units' errors. 3: from the bottom up, the "
                "changes: of the hidden unit with the largest error, a picture of its weights' "
                "change (light: more), and of the weights from hidden units to outputs. All are "
                "applied together.",
            ),
        ),
        numbers={
            "largest difference": largest,
            "if one after the other": apart,
            "differences": off,
            "output errors": step.at_output[0].tolist(),
            "hidden errors": step.at_hidden[0].tolist(),
        },
        lines=(
            f"A picture of {named!r}, {HIDDEN} hidden units (sigmoid), rate {RATE}",
            f"forward        z = σ(W1 x + b1) = {_row(step.z)}",
            f"               p = softmax(W2 z + b2) = {_row(step.p)}",
            f"output errors  δ2 = p − y = {_row(step.at_output)}",
            f"hidden errors  δ1 = (W2ᵀ δ2)·z(1 − z) = {_row(step.at_hidden)}",
            f"from the bottom up, all together: W1 −= {RATE} δ1 xᵀ, b1 −= {RATE} δ1, "
            f"W2 −= {RATE} δ2 zᵀ, b2 −= {RATE} δ2",
            f"the same step by torch's SGD: differs by at most {largest:.1g} in {count:,} weights",
            f"W2 moved before δ1 is known: differs by {apart:.2g}",
        ),
    )


def written_out(
    weights: dict[str, Tensor], x: Tensor, label: Tensor, *, behind: Tensor | None = None
) -> Written:
    """The step for a picture x (1, pixels) of class label (1,), without automatic differentiation.

    behind: the output weights that the errors go back through, those that it answered with unless
    given others.
    """
    W2 = weights["score.weight"]
    z = torch.sigmoid(x @ weights["fc1.weight"].T + weights["fc1.bias"])
    p = torch.softmax(z @ W2.T + weights["score.bias"], 1)
    at_output = p - nn.functional.one_hot(label, p.shape[1]).to(p)
    at_hidden = (at_output @ (W2 if behind is None else behind)) * z * (1 - z)
    changes = {
        "fc1.weight": -RATE * at_hidden.T @ x,
        "fc1.bias": -RATE * at_hidden[0],
        "score.weight": -RATE * at_output.T @ z,
        "score.bias": -RATE * at_output[0],
    }
    return Written(x, z, p, at_output, at_hidden, changes)


def _picture(image: Tensor, step: Written, classes: tuple[str, ...]) -> bytes:
    unit = int(step.at_hidden[0].abs().argmax())
    templates = step.changes["fc1.weight"][unit].view(image.shape)
    outward = step.changes["score.weight"]
    with style():
        figure, axes = panels(1, 5, width=200, height=220)
        axes[0].imshow(image.numpy(), cmap="gray")
        axes[0].set_title("the picture x", size=10)
        axes[0].set_axis_off()
        for one, errors, colour, title in (
            (axes[1], step.at_output[0], ACCENT, "1  output errors p − y"),
            (axes[2], step.at_hidden[0], INK, "2  hidden errors"),
        ):
            one.barh(range(len(errors)), errors.tolist(), color=colour)
            one.axvline(0, color=MUTED, lw=0.8)
            one.invert_yaxis()
            one.set_title(title, size=10)
        axes[1].set_yticks(range(len(classes)), classes, fontsize=8)
        axes[2].set_yticks([unit], [f"unit {unit + 1}"], fontsize=8)
        for one, change, title in (
            (axes[3], templates, f"3  change of unit {unit + 1}'s weights"),
            (axes[4], outward, "3  change of the output weights"),
        ):
            limit = float(change.abs().max()) or 1.0
            one.imshow(change.numpy(), cmap="gray", vmin=-limit, vmax=limit, aspect="auto"
                       if one is axes[4] else "equal")  # fmt: skip
            one.set_title(f"{title}\n±{limit:.2g}", size=10)
            one.set(xticks=[], yticks=[])
        axes[4].set(xlabel="hidden unit", ylabel="output")
        return png(figure)


def _row(x: Tensor, most: int = 6) -> str:
    shown = ", ".join(f"{value:+.3f}".replace("-", "−") for value in x[0, :most].tolist())
    return f"({shown}{', …' if x.shape[1] > most else ''})"
