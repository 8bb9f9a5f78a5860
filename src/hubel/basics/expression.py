"""Arithmetic as text, read into a tree by a parser of our own: nothing is ever evaluated as code.

    expression = term (("+" | "−") term)*          term = power (("*" | "/") power)*
    signed = ("−" | "+") signed | power            power = atom (("^" | "**") signed)?
    atom = number | name | name "(" expression ("," expression)* ")" | "(" expression ")"

A sign binds more loosely than a power and more tightly than a product: −x^2 is −(x^2).
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from hubel.mistakes import Mistake, unknown

MOST_LETTERS, MOST_DEPTH = 2000, 100

# name → how many arguments it takes
FUNCTIONS: dict[str, int] = {
    "exp": 1, "log": 1, "sqrt": 1, "sin": 1, "cos": 1, "tanh": 1, "sigmoid": 1, "relu": 1,
    "abs": 1, "max": 2, "min": 2,
}  # fmt: skip
SIGNS = {"+": "add", "-": "subtract", "*": "multiply", "/": "divide", "^": "power"}
_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<name>[A-Za-z_]\w*)"
    r"|(?P<sign>\*\*|[-+*/^(),]))"
)


@dataclass(frozen=True)
class Number:
    """A number as it was written."""

    value: float
    text: str


@dataclass(frozen=True)
class Name:
    """A name, to be given a value."""

    name: str


@dataclass(frozen=True)
class Apply:
    """An operation on others: a name of `FUNCTIONS` or SIGNS' words, or "negate"."""

    operation: str
    arguments: tuple["Expression", ...]


Expression = Number | Name | Apply


class _Token(NamedTuple):
    kind: str
    text: str
    at: int


def parse(text: str) -> Expression:
    """Read an expression. Raises Mistake, pointing at the place, for what is not arithmetic.

    >>> parse("(x + y) * z").operation
    'multiply'
    """
    if len(text) > MOST_LETTERS:
        raise Mistake(
            f"An expression has at most {MOST_LETTERS} letters; this one has {len(text):,}."
        )
    found = _Parser(text)
    tree = found.sum(0)
    if found.now.kind != "end":
        raise found.wrong("an operator or the end")
    return tree


def names(tree: Expression) -> list[str]:
    """The names in it, in the order in which they first stand."""
    return list(dict.fromkeys(part.name for part in parts(tree) if isinstance(part, Name)))


def parts(tree: Expression) -> Iterator[Expression]:
    """Every part of it, each after its arguments; the whole comes last.

    Without recursion: a long sum is a tree as deep as it has terms.
    """
    waiting = [(tree, False)]
    while waiting:
        part, ready = waiting.pop()
        if ready or not isinstance(part, Apply):
            yield part
        else:
            waiting.append((part, True))
            waiting += [(argument, False) for argument in reversed(part.arguments)]


class _Parser:
    """Recursive descent, one method for each line of the grammar."""

    def __init__(self, text: str) -> None:
        self.text = text.replace("−", "-").replace("·", "*").replace("×", "*")
        self.tokens = list(self._read())
        self.place = 0

    @property
    def now(self) -> _Token:
        return self.tokens[self.place]

    def sum(self, depth: int) -> Expression:
        tree = self.product(depth)
        while self.now.text in ("+", "-"):
            sign = self.take()
            tree = Apply(SIGNS[sign], (tree, self.product(depth)))
        return tree

    def product(self, depth: int) -> Expression:
        tree = self.signed(depth)
        while self.now.text in ("*", "/"):
            sign = self.take()
            tree = Apply(SIGNS[sign], (tree, self.signed(depth)))
        return tree

    def signed(self, depth: int) -> Expression:
        if depth > MOST_DEPTH:
            raise Mistake(f"An expression is at most {MOST_DEPTH} levels deep; this one is deeper.")
        if self.now.text == "-":
            self.take()
            inner = self.signed(depth + 1)
            if isinstance(inner, Number) and inner.value > 0:  # −2 is a number like another
                return Number(-inner.value, f"−{inner.text}")
            return Apply("negate", (inner,))
        if self.now.text == "+":
            self.take()
            return self.signed(depth + 1)
        return self.power(depth)

    def power(self, depth: int) -> Expression:
        base = self.atom(depth)
        if self.now.text in ("^", "**"):
            self.take()
            return Apply("power", (base, self.signed(depth + 1)))
        return base

    def atom(self, depth: int) -> Expression:
        token = self.now
        if token.kind == "number":
            self.take()
            return self.number(token)
        if token.kind == "name":
            self.take()
            if self.now.text == "(":
                return self.call(token, depth)
            if token.text in FUNCTIONS:
                raise Mistake(
                    f"{token.text} is a function: write {token.text}(…), not the bare word."
                )
            return Name(token.text)
        if token.text == "(":
            self.take()
            inner = self.sum(depth + 1)
            self.close()
            return inner
        raise self.wrong('a number, a name or "("')

    def number(self, token: _Token) -> Number:
        value = float(token.text)
        if not math.isfinite(value):
            raise Mistake(f"{token.text} is too large: numbers go up to about 1.8e308.")
        return Number(value, token.text)

    def call(self, token: _Token, depth: int) -> Expression:
        if token.text not in FUNCTIONS:
            raise unknown("function", token.text, FUNCTIONS)
        self.take()
        arguments = [self.sum(depth + 1)]
        while self.now.text == ",":
            self.take()
            arguments.append(self.sum(depth + 1))
        self.close()
        if len(arguments) != FUNCTIONS[token.text]:
            wanted = ("1 number", "2 numbers")[FUNCTIONS[token.text] - 1]
            raise Mistake(f"{token.text} takes {wanted}, not {len(arguments)}.")
        return Apply(token.text, tuple(arguments))

    def close(self) -> None:
        if self.now.text != ")":
            raise self.wrong('")"')
        self.take()

    def take(self) -> str:
        self.place += 1
        text = self.tokens[self.place - 1].text
        return "^" if text == "**" else text

    def wrong(self, expected: str) -> Mistake:
        token = self.now
        found = "its end" if token.kind == "end" else repr(token.text)
        return Mistake(
            f"This is not arithmetic: {self.text.strip()!r} has {found} at position "
            f"{token.at + 1}, where {expected} is expected."
        )

    def _read(self) -> Iterator[_Token]:
        at = 0
        while at < len(self.text.rstrip()):
            match = _TOKEN.match(self.text, at)
            if match is None:
                at += len(self.text[at:]) - len(self.text[at:].lstrip())
                raise Mistake(
                    f"This is not arithmetic: {self.text.strip()!r} has {self.text[at]!r} at "
                    f"position {at + 1}. It takes numbers, names, + - * / ^ and ( )."
                )
            kind = match.lastgroup or ""
            yield _Token(kind, match[kind], match.start(kind))
            at = match.end()
        yield _Token("end", "", at)
