"""The calculator's golden numbers, its refusal, and what a stride saves, counted by hand."""

import pytest
import torch

from hubel.labs.convolution import convolution
from hubel.labs.lab import Setting
from hubel.labs.learning import Pictures
from hubel.labs.strides import maps, network
from hubel.mistakes import Mistake

QUICK = Setting("quick")


def test_the_lectures_layer() -> None:
    shown = convolution(QUICK, size=32, filter=5, stride=1, pad=2, filters=10, channels=3)
    assert shown.lines == (
        "32×32×3, 10 filters of 5×5×3, stride 1, padding 2 → 32×32×10",
        "(32 + 2·2 − 5)/1 + 1 = 32",
        "(5·5·3 + 1)·10 = 760 parameters",
    )
    assert shown.numbers == {"side": 32, "filters": 10, "parameters": 760}
    assert [finding.id for finding in shown.findings] == ["L25", "L26"]  # and nothing is trained
    assert [drawing.name for drawing in shown.drawings] == ["positions"]
    shapes, cases = shown.findings
    assert shapes.holds
    assert "28×28×1, six 28×28×6" in shapes.measured
    assert cases.holds
    for told in ("stride 3: 2.33 (does not fit)", "54.25 (does not fit)", "Padding 1, 2, 3", "760"):
        assert told in cases.measured


@pytest.mark.parametrize(("size", "stride", "side"), [(7, 1, 5), (7, 2, 3)])
def test_other_layers(size: int, stride: int, side: int) -> None:
    shown = convolution(QUICK, size=size, filter=3, stride=stride)
    assert shown.numbers == {"side": side, "filters": 10, "parameters": 280}


def test_what_does_not_fit_is_refused_with_the_fraction() -> None:
    with pytest.raises(Mistake, match=r"does not fit: \(7 − 3\)/3 \+ 1 = 2\.33"):
        convolution(QUICK, size=7, filter=3, stride=3)
    with pytest.raises(Mistake, match="filters is a whole number of 1 or more, not 0"):
        convolution(QUICK, filters=0)
    with pytest.raises(Mistake, match="pad is a whole number of 0 or more, not -1"):
        convolution(QUICK, pad=-1)


@pytest.mark.slow
def test_strides_are_smaller_and_measured() -> None:
    shown = convolution(QUICK)
    assert [finding.id for finding in shown.findings] == ["L22", "L25", "L26"]
    assert shown.numbers["parameters"] == 760
    assert [drawing.name for drawing in shown.drawings] == ["positions", "stages", "stride"]
    assert all(drawing.png.startswith(b"\x89PNG") for drawing in shown.drawings)
    kibibytes = list(shown.numbers["kibibytes"].values())
    assert kibibytes == sorted(kibibytes, reverse=True)
    assert all(
        len(starts) == 1 and 0 < starts[0] < 1 for starts in shown.numbers["accuracy"].values()
    )


def test_maps_are_counted_by_hand() -> None:
    none = torch.zeros(1, dtype=torch.int64)
    data = Pictures(*(2 * (torch.zeros(1, 1, 28, 28), none)), tuple("abcdefghij"), "nothing")
    sizes = {1: (28, 14, 7), 2: (14, 7, 4), 4: (7, 4, 2)}
    for stride, (first, second, third) in sizes.items():
        made = list(maps(network(stride, data), data.train))
        numbers = 2 * 16 * first**2 + 16 * second**2 + 2 * 32 * second**2 + 2 * 32 * third**2 + 10
        assert sum(x.numel() for x in made) == numbers
