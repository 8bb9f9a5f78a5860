"""The lecture's two losses on its three pictures, computed step by step by the product's own."""

import math

import torch
from torch import Tensor

from hubel.labs.lab import Drawing, Finding, Setting, Shown
from hubel.report.drawing import ACCENT, INK, MUTED, legend_below, panels, png, style
from hubel.training.losses import cross_entropy, hinge

CLASSES = ("cat", "car", "frog")
SCORES = ((3.2, 5.1, -1.7), (1.3, 4.9, 2.0), (2.2, 2.5, -3.1))  # of a cat, a car and a frog


def losses(setting: Setting) -> Shown:
    """Hinge and softmax cross-entropy of the scores of a cat, a car and a frog."""
    scores, labels = torch.tensor(SCORES, dtype=torch.float64), torch.arange(3)
    hinges = [float(hinge(scores[i : i + 1], labels[i : i + 1])) for i in range(3)]
    mean = float(hinge(scores, labels))
    exponentials = scores[0].exp()
    shares = exponentials / exponentials.sum()
    loss = float(cross_entropy(scores[:1], labels[:1]))
    lines = ["Multiclass hinge, margin 1: Σ over the wrong classes of max(0, s − s_right + 1)"]
    lines += [f"  {CLASSES[i]}: {_terms(scores[i], i)} = {hinges[i]:.4g}" for i in range(3)]
    lines += [f"  mean = {mean:.4g}", "", "Softmax of the cat's scores"]
    lines += [
        f"  {name}: e^{score:g} = {power:.2f}, over {float(exponentials.sum()):.2f} = {share:.2f}"
        for name, score, power, share in zip(
            CLASSES, SCORES[0], exponentials.tolist(), shares.tolist(), strict=True
        )
    ]
    lines.append(
        f"  loss = −ln {shares[0]:.4f} = {loss:.2f}; −log₁₀ of it is {loss / math.log(10):.2f}"
    )
    told = [round(x, d) for x, d in zip(exponentials.tolist(), (1, 1, 2), strict=True)]
    parts = [round(x, 2) for x in shares.tolist()]
    return Shown(
        findings=(
            Finding(
                "L12",
                f"{', '.join(f'{x:.4g}' for x in hinges)}; mean {mean:.4g}.",
                [round(x, 1) for x in hinges] == [2.9, 0.0, 12.9] and round(mean, 2) == 5.27,
                "three pictures, three classes",
            ),
            Finding(
                "L14",
                f"Exponentials {', '.join(map(str, told))}; probabilities "
                f"{', '.join(f'{x:.2f}' for x in parts)}; loss {loss:.2f} (in base 10 "
                f"{loss / math.log(10):.2f}).",
                told == [24.5, 164.0, 0.18]
                and parts == [0.13, 0.87, 0.0]
                and round(loss, 2) == 2.04,
                "one picture, three classes",
            ),
        ),
        drawings=(
            Drawing(
                "losses",
                _picture(setting.pick(17, 161, 641)),
                "Both losses as the right score grows, against one wrong score of 0: the hinge is "
                "content from a margin of 1 on, the cross-entropy never quite.",
            ),
        ),
        numbers={
            "hinge": hinges,
            "mean": mean,
            "exponentials": exponentials.tolist(),
            "probabilities": shares.tolist(),
            "cross_entropy": loss,
        },
        lines=tuple(lines),
    )


def _terms(scores: Tensor, right: int) -> str:
    def written(x: float) -> str:
        return f"{x:g}".replace("-", "−")

    return " + ".join(
        f"max(0, {written(float(scores[j]))} − {_bracketed(written(float(scores[right])))} + 1)"
        for j in range(len(scores))
        if j != right
    )


def _bracketed(text: str) -> str:
    return f"({text})" if text.startswith("−") else text


def _picture(points: int) -> bytes:
    right = torch.linspace(-4, 4, points)
    scores = torch.stack((right, torch.zeros_like(right)), 1)
    label = torch.zeros(1, dtype=torch.long)
    rows = {
        "hinge": [float(hinge(row[None], label)) for row in scores],
        "cross-entropy": [float(cross_entropy(row[None], label)) for row in scores],
    }
    with style():
        figure, [axes] = panels(1, 1, width=420, height=270)
        for (name, values), colour in zip(rows.items(), (INK, ACCENT), strict=True):
            axes.plot(right, values, color=colour, lw=1.8, label=name)
        axes.axvline(1, color=MUTED, lw=0.8, ls=(0, (2, 3)))
        axes.annotate("margin 1", (1, 4.2), xytext=(4, 0), textcoords="offset points", color=MUTED)
        axes.set(xlabel="right score less the wrong one", ylabel="loss", ylim=(0, 5))
        legend_below(figure, columns=2)
        return png(figure)
