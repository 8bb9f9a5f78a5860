"""Backpropagation, step by step: on an expression, on a two-layer network, through a real one."""

import os
from collections.abc import Sequence

from hubel.basics.expression import parse
from hubel.basics.graph import Step, build, number, steps
from hubel.labs.lab import Drawing, Finding, Setting, Shown
from hubel.labs.through import through
from hubel.labs.update import update
from hubel.mistakes import Mistake
from hubel.report.graph import Box, Frame, frames_picture, graph_picture, last_frames

LECTURE = "(x + y) * z", ("x=-2", "y=5", "z=-4")
GOLDEN = {"q": -4.0, "x": -4.0, "y": -4.0, "z": 3.0}  # the slide's gradients


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
        return update(setting)
    if network is not None:
        return through(setting, network, image)
    if expression is not None:
        return _expression(expression, _numbers(values))
    lecture, step = _expression(LECTURE[0], _numbers(LECTURE[1])), update(setting)
    return Shown(
        findings=(*step.findings, _golden(lecture)),
        drawings=(*lecture.drawings, *step.drawings),
        numbers={**lecture.numbers, **step.numbers},
        lines=(*lecture.lines, "", *step.lines),
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
    which, room = "a frame each step", len(last_frames(frames))
    if room < len(frames):
        which = f"the last {room} of {len(frames)} steps, a frame each"
    return Shown(
        findings=(),
        drawings=(
            Drawing(
                "graph",
                graph_picture(Frame(frames[-1].boxes, None, "")),
                f"{text}: above each node its value, below it the gradient of the result along it.",
            ),
            Drawing("steps", frames_picture(frames), f"Forward, then backward, {which}."),
        ),
        numbers={
            node.name: {"value": node.value, "gradient": node.gradient}
            for node in last
            if node.gradient is not None
        },
        lines=tuple(step.words for step in done),
    )


def _frame(step: Step) -> Frame:
    """The step as boxes; numbers get none, since they stand in the text of what they go into."""
    drawn = [i for i, node in enumerate(step.graph) if not node.is_number] or [0]
    boxes = []
    for i in drawn:
        node = step.graph[i]
        boxes.append(
            Box(
                f"{node.name} = {node.text}" if node.operation else node.name,
                tuple(drawn.index(j) for j in node.inputs if j in drawn),
                "" if node.value is None else number(node.value, 4),
                "" if node.gradient is None else number(node.gradient, 4),
            )
        )
    return Frame(tuple(boxes), drawn.index(step.node), step.words)


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
