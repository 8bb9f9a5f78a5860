"""The sizes and weights of a convolutional layer, by arithmetic alone: no tensor is made.

Networks round sizes down, as torch does; the calculator here does not, and says what does not fit.
"""

from collections.abc import Iterable
from fractions import Fraction

from hubel.mistakes import Mistake


def output_size(size: int, filter: int, *, stride: int = 1, pad: int = 0,
                dilation: int = 1) -> Fraction:  # fmt: skip
    """(N + 2P − F)/S + 1, exactly, along one side; a filter dilated by D spans D(F − 1) + 1.

    Not a whole number where the filter does not fit, below 1 where it is larger than the padded
    input. Raises Mistake for what is no size: below 1, or a padding below 0.

    >>> output_size(7, 3, stride=3)
    Fraction(7, 3)
    """
    _check(size=size, filter=filter, stride=stride, dilation=dilation)
    _check(0, pad=pad)
    return Fraction(size + 2 * pad - span(filter, dilation), stride) + 1


def fitting_size(size: int, filter: int, *, stride: int = 1, pad: int = 0,
                 dilation: int = 1) -> int:  # fmt: skip
    """The output's side, where the filter fits. Raises Mistake, with the fraction, where not.

    >>> fitting_size(7, 3, stride=2)
    3
    """
    exact = output_size(size, filter, stride=stride, pad=pad, dilation=dilation)
    if exact < 1:
        least = max(1, span(filter, dilation) - 2 * pad)
        raise Mistake(
            f"A filter of {span(filter, dilation)} does not fit in {size} with padding {pad}; the "
            f"smallest input is {least}."
        )
    if exact.denominator != 1:
        rest = (size + 2 * pad - span(filter, dilation)) % stride
        fitting = [n for n in (size - rest, size - rest + stride) if n >= 1]
        raise Mistake(
            f"{size}, {filter}×{filter} at stride {stride} does not fit: "
            f"{written(size, filter, stride=stride, pad=pad, dilation=dilation)}. "
            f"Take {' or '.join(map(str, fitting))} in place of {size}, or another stride."
        )
    return int(exact)


def written(size: int, filter: int, *, stride: int = 1, pad: int = 0, dilation: int = 1) -> str:
    """The sum as one writes it, with the result to two digits.

    >>> written(224, 11, stride=4)
    '(224 − 11)/4 + 1 = 54.25'
    """
    exact = output_size(size, filter, stride=stride, pad=pad, dilation=dilation)
    padded = f"{size} + 2·{pad}" if pad else f"{size}"
    return f"({padded} − {span(filter, dilation)})/{stride} + 1 = {decimal(exact)}"


def decimal(number: Fraction) -> str:
    """A fraction to two digits, a whole number without any.

    >>> decimal(Fraction(7, 3)), decimal(Fraction(5)), decimal(Fraction(5, 2))
    ('2.33', '5', '2.5')
    """
    return f"{float(number):.2f}".rstrip("0").rstrip(".")


def span(filter: int, dilation: int = 1) -> int:
    """How many pixels a filter reaches over: D(F − 1) + 1."""
    return dilation * (filter - 1) + 1


def same_padding(filter: int) -> int:
    """(F − 1)/2: the padding that keeps the size at stride 1. Raises Mistake for an even F.

    >>> [same_padding(f) for f in (3, 5, 7)]
    [1, 2, 3]
    """
    _check(filter=filter)
    if filter % 2 == 0:
        raise Mistake(
            f"Only an odd filter keeps the size with equal padding, (F − 1)/2 on each side; "
            f"{filter} would need {decimal(Fraction(filter - 1, 2))}."
        )
    return (filter - 1) // 2


def transposed_size(size: int, filter: int, *, stride: int = 1, pad: int = 0, output_pad: int = 0,
                    dilation: int = 1) -> int:  # fmt: skip
    """S(N − 1) + D(F − 1) + 1 − 2P + O: the side that a transposed convolution makes.

    `output_pad` (below the stride) chooses between the sizes that the convolution rounds to N.
    Raises Mistake where nothing would be left.

    >>> transposed_size(3, 3, stride=2)
    7
    """
    _check(size=size, filter=filter, stride=stride, dilation=dilation)
    _check(0, pad=pad, output_pad=output_pad)
    if output_pad >= stride:
        raise Mistake(f"Output padding is below the stride of {stride}, not {output_pad}.")
    made = stride * (size - 1) + span(filter, dilation) - 2 * pad + output_pad
    if made < 1:
        raise Mistake(f"With padding {pad} nothing is left: the output's side would be {made}.")
    return made


def parameters(filter: int, *, channels: int, filters: int, groups: int = 1,
               bias: bool = True) -> int:  # fmt: skip
    """(F·F·C/G + 1)·K: the weights of K square filters on C channels in G groups, and K biases.

    Raises Mistake where the groups do not divide channels and filters.

    >>> parameters(5, channels=3, filters=10)
    760
    """
    _check(filter=filter, channels=channels, filters=filters, groups=groups)
    if channels % groups or filters % groups:
        raise Mistake(f"{groups} groups cannot divide {channels} channels and {filters} filters.")
    return (filter * filter * channels // groups + bias) * filters


def receptive_field(layers: Iterable[tuple[int, int]]) -> int:
    """The side, in input pixels, of what one unit sees through layers of (filter, stride).

    Each layer adds F − 1 steps, and a step is as many pixels as the strides before it multiply to.

    >>> receptive_field([(3, 1), (3, 1)]), receptive_field([(3, 1), (2, 2), (3, 1)])
    (5, 8)
    """
    seen, step = 1, 1
    for filter, stride in layers:
        _check(filter=filter, stride=stride)
        seen += (filter - 1) * step
        step *= stride
    return seen


def _check(least: int = 1, **sizes: int) -> None:
    for name, value in sizes.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise Mistake(
                f"{name.replace('_', ' ')} is a whole number of {least} or more, not {value!r}."
            )
