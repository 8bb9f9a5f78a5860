"""The computational graph: the lecture's numbers, torch's gradients, every step in its order."""

import math
from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hubel.basics.expression import Apply, Expression, Name, Number, parse
from hubel.basics.graph import OPERATIONS, Node, build, number, run, steps
from hubel.mistakes import Mistake

LECTURE = {"x": -2.0, "y": 5.0, "z": -4.0}


def test_the_lectures_numbers() -> None:
    done = {node.name: node for node in run(build(parse("(x + y) * z")), LECTURE)}
    assert (done["q"].value, done["f"].value) == (3, -12)
    gradients = {name: node.gradient for name, node in done.items()}
    assert gradients == {"x": -4, "y": -4, "z": 3, "q": -4, "f": 1}


def test_steps_go_forward_and_then_backward_one_node_each() -> None:
    done = list(steps(build(parse("(x + y) * z")), LECTURE))
    assert [step.words for step in done] == [
        "x = −2", "y = 5", "q = x + y = (−2) + 5 = 3", "z = −4", "f = q · z = 3 · (−4) = −12",
        "∂f/∂f = 1", "∂f/∂q = 1 · (−4) = −4", "∂f/∂z = 1 · 3 = 3",
        "∂f/∂x = ∂f/∂q · ∂q/∂x = (−4) · 1 = −4", "∂f/∂y = ∂f/∂q · ∂q/∂y = (−4) · 1 = −4",
    ]  # fmt: skip
    for before, after in pairwise(done):
        changed = [
            i for i, (a, b) in enumerate(zip(before.graph, after.graph, strict=True)) if a != b
        ]
        assert changed == [after.node]


def test_gradients_add_up_where_a_value_is_used_twice() -> None:
    done = {node.name: node for node in run(build(parse("x * x + x")), {"x": 3.0})}
    assert done["x"].gradient == 7
    assert len(run(build(parse("(a + b) * (a + b)")), {"a": 1, "b": 2})) == 4  # one node, twice


UNARY = [name for name, row in OPERATIONS.items() if row.written.count("{}") == 1]
BINARY = [name for name in OPERATIONS if name not in UNARY]
TORCH = {
    "add": torch.add, "subtract": torch.sub, "multiply": torch.mul, "divide": torch.div,
    "power": torch.pow, "negate": torch.neg, "max": torch.maximum, "min": torch.minimum,
}  # fmt: skip


@st.composite
def trees(draw: st.DrawFn, depth: int = 0) -> Expression:
    kind = draw(st.integers(0, 3)) if depth < 4 else 0
    if kind == 0:
        return Name(draw(st.sampled_from("xyz")))
    if kind == 1:
        value = draw(st.sampled_from([0.5, 1.0, 2.0, 3.0]))
        return Number(value, str(value))
    if kind == 2:
        return Apply(draw(st.sampled_from(UNARY)), (draw(trees(depth + 1)),))
    pair = draw(trees(depth + 1)), draw(trees(depth + 1))
    return Apply(draw(st.sampled_from(BINARY)), pair)


def by_torch(tree: Expression, given: dict[str, torch.Tensor]) -> torch.Tensor:
    if isinstance(tree, Number):
        return torch.tensor(tree.value, dtype=torch.float64)
    if isinstance(tree, Name):
        return given[tree.name]
    operation = TORCH.get(tree.operation) or getattr(torch, tree.operation)
    made: torch.Tensor = operation(*(by_torch(part, given) for part in tree.arguments))
    return made


@settings(max_examples=150)
@given(trees(), st.lists(st.floats(-3, 3), min_size=3, max_size=3, unique=True))
def test_against_automatic_differentiation(tree: Expression, numbers: list[float]) -> None:
    values = dict(zip("xyz", numbers, strict=True))
    graph = build(tree)
    used = {node.name: values[node.name] for node in graph if node.name in values}
    assume(used)
    try:
        done = run(graph, used)
    except Mistake:
        assume(False)
    nodes = {node.name: node for node in done}
    # at a kink either slope is right: torch shares it out, the graph takes the left one
    assume(not _at_a_kink(done))
    given = {k: torch.tensor(v, dtype=torch.float64, requires_grad=True) for k, v in used.items()}
    result = by_torch(tree, given)
    assert done[-1].value == pytest.approx(result.item(), rel=1e-10, abs=1e-300)
    names, bound = list(given), _at_most(done)
    slopes = torch.autograd.grad(result, [given[name] for name in names], allow_unused=True)
    for name, slope in zip(names, slopes, strict=True):
        expected = 0.0 if slope is None else slope.item()
        rounding = 1e-13 * bound[name]
        assert nodes[name].gradient == pytest.approx(expected, rel=1e-10, abs=rounding)


def _at_most(graph: tuple[Node, ...]) -> dict[str, float]:
    """What rounding is relative to: the ways to each node without their signs, which cancel.

    A slope below 1 counts as 1, since 1 − tanh² has its rounding from the 1.
    """
    ways = [0.0] * (len(graph) - 1) + [1.0]
    for i in range(len(graph) - 1, -1, -1):
        for j, slope in zip(graph[i].inputs, graph[i].slopes, strict=False):
            ways[j] += ways[i] * max(1.0, abs(slope))
    return {node.name: way for node, way in zip(graph, ways, strict=True)}


