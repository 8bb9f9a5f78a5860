"""Arithmetic as text: what is read, in which order, and what is refused with its place."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubel.basics.expression import Apply, Expression, Name, Number, names, parse, parts
from hubel.mistakes import Mistake


def value(tree: Expression) -> float:
    """The obvious evaluation of trees of numbers."""
    if isinstance(tree, Number):
        return tree.value
    assert isinstance(tree, Apply)
    given = [value(part) for part in tree.arguments]
    return {
        "add": lambda a, b: a + b,
        "subtract": lambda a, b: a - b,
        "multiply": lambda a, b: a * b,
        "divide": lambda a, b: a / b,
        "power": lambda a, b: a**b,
        "negate": lambda a: -a,
        "max": max,
    }[tree.operation](*given)


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("1 + 2 * 3", 7), ("(1 + 2) * 3", 9), ("8 - 3 - 2", 3), ("8 / 4 / 2", 1),
        ("2 ^ 3 ^ 2", 512), ("2 ** 3", 8), ("-2 ^ 2", -4), ("2 ^ -1", 0.5), ("-(-3)", 3),
        ("2 * -3", -6), ("max(1, 2 + 3)", 5), ("1e3 + .5", 1000.5), ("−2 · 3", -6), ("+4", 4),
    ],
)  # fmt: skip
def test_what_it_comes_to(text: str, result: float) -> None:
    assert value(parse(text)) == result


@st.composite
def sums(draw: st.DrawFn, depth: int = 0) -> str:
    """Random arithmetic, in Python's own spelling too."""
    if depth == 3 or draw(st.booleans()):
        return str(draw(st.integers(0, 9)))
    left, right = draw(sums(depth + 1)), draw(sums(depth + 1))
    sign = draw(st.sampled_from(["+", "-", "*"]))
    text = f"{left} {sign} {right}"
    return f"({text})" if draw(st.booleans()) else text


@settings(max_examples=100)
@given(sums())
def test_as_python_reads_it(text: str) -> None:
    assert value(parse(text)) == eval(text)


def test_names_in_their_order() -> None:
    assert names(parse("(w1 * x + b) * w1 + _y2")) == ["w1", "x", "b", "_y2"]
    assert parse("x") == Name("x")
    assert names(parse("x+" * 999 + "x")) == ["x"]  # a tree as deep as it has terms


def test_every_part_stands_behind_its_arguments() -> None:
    tree = parse("max(x, 2) * x")
    seen: list[Expression] = []
    for part in parts(tree):
        assert not isinstance(part, Apply) or all(each in seen for each in part.arguments)
        seen.append(part)
    assert len(seen) == 5
    assert seen[-1] is tree


def test_a_negative_number_is_a_number() -> None:
    assert parse("-2") == parse("−2") == Number(-2.0, "−2")
    assert parse("x ^ -2") == Apply("power", (Name("x"), Number(-2.0, "−2")))
    assert parse("-2 ^ 2") == Apply(
        "negate", (Apply("power", (Number(2.0, "2"), Number(2.0, "2"))),)
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("(x + y * z", r"its end at position 11, where \"\)\""),
        ("x +", "its end at position 4"),
        ("", "its end at position 1"),
        ("2 3", "'3' at position 3"),
        ("x ! y", "'!' at position 3"),
        ("__import__('os')", "at position 12"),
        ("__import__(os)", "no function '__import__'"),
        ("x.y", r"'\.' at position 2"),
        ("x[0]", r"'\[' at position 2"),
        ("a; b", "';' at position 2"),
        ("lambda: 1", "':' at position 7"),
        ("x = 3", "'=' at position 3"),
        ("sinn(x)", "Did you mean 'sin'"),
        ("max(x)", r"max takes 2 numbers, not 1\."),
        ("exp(1, 2)", r"exp takes 1 number, not 2\."),
        ("exp + 1", r"exp is a function: write exp\(…\)"),
        ("sin x", r"sin is a function: write sin\(…\)"),
        ("1e999 * x", "1e999 is too large"),
        ("(" * 500 + "x" + ")" * 500, "100 levels"),
        ("-" * 500 + "x", "100 levels"),
        ("2^" * 500 + "x", "100 levels"),
        ("x+" * 5000 + "x", "2000 letters"),
        ("(" * 10000 + "x" + ")" * 10000, "2000 letters"),
    ],
)
def test_what_is_not_arithmetic(text: str, said: str) -> None:
    with pytest.raises(Mistake, match=said):
        parse(text)


@settings(max_examples=200)
@given(st.text(alphabet="xyz019.+-*/^(), e", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(Mistake):
        parse(text)
