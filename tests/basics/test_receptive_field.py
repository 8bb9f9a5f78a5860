"""Receptive fields against pictures in which one row is no number, and against gradients."""

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from hubel.basics.receptive_field import picture
from hubel.basics.summary import Summary, trace
from hubel.networks import catalogue

SIDE, CLEAR = 56, 13  # of the pictures, and how far from their border a field must stay to be whole


def seen_rows(network: nn.Module, side: int = SIDE) -> Tensor:
    """(rows, units): whether a unit of the output's rows sees a row of the picture.

    One picture for each row, in which that row is no number: what sees it, is none either.
    """
    pictures = torch.zeros(side, 2, side, side)
    pictures[range(side), :, range(side)] = math.nan
    with torch.no_grad():
        return network.eval()(pictures).isnan().any(3).any(1)


def check_rows(network: nn.Module, found: Summary, *, some: bool = True) -> None:
    """A unit far from the border sees exactly from its field's first row to its last; none more."""
    axis = found.rows[-1].field.height
    seen = seen_rows(network)
    whole = 0
    for i in range(seen.shape[1]):
        rows = seen[:, i].nonzero().flatten().tolist()
        low, high = i * axis.jump + axis.low, i * axis.jump + axis.high
        assert not rows or (low <= rows[0] and rows[-1] <= high), i
        if low >= CLEAR and high < SIDE - CLEAR and axis.exact:
            assert (rows[0], rows[-1]) == (low, high), i
            whole += 1
    assert whole or not some


