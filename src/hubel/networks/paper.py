"""How a paper's statements on its network are written down, to be held against what was built."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

UNITS = {"": 1.0, "million": 1e6, "billion": 1e9}


class Printed(NamedTuple):
    """A number as a paper prints it: its digits, and the word behind them.

    It is worth what its last digit is: 60 million is any number less than a million away.
    """

    digits: str
    word: str = ""

    def agrees(self, measured: float) -> bool:
        """Whether a count is less than one of the last digit away.

        >>> Printed("60", "million").agrees(60_965_224), Printed("3.8", "billion").agrees(4.1e9)
        (True, False)
        """
        places = len(self.digits.partition(".")[2])
        rounded = 0 if self.word else len(self.digits) - len(self.digits.rstrip("0"))
        least = UNITS[self.word] * 10.0 ** (rounded - places)
        return abs(measured - float(self.digits) * UNITS[self.word]) < least

    def __str__(self) -> str:
        return f"{self.digits} {self.word}" if self.word else f"{int(self.digits):,}"


class Published(NamedTuple):
    """Errors in percent that were published, and what they were measured on, with the source."""

    top1: float | None
    top5: float | None
    on: str


@dataclass(frozen=True)
class Paper:
    """What is stated of one network. Whatever a paper does not state is left out.

    exact: the parameters that the published layers come to; with_heads: those with the auxiliary
    classifiers. layers: weighted ones on the longest way. units: their outputs. kernels and
    modules: how many convolutions there are of each size, and modules of each class. shapes,
    parts, products: output, parameters and multiply-adds of a child. blocks: how many a child
    holds. shortcuts: additions of what went around a block. norm: n, alpha, beta and k of response
    normalisation. differs: from which other network, and in what class of module alone.
    """

    parameters: Printed | None = None
    exact: int | None = None
    with_heads: int | None = None
    layers: int | None = None
    units: Printed | None = None
    multiply_adds: Printed | None = None
    kernels: Mapping[str, int] = field(default_factory=dict)
    modules: Mapping[str, int] = field(default_factory=dict)
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    parts: Mapping[str, int] = field(default_factory=dict)
    products: Mapping[str, Printed] = field(default_factory=dict)
    blocks: Mapping[str, int] = field(default_factory=dict)
    shortcuts: int | None = None
    norm: tuple[int, float, float, float] | None = None
    differs: tuple[str, str] | None = None
    published: tuple[Published, ...] = ()
    departures: tuple[str, ...] = ()
    errata: tuple[str, ...] = ()