def _at_a_kink(graph: tuple[Node, ...]) -> bool:
    for node in graph:
        given = [graph[i].value for i in node.inputs]
        if node.operation in ("relu", "abs") and given[0] == 0:
            return True
        if node.operation in ("max", "min") and given[0] == given[1]:
            return True
    return False


@pytest.mark.parametrize(
    "text",
    [
        "(x + y) * z", "1 / (1 + exp(-(x * y + z)))", "x ^ y / (z * z + 1)",
        "log(x * y) * sin(z) - tanh(x * z)", "max(x, y) * relu(z) - min(x * y, abs(z))",
        "sqrt(x) * sqrt(x) + sigmoid(x - y) * cos(x)",
    ],
)  # fmt: skip
def test_against_numerical_differences(text: str) -> None:
    graph, values = build(parse(text)), {"x": 1.3, "y": 0.7, "z": -0.4}
    used = {node.name: values[node.name] for node in graph if node.name in values}
    for node in run(graph, used):
        if node.name in used:
            high, low = (
                run(graph, used | {node.name: used[node.name] + h})[-1].value or 0.0
                for h in (1e-5, -1e-5)
            )
            assert node.gradient == pytest.approx((high - low) / 2e-5, rel=1e-8, abs=1e-9)


def test_slopes_against_differences() -> None:
    for name, row in OPERATIONS.items():
        point = [1.3, 0.7][: row.written.count("{}")]
        for k, slope in enumerate(row.slopes(*point)):
            high, low = ([x + h * (i == k) for i, x in enumerate(point)] for h in (1e-6, -1e-6))
            assert slope == pytest.approx((row.value(*high) - row.value(*low)) / 2e-6, abs=1e-8), (
                name
            )


@pytest.mark.parametrize(
    ("text", "values", "said"),
    [
        ("x / y", {"x": 1, "y": 0}, r"f = x / y has no value at 1 / 0: choose"),
        ("log(x)", {"x": -1}, r"f = log x has no value at log \(−1\)"),
        ("log(x)", {"x": 0}, "f = log x has no value at log 0"),
        ("1 + 2 / (x - y)", {"x": 3, "y": 3}, "r = 2 / q has no value at 2 / 0"),
        ("sqrt(x)", {"x": 0}, "f = sqrt x is 0 but has no gradient at sqrt 0"),
        ("x ^ 0.5", {"x": -1}, r"no value at \(−1\) \^ 0\.5"),
        ("x ^ y", {"x": -2, "y": 2}, r"is 4 but has no gradient at \(−2\) \^ 2"),  # along y
        ("exp(exp(x))", {"x": 100}, "f = exp q has no value"),
        ("1e300 * (1e300 * x)", {"x": 1e-300}, "∂f/∂x is too large"),
        ("x + y", {"x": 1}, r"no value for y: give one, as y=1\."),
        ("x + y", {"x": 1, "y": 2, "yy": 3}, "Did you mean 'y'"),
        ("x", {"x": math.nan}, "x is to be a finite number, not nan"),
        ("x", {"x": "two"}, "x is to be a finite number, not two"),
        ("x", {"x": 10**400}, "x is to be a finite number"),
        ("1 + 2", {"x": 1}, "no name in the expression"),
    ],
)
def test_what_has_no_value(text: str, values: dict[str, Any], said: str) -> None:
    with pytest.raises(Mistake, match=said):
        run(build(parse(text)), values)


def test_a_constant_needs_no_gradient_along_itself() -> None:
    done = run(build(parse("x ^ 2")), {"x": -3.0})
    assert {node.name: node.gradient for node in done} == {"x": -6.0, "2": None, "f": 1.0}
    # nor one that is computed of constants, as an exponent of a negative number may be
    for text, slope in (("x ^ -2", 2 / 27), ("x ^ (1 + 1)", -6.0)):
        nodes = run(build(parse(text)), {"x": -3.0})
        assert nodes[0].gradient == pytest.approx(slope, rel=1e-15)
        assert [node.gradient for node in nodes if not node.varies] == [None] * (len(nodes) - 2)


def test_the_result_is_called_by_its_name() -> None:
    words = [step.words for step in steps(build(parse("f * x - -2")), {"f": 1, "x": 2})]
    assert words[-4:] == [
        "∂F/∂F = 1", "∂F/∂q = 1 · 1 = 1",
        "∂F/∂f = ∂F/∂q · ∂q/∂f = 1 · 2 = 2", "∂F/∂x = ∂F/∂q · ∂q/∂x = 1 · 1 = 1",
    ]  # fmt: skip
    assert words[3] == "F = q − (−2) = 2 − (−2) = 4"


def test_names_do_not_meet_those_on_the_way() -> None:
    done = run(build(parse("(f + q) * F")), {"f": 1, "q": 2, "F": 3})
    assert len({node.name for node in done}) == len(done) == 5
    with pytest.raises(Mistake, match="400 nodes"):
        build(parse("+".join(f"x{i}" for i in range(300))))
    with pytest.raises(Mistake, match="400 nodes"):
        build(parse("x+" * 999 + "x"))


def test_numbers_as_they_are_read() -> None:
    assert [number(x) for x in (-4.0, 0.30000000000000004, 1e-9)] == ["−4", "0.3", "1e−09"]
    assert (number(-0.0), number(0.123456789, 4)) == ("0", "0.1235")
