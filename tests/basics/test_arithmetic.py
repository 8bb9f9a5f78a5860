"""Sizes and weights of layers: the lecture's numbers, and torch's layers as the second opinion."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubel.basics.arithmetic import (
    fitting_size,
    output_size,
    parameters,
    receptive_field,
    same_padding,
    transposed_size,
    written,
)
from hubel.mistakes import Mistake


@pytest.mark.parametrize(
    ("size", "filter", "stride", "pad", "expected"),
    [
        (7, 3, 1, 0, 5),
        (7, 3, 2, 0, 3),
        (7, 3, 1, 1, 7),
        (32, 5, 1, 0, 28),
        (32, 5, 1, 2, 32),
        (227, 11, 4, 0, 55),
        (5, 5, 3, 0, 1),
    ],
)
def test_sizes_of_the_lecture(size: int, filter: int, stride: int, pad: int, expected: int) -> None:
    assert output_size(size, filter, stride=stride, pad=pad) == expected
    assert fitting_size(size, filter, stride=stride, pad=pad) == expected


def test_what_does_not_divide_is_refused_with_the_fraction() -> None:
    assert output_size(7, 3, stride=3) == Fraction(7, 3)
    with pytest.raises(
        Mistake, match=r"^7, 3×3 at stride 3 does not fit: .* = 2\.33\. Take 6 or 9"
    ):
        fitting_size(7, 3, stride=3)
    with pytest.raises(Mistake, match=r"\(224 − 11\)/4 \+ 1 = 54\.25\. Take 223 or 227 "):
        fitting_size(224, 11, stride=4)
    assert written(32, 5, pad=2) == "(32 + 2·2 − 5)/1 + 1 = 32"


def test_a_filter_larger_than_its_input() -> None:
    with pytest.raises(Mistake, match=r"of 5 does not fit in 2 with padding 1; .* input is 3"):
        fitting_size(2, 5, pad=1)
    with pytest.raises(Mistake, match="filter of 5 does not fit in 4"):  # 3 weights, two apart
        fitting_size(4, 3, dilation=2)


def test_padding_that_keeps_the_size() -> None:
    assert [same_padding(f) for f in (1, 3, 5, 7)] == [0, 1, 2, 3]
    for f in (1, 3, 5, 7):
        assert fitting_size(20, f, pad=same_padding(f)) == 20
    with pytest.raises(Mistake, match=r"4 would need 1\.5"):
        same_padding(4)


def test_parameters_of_the_lecture() -> None:
    assert parameters(5, channels=3, filters=10) == 760
    assert parameters(5, channels=3, filters=10, bias=False) == 750
    assert parameters(3, channels=8, filters=6, groups=2) == 3 * 3 * 4 * 6 + 6
    with pytest.raises(Mistake, match="2 groups cannot divide 3 channels"):
        parameters(3, channels=3, filters=6, groups=2)


@pytest.mark.parametrize(
    ("word", "bad"),
    [
        ("size", {"size": 0}),
        ("stride", {"stride": 0}),
        ("pad", {"pad": -1}),
        ("size", {"size": 7.5}),
    ],
)
def test_what_is_no_size(word: str, bad: dict[str, int]) -> None:
    assert output_size(7, 3) == 5
    with pytest.raises(Mistake, match=f"^{word} is a whole number"):
        output_size(**{"size": 7, "filter": 3} | bad)


layers = st.tuples(*(st.integers(1, 6) for _ in range(3)), st.integers(0, 3), st.integers(1, 3))


@given(layers)
def test_sizes_are_counted_positions(layer: tuple[int, int, int, int, int]) -> None:
    size, filter, stride, pad, dilation = layer
    last = dilation * (filter - 1)  # the offset of the filter's last weight
    slow = sum(1 for at in range(0, size + 2 * pad, stride) if at + last < size + 2 * pad)
    exact = output_size(size, filter, stride=stride, pad=pad, dilation=dilation)
    assert max(0, exact // 1) == slow
    covered = slow > 0 and (slow - 1) * stride + last + 1 == size + 2 * pad
    assert covered == (exact >= 1 and exact.denominator == 1)


@given(layers)
def test_a_transposed_layer_undoes_the_size(layer: tuple[int, int, int, int, int]) -> None:
    size, filter, stride, pad, dilation = layer
    settings = {"stride": stride, "pad": pad, "dilation": dilation}
    exact = output_size(size, filter, **settings)
    if exact < 1:
        return
    rest = (size + 2 * pad - dilation * (filter - 1) - 1) % stride
    assert transposed_size(int(exact // 1), filter, output_pad=rest, **settings) == size


def test_transposed_sizes_that_are_none() -> None:
    assert transposed_size(3, 3, stride=2) == 7
    with pytest.raises(Mistake, match="below the stride of 2, not 2"):
        transposed_size(3, 3, stride=2, output_pad=2)
    with pytest.raises(Mistake, match="would be -1"):
        transposed_size(1, 3, pad=2)


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 3)), max_size=5))
def test_receptive_fields_are_sizes_backwards(layers: list[tuple[int, int]]) -> None:
    side = 1  # a single unit, and the least input that gives it
    for filter, stride in reversed(layers):
        side = (side - 1) * stride + filter
    assert receptive_field(layers) == side