class Branches(nn.Module):
    """A residual block, option A's shortcut, and an inception, on two channels."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(2, 2, 3, padding=1)
        self.same = nn.Sequential(nn.Conv2d(2, 2, 3, padding=1), nn.ReLU(True))
        self.down = nn.Conv2d(2, 4, 3, stride=2, padding=1)
        self.narrow = nn.Conv2d(4, 1, 1)
        self.wide = nn.Conv2d(4, 1, 3, padding=2, dilation=2)
        self.pool = nn.AvgPool2d(3, stride=1, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        x = x + self.same(x)
        x = self.down(x) + F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 0, 2))
        return torch.cat([self.narrow(x), self.wide(x), self.pool(x)], 1)


def test_receptive_field_of_branches_by_gradients() -> None:
    network = Branches().double()
    for parameter in network.parameters():
        parameter.data = parameter.data.abs() + 0.1
    found = trace(network, (2, SIDE, SIDE)).rows[-1].field
    x = torch.zeros(1, 2, SIDE, SIDE, dtype=torch.double, requires_grad=True)
    output = network(x + 1)
    for i, j in ((14, 14), (12, 16)):
        [gradient] = torch.autograd.grad(output[0, :, i, j].sum(), x, retain_graph=True)
        for axis, dim, unit in ((found.height, 2, i), (found.width, 3, j)):
            others = tuple(d for d in range(4) if d != dim)
            places = gradient.abs().sum(others).nonzero().flatten()
            expected = unit * axis.jump + axis.low, unit * axis.jump + axis.high
            assert (int(places[0]), int(places[-1])) == expected


class Made(nn.Module):
    """A network of drawn steps, functional ones among them."""

    def __init__(self, steps: list[tuple[Any, ...]]) -> None:
        super().__init__()
        self.steps = steps
        self.convs = nn.ModuleList(
            nn.Conv2d(2, 2, step[1], step[2], padding=step[3], dilation=step[4])
            for step in steps
            if step[0] in ("conv", "skip", "cat")
        )

    def forward(self, x: Tensor) -> Tensor:
        convs = iter(self.convs)
        for kind, *numbers in self.steps:
            if kind == "conv":
                x = next(convs)(x).relu()
            elif kind == "skip":
                x = x + next(convs)(x)
            elif kind == "cat":
                x = torch.cat([x[:, :1], next(convs)(x)[:, 1:]], 1).relu_()
            elif kind == "max":
                x = F.max_pool2d(x, *numbers[:3], ceil_mode=numbers[3])
            elif kind == "mean":
                x = F.avg_pool2d(x, *numbers[:3], ceil_mode=numbers[3])
            elif kind == "every":
                x = x[:, :, :: numbers[0], :: numbers[0]]
            elif kind == "flip":
                x = x.flip(2).transpose(2, 3).transpose(2, 3)
        return x


def strides() -> st.SearchStrategy[int]:
    return st.sampled_from([1, 1, 2])


@st.composite
def step(draw: st.DrawFn) -> tuple[Any, ...]:
    kind = draw(st.sampled_from(["conv", "skip", "cat", "max", "mean", "every", "flip"]))
    size = draw(st.sampled_from([1, 3, 5]))
    if kind in ("skip", "cat"):
        dilation = draw(st.sampled_from([1, 2]))
        return kind, size, 1, dilation * (size - 1) // 2, dilation
    if kind == "conv":
        return kind, size, draw(strides()), draw(st.integers(0, 2)), draw(st.sampled_from([1, 2]))
    if kind == "every":
        return (kind, 2)
    window = draw(st.sampled_from([2, 3]))
    return kind, window, draw(strides()), draw(st.sampled_from([0, 1])), draw(st.booleans())


@settings(max_examples=60)
@given(st.lists(step(), min_size=1, max_size=4))
def test_receptive_field_of_drawn_networks(steps: list[tuple[Any, ...]]) -> None:
    network = Made(steps)
    found = trace(network, (2, SIDE, SIDE))
    check_rows(network, found, some=False)


@pytest.mark.parametrize(
    "network",
    [
        nn.ConvTranspose2d(2, 2, 3, stride=2, padding=1),
        nn.Upsample(scale_factor=2),
        *(nn.Upsample(scale_factor=2, mode=mode) for mode in ("bilinear", "bicubic")),
        nn.Upsample(size=(40, 90), mode="bilinear"),
        nn.Sequential(nn.Conv2d(2, 4, 3), nn.PixelShuffle(2)),
        nn.Sequential(nn.AdaptiveAvgPool2d(7), nn.Conv2d(2, 2, 3)),
        nn.Conv2d(2, 2, 5, padding=2, padding_mode="circular"),
        nn.Sequential(nn.Conv2d(2, 2, 3), nn.InstanceNorm2d(2)),
    ],
)
def test_a_field_is_never_too_small(network: nn.Module) -> None:
    check_rows(network, trace(network, (2, SIDE, SIDE)), some=False)


def test_units_that_see_everything() -> None:
    class Excited(nn.Module):
        """Squeeze and excitation: every map weighed by what all of it holds."""

        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(2, 2, 3, padding=1)
            self.gate = nn.Conv2d(2, 2, 1)

        def forward(self, x: Tensor) -> Tensor:
            x = self.conv(x)
            return x * self.gate(x.mean((2, 3), keepdim=True)).sigmoid()

    found = trace(Excited(), (2, SIDE, SIDE)).rows[-1]
    assert (found.field.height.low, found.field.height.high) == (-1, SIDE)
    assert seen_rows(Excited()).all()


class Corner(nn.Module):
    """Every unit gets what one place holds, by broadcasting."""

    def forward(self, x: Tensor) -> Tensor:
        return x + x[:, :, 40:41, :1]


def test_what_is_broadcast_is_seen_by_all() -> None:
    network = Corner()
    assert seen_rows(network)[40].all()
    check_rows(network, trace(network, (2, SIDE, SIDE)), some=False)


class Written(nn.Module):
    """Half of the maps are written over in place, through a view."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 1, 5, padding=2)

    def forward(self, x: Tensor) -> Tensor:
        y = x.clone()
        y[:, :1] = self.conv(x[:, 1:])
        x = torch.zeros_like(x)
        x[:, :2] = y
        return x


def test_what_is_written_through_a_view_is_seen() -> None:
    found = trace(Written(), (2, SIDE, SIDE))
    assert found.rows[-1].sees == (5, 5)
    check_rows(Written(), found)


@pytest.mark.parametrize(
    ("name", "field"),
    [  # as published by others: Araujo et al. 2019 for the first four
        *(("alexnet-2014", 195), ("vgg16", 212), ("resnet50-2015", 483), ("resnet101-2015", 1027)),
        *(("resnet50", 427), ("vgg19", 268), ("lenet5", 16)),
    ],
)
def test_receptive_fields_that_are_known(name: str, field: int) -> None:
    row = catalogue.entry(name)
    with torch.device("meta"):
        network = catalogue.build(
            name, classes=row.classes, channels=row.channels, size=row.usual_size
        )
    assert trace(network, (row.channels, *row.usual_size)).receptive_field == (field, field)


def test_a_bound_says_so() -> None:
    found = trace(nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(1, 1, 3)), (1, 8, 8))
    assert not found.rows[-1].field.height.exact
    assert "≤" in str(found).splitlines()[2]
    fields = found.as_json()["rows"][1]["field"]
    assert fields["width"]["jump"] == 0.5


def test_a_picture_has_sides() -> None:
    assert picture(3, 4).height.size == picture(3, 4).width.size == 1
    with pytest.raises(ValueError, match="not 0×4"):
        picture(0, 4)
