"""Backpropagation, step by step: on an expression, on a two-layer network, through a real one."""

import os
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from hubel.basics.expression import parse
from hubel.basics.graph import Step, build, number, steps
from hubel.labs.lab import Drawing, Finding, Setting, Shown
from hubel.labs.learning import grey_pictures
from hubel.labs.through import through
from hubel.mistakes import Mistake
from hubel.networks import catalogue
from hubel.report.graph import Box, Frame, frames_picture, graph_picture

LECTURE = "(x + y) * z", ("x=-2", "y=5", "z=-4")
GOLDEN = {"q": -4.0, "x": -4.0, "y": -4.0, "z": 3.0}  # the slide's gradients
RATE = 0.5


def backprop(
    setting: Setting,
    *,
    expression: str | None = None,
    values: Sequence[str] = (),
    network: str | None = None,
    image: str | os.PathLike[str] | None = None,
) -> Shown:
    """An expression's graph, values forward and gradients backward; or a network's layers.

    expression, values: as "(x + y) * z" and ("x=-2", "y=5", "z=-4"). network: a small one of the
    catalogue, trained for a moment, or a run or model; "mlp" shows the update of a two-layer
    network. image: a picture for it. Without any: the lecture's two examples. Raises Mistake for
    what is not arithmetic, for values that do not fit, and for an unknown network.
    """
    if network == "mlp":
        return _update(setting)
    if network is not None:
        return through(setting, network, image)
    if expression is not None:
        return _expression(expression, _numbers(values))
    lecture, update = _expression(LECTURE[0], _numbers(LECTURE[1])), _update(setting)
    return Shown(
        findings=(*update.findings, _golden(lecture)),
        drawings=lecture.drawings,
        numbers={**lecture.numbers, **update.numbers},
        lines=(*lecture.lines, "", *update.lines),
    )


def _numbers(values: Sequence[str]) -> dict[str, float]:
    """x=-2 and its like as numbers. Raises Mistake for what is none, or given twice."""
    found: dict[str, float] = {}
    for text in values:
        name, equals, value = text.partition("=")
        try:
            given = float(value.replace("−", "-"))
        except ValueError:
            equals = ""
        if not equals or not name.strip():
            raise Mistake(f"A value is given as NAME=NUMBER, x=-2 for one, not {text!r}.")
        if name.strip() in found:
            raise Mistake(f"{name.strip()} has two values: give one.")
        found[name.strip()] = given
    return found


def _expression(text: str, values: dict[str, float]) -> Shown:
    done = list(steps(build(parse(text)), values))
    frames = [_frame(step) for step in done]
    last = done[-1].graph
    return Shown(
        findings=(),
        drawings=(
            Drawing(
                "graph",
                graph_picture(Frame(frames[-1].boxes, None, "")),
                f"{text}: above each node its value, below it the gradient of the result along it.",
            ),
            Drawing("steps", frames_picture(frames), "Forward and backward, a frame each step."),
        ),
        numbers={
            node.name: {"value": node.value, "gradient": node.gradient}
            for node in last
            if node.gradient is not None
        },
        lines=tuple(step.words for step in done),
    )


def _frame(step: Step) -> Frame:
    boxes = []
    for node in step.graph:
        constant = not node.operation and node.name == node.text and node.name[0] in "0123456789."
        text = f"{node.name} = {node.text}" if node.operation else node.name
        value = "" if constant or node.value is None else number(node.value)
        gradient = "" if node.gradient is None else number(node.gradient)
        boxes.append(Box(text, node.inputs, value, gradient))
    return Frame(tuple(boxes), step.node, step.words)


def _golden(lecture: Shown) -> Finding:
    found = lecture.numbers
    gradients = {name: found[name]["gradient"] for name in GOLDEN}
    return Finding(
        "L21",
        f"f = {number(found['f']['value'])} with q = {number(found['q']['value'])}; "
        + ", ".join(f"∂f/∂{name} = {number(value)}" for name, value in gradients.items())
        + ".",
        gradients == GOLDEN and found["f"]["value"] == -12 and found["q"]["value"] == 3,
        "one expression",
    )


def _update(setting: Setting) -> Shown:
    """One step of a two-layer network written out, beside torch's gradient and step (L20)."""
    data = grey_pictures(1, 1, seed=setting.seed)
    x = data.train.double().flatten(1) / 255  # (1, pixels)
    label = data.train_labels
    torch.manual_seed(setting.seed)
    network = catalogue.build(
        "mlp", classes=len(data.classes), channels=1, size=tuple(data.train.shape[2:]),
        hidden=(16,), activation="sigmoid",
    ).double()  # fmt: skip
    fc1, score = network.get_submodule("fc1"), network.get_submodule("score")
    assert isinstance(fc1, nn.Linear)  # noqa: S101 - the catalogue's mlp has no other
    assert isinstance(score, nn.Linear)  # noqa: S101
    W1, b1, W2, b2 = (p.detach().clone() for p in (fc1.weight, fc1.bias, score.weight, score.bias))
    z = torch.sigmoid(x @ W1.T + b1)  # hidden units (1, 16)
    p = torch.softmax(z @ W2.T + b2, 1)  # probabilities (1, classes)
    target = nn.functional.one_hot(label, len(data.classes)).double()
    at_output = p - target  # ∂loss/∂scores
    at_hidden = (at_output @ W2) * z * (1 - z)  # back through W2, and the sigmoid's slope
    after = {
        "fc1.weight": W1 - RATE * at_hidden.T @ x,
        "fc1.bias": b1 - RATE * at_hidden[0],
        "score.weight": W2 - RATE * at_output.T @ z,
        "score.bias": b2 - RATE * at_output[0],
    }
    # not all together: the hidden units' error by an output layer that has moved already
    late = ((at_output @ after["score.weight"]) * z * (1 - z)).T @ x
    apart = float((W1 - RATE * late - after["fc1.weight"]).abs().max())
    optimiser = torch.optim.SGD(network.parameters(), lr=RATE)
    nn.functional.cross_entropy(network(x), label).backward()  # type: ignore[no-untyped-call]
    optimiser.step()
    largest = max(_largest(after[name] - value) for name, value in network.named_parameters())
    return Shown(
        findings=(
            Finding(
                "L20",
                "Written out, output errors p − y, hidden errors (Wᵀδ)·z(1 − z), and the changes "
                f"applied together differ from torch's own step by at most {largest:.1g}. Moving "
                f"the output layer before the hidden errors are known would differ by {apart:.2g}.",
                largest < 1e-12 < apart,
                "one picture, 16 hidden units, in float64",
            ),
        ),
        numbers={"largest difference": largest, "if one after the other": apart},
        lines=(
            f"A picture of the class {data.classes[int(label)]!r}, 16 hidden units, rate {RATE}",
            f"output errors  p − y = {_row(at_output)}",
            f"hidden errors  (Wᵀδ)·z(1 − z) = {_row(at_hidden)}",
            f"then fc1 −= {RATE}·δ_hidden xᵀ and score −= {RATE}·δ_output zᵀ, both together",
        ),
    )


def _largest(x: Tensor) -> float:
    return float(x.detach().abs().max())


def _row(x: Tensor, most: int = 6) -> str:
    shown = ", ".join(f"{value:+.3f}".replace("-", "−") for value in x[0, :most].tolist())
    return f"({shown}{', …' if x.shape[1] > most else ''})"
