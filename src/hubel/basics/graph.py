"""A computational graph: values forward, local gradients, gradients backward, one node at a time.

Reverse-mode differentiation (Linnainmaa 1970; Rumelhart, Hinton & Williams 1986): a node hands its
gradient, times its local gradient, to each of its inputs; what comes by several ways adds up.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from hubel.basics.expression import Apply, Expression, Number, names, parts
from hubel.mistakes import Mistake, unknown

MOST_NODES = 400


@dataclass(frozen=True)
class Operation:
    """One row: how it is written with its arguments, its value, and its slope along each."""

    written: str
    value: Callable[..., float]
    slopes: Callable[..., tuple[float, ...]]


def _sigmoid(a: float) -> float:
    return 1 / (1 + math.exp(-a)) if a >= 0 else math.exp(a) / (1 + math.exp(a))


def _power_slopes(a: float, b: float) -> tuple[float, float]:
    # along the exponent there is a slope only where the base is not negative
    along = a**b * math.log(a) if a > 0 else 0.0 if a == 0 and b > 0 else math.nan
    return b * a ** (b - 1) if b else 0.0, along


# At their kinks relu and abs have the slope 0, as in torch; of two that are equal, max and min take
# the second, where torch shares the slope out.
OPERATIONS: dict[str, Operation] = {
    "add": Operation("{} + {}", lambda a, b: a + b, lambda _a, _b: (1.0, 1.0)),
    "subtract": Operation("{} − {}", lambda a, b: a - b, lambda _a, _b: (1.0, -1.0)),
    "multiply": Operation("{} · {}", lambda a, b: a * b, lambda a, b: (b, a)),
    "divide": Operation("{} / {}", lambda a, b: a / b, lambda a, b: (1 / b, -a / b / b)),
    "power": Operation("{} ^ {}", lambda a, b: a**b, _power_slopes),
    "negate": Operation("−{}", lambda a: -a, lambda _a: (-1.0,)),
    "exp": Operation("exp {}", math.exp, lambda a: (math.exp(a),)),
    "log": Operation("log {}", math.log, lambda a: (1 / a,)),
    "sqrt": Operation("sqrt {}", math.sqrt, lambda a: (0.5 / math.sqrt(a),)),
    "sin": Operation("sin {}", math.sin, lambda a: (math.cos(a),)),
    "cos": Operation("cos {}", math.cos, lambda a: (-math.sin(a),)),
    "tanh": Operation("tanh {}", math.tanh, lambda a: (1 - math.tanh(a) ** 2,)),
    "sigmoid": Operation("sigmoid {}", _sigmoid, lambda a: (_sigmoid(a) * _sigmoid(-a),)),
    "relu": Operation("relu {}", lambda a: max(a, 0.0), lambda a: (float(a > 0),)),
    "abs": Operation("abs {}", abs, lambda a: (1.0 if a > 0 else -1.0 if a < 0 else 0.0,)),
    "max": Operation("max({}, {})", max, lambda a, b: (float(a > b), float(a <= b))),
    "min": Operation("min({}, {})", min, lambda a, b: (float(a < b), float(a >= b))),
}
_LETTERS = "qrstuvwabcdegh"  # for what is computed on the way


@dataclass(frozen=True)
class Node:
    """A value in the graph.

    name: as it is called. text: a number or name, or the operation with its inputs' names. inputs:
    indices of earlier nodes. value: None until forward has come by. slopes: its local gradients,
    one for each input. gradient: of the last node along this, None until backward has begun to
    reach it; then what has come so far. varies: False for a number, and for what is computed of
    numbers only; nobody asks for gradients along those.
    """

    name: str
    text: str
    operation: str = ""
    inputs: tuple[int, ...] = ()
    value: float | None = None
    slopes: tuple[float, ...] = ()
    gradient: float | None = None
    varies: bool = True

    @property
    def is_number(self) -> bool:
        """Whether it is a number as it was written."""
        return not self.operation and not self.varies


Graph = tuple[Node, ...]  # in an order in which inputs come first


@dataclass(frozen=True)
class Step:
    """One step: the graph after it, the node it was about, and what was computed, in words."""

    graph: Graph
    node: int
    words: str


def build(tree: Expression) -> Graph:
    """The graph of an expression, without values; equal parts are one node, used twice.

    The last node is called f, or F where the expression has an f of its own. Raises Mistake for
    more than MOST_NODES nodes.
    """
    nodes: list[Node] = []
    places: dict[tuple[object, ...], int] = {}
    taken = set(names(tree))
    name = next(each for each in chain("fF", _letters()) if each not in taken)
    taken.add(name)
    letters = (letter for letter in _letters() if letter not in taken)
    ready: list[int] = []  # the arguments of what comes next
    for part in parts(tree):
        inputs: tuple[int, ...] = ()
        if isinstance(part, Apply):
            inputs = tuple(ready[-len(part.arguments) :])
            del ready[-len(inputs) :]
        key = (part.operation, *inputs) if isinstance(part, Apply) else (part,)
        if key not in places:
            if len(nodes) == MOST_NODES:
                raise Mistake(f"A graph has at most {MOST_NODES} nodes; this one has more.")
            places[key] = len(nodes)
            if isinstance(part, Number):
                made = Node(part.text, part.text, value=part.value, varies=False)
            elif isinstance(part, Apply):
                words = OPERATIONS[part.operation].written.format(
                    *(_bracketed(nodes[i].name) for i in inputs)
                )
                called = name if part is tree else next(letters)
                varies = any(nodes[i].varies for i in inputs)
                made = Node(called, words, part.operation, inputs, varies=varies)
            else:
                made = Node(part.name, part.name)
            nodes.append(made)
        ready.append(places[key])
    return tuple(nodes)


def _letters() -> Iterator[str]:
    yield from _LETTERS
    number = 1
    while True:
        yield from (f"{letter}{number}" for letter in _LETTERS)
        number += 1


def steps(graph: Graph, values: Mapping[str, float]) -> Iterator[Step]:
    """Forward through the graph and backward again, a step a node.

    values: one for each name. Raises Mistake for a name without a value or one too many, and where
    an operation is not defined (a division by zero, the log of what is not positive) or a number
    grows too large, naming the node.
    """
    given = _checked(graph, values)
    now = list(graph)
    for i, node in enumerate(graph):
        if node.operation:
            yield _forward(now, i)
        elif node.value is None:
            now[i] = replace(node, value=given[node.name])
            yield Step(tuple(now), i, f"{node.name} = {number(given[node.name])}")
    last = len(now) - 1
    now[last] = replace(now[last], gradient=1.0)
    yield Step(tuple(now), last, f"∂{now[last].name}/∂{now[last].name} = 1")
    for i in range(last, -1, -1):
        for k, j in enumerate(now[i].inputs):
            if now[j].varies:
                yield _backward(now, i, k, j)


def run(graph: Graph, values: Mapping[str, float]) -> Graph:
    """The graph with all values and gradients.

    >>> from hubel.basics.expression import parse
    >>> done = run(build(parse("(x + y) * z")), {"x": -2, "y": 5, "z": -4})
    >>> {node.name: (node.value, node.gradient) for node in done}
    {'x': (-2.0, -4.0), 'y': (5.0, -4.0), 'q': (3.0, -4.0), 'z': (-4.0, 3.0), 'f': (-12.0, 1.0)}
    """
    done = graph
    for step in steps(graph, values):
        done = step.graph
    return done


def _forward(now: list[Node], i: int) -> Step:
    node = now[i]
    given = [_value(now[j]) for j in node.inputs]
    operation = OPERATIONS[node.operation]
    written = operation.written.format(*(_bracketed(number(x)) for x in given))
    value, *_ = _defined(
        lambda *x: (operation.value(*x),),
        given,
        f"{node.name} = {node.text} has no value at {written}",
    )
    slopes: tuple[float, ...] = ()
    if node.varies:
        varies = [now[j].varies for j in node.inputs]
        slopes = _defined(
            lambda *x: tuple(
                slope if asked else 0.0
                for slope, asked in zip(operation.slopes(*x), varies, strict=True)
            ),
            given,
            f"{node.name} = {node.text} is {number(value)} but has no gradient at {written}",
        )
    now[i] = replace(node, value=value, slopes=slopes)
    words = node.text if written == node.text else f"{node.text} = {written}"
    return Step(tuple(now), i, f"{node.name} = {words} = {number(value)}")


def _defined(
    function: Callable[..., tuple[float, ...]], given: Sequence[float], otherwise: str
) -> tuple[float, ...]:
    """What the function gives; Mistake where that is not defined, not real or not finite."""
    try:
        found = function(*given)
        if _finite(found):
            return found
    except (ArithmeticError, ValueError):
        pass
    raise Mistake(f"{otherwise}: choose other values.")


def _backward(now: list[Node], i: int, k: int, j: int) -> Step:
    """Hand the gradient of node i to its k-th input, node j."""
    node, other = now[i], now[j]
    upstream, slope = node.gradient or 0.0, node.slopes[k]
    given, before = upstream * slope, other.gradient
    sofar = given if before is None else before + given
    top = now[-1].name
    if not math.isfinite(sofar):
        raise Mistake(f"∂{top}/∂{other.name} is too large for a number: choose other values.")
    now[j] = replace(other, gradient=sofar)
    words = "" if i == len(now) - 1 else f"∂{top}/∂{node.name} · ∂{node.name}/∂{other.name}"
    product = f"{_bracketed(number(upstream))} · {_bracketed(number(slope))}"
    words = f"{words} = {product}" if words else product
    if before is None:
        return Step(tuple(now), j, f"∂{top}/∂{other.name} = {words} = {number(given)}")
    total = number(sofar)
    return Step(
        tuple(now),
        j,
        f"∂{top}/∂{other.name} = {number(before)} + {words} = {total}: the ways add up",
    )


def _checked(graph: Graph, values: Mapping[str, float]) -> dict[str, float]:
    wanted = [n.name for n in graph if not n.operation and n.varies]
    missing = [name for name in wanted if name not in values]
    if missing:
        raise Mistake(f"There is no value for {', '.join(missing)}: give one, as {missing[0]}=1.")
    found: dict[str, float] = {}
    for name, value in values.items():
        if not wanted:
            raise Mistake(f"There is no name in the expression, so {name} can have no value.")
        if name not in wanted:
            raise unknown("name in the expression", name, wanted)
        try:
            found[name] = float(value)
        except (TypeError, ValueError, OverflowError):
            found[name] = math.nan
        if not math.isfinite(found[name]):
            raise Mistake(f"{name} is to be a finite number, not {str(value)[:40]}.")
    return found


def _value(node: Node) -> float:
    if node.value is None:
        raise ValueError(f"{node.name} has no value yet")  # a bug: inputs come first
    return node.value


def _finite(numbers: Sequence[float]) -> bool:
    return all(not isinstance(x, complex) and math.isfinite(x) for x in numbers)


def number(value: float, digits: int = 6) -> str:
    """A number with so many digits that matter at most, and a real minus.

    >>> number(-4.0), number(0.1 + 0.2)
    ('−4', '0.3')
    """
    return f"{value + 0.0:.{digits}g}".replace("-", "−")


def _bracketed(text: str) -> str:
    return f"({text})" if text.startswith("−") else text
