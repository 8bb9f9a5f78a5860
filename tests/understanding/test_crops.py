"""Crops are the receptive field: every pixel with influence, and none beyond."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from hubel.basics.receptive_field import Axis, Field
from hubel.networks import catalogue
from hubel.understanding.crops import Box, crop, held, seen
from hubel.understanding.outputs import handed_on
from hubel.understanding.probes import differentiate, recording


class Branched(nn.Module):
    """Two ways of different reach that meet: their field is the union."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(2, 3, 3, stride=2, padding=1)
        self.left = nn.Conv2d(3, 4, 1)
        self.right = nn.Conv2d(3, 4, (3, 5), padding=(1, 2), dilation=1)
        self.top = nn.Conv2d(4, 2, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        y: Tensor = self.top(self.left(x) + self.right(x))
        return y


def _reached(network: nn.Module, layer: str, place: tuple[int, int], size: list[int]) -> Tensor:
    """Which pixels a unit's gradient is not 0 at, (H, W): slow and obvious."""
    pixels = torch.rand(1, 2, *size, dtype=torch.float64, requires_grad=True)
    with recording(network, [layer]) as found:
        network(pixels)
    (slope,) = torch.autograd.grad(found[layer][0, 0, *place], pixels)
    return slope[0].abs().sum(0) > 0


@settings(max_examples=60)
@given(st.data())
def test_crops_hold_all_that_a_unit_sees_and_no_more(data: st.DataObject) -> None:
    torch.manual_seed(0)
    network = Branched().double()
    size = data.draw(st.tuples(st.integers(9, 20), st.integers(9, 20)))
    layer = data.draw(st.sampled_from(["stem", "left", "right", "top"]))
    pixels = torch.rand(1, 2, *size, dtype=torch.float64)
    handed = {each.name: each for each in handed_on(network, pixels)}[layer]
    assert handed.field is not None
    row, column = (data.draw(st.integers(0, side - 1)) for side in handed.shape[2:])
    box = seen(handed.field, row, column, size)
    places = _reached(network, layer, (row, column), list(size)).nonzero().unbind(1)
    spans = ((box.top, box.bottom), (box.left, box.right))
    for (low, high), at, axis, side in zip(spans, places, handed.field, size, strict=True):
        if axis.size < side:
            assert (max(low, 0), min(high, side)) == (at.min(), at.max() + 1)
        else:
            assert (low, high) == (0, side)


def test_all_crops_of_a_layer_are_of_one_size() -> None:
    network = Branched()
    handed = {each.name: each for each in handed_on(network, torch.rand(1, 2, 16, 16))}["right"]
    assert handed.field is not None
    boxes = [seen(handed.field, r, c, (16, 16)) for r in range(8) for c in range(8)]
    picture = torch.rand(2, 16, 16)
    assert {crop(picture, box).shape[1:] for box in boxes} == {(7, 11)}


def test_beyond_the_picture_a_crop_is_grey() -> None:
    picture = torch.rand(3, 5, 6)
    found = crop(picture, Box(-1, 4, 3, 8))
    assert torch.equal(found[:, 1:, :2], picture[:, :3, 4:])
    assert bool((found[:, 0] == 0.5).all())
    assert bool((found[:, :, 2:] == 0.5).all())


def test_a_crop_all_beyond_the_picture_is_all_grey() -> None:
    assert bool((crop(torch.rand(1, 4, 4), Box(9, 0, 11, 2)) == 0.5).all())


def test_what_sees_all_gets_the_picture() -> None:
    everything = Field(Axis(None, 0, 0, 7), Axis(3, 2, -9, 9))
    assert seen(everything, 0, 3, (8, 10)) == Box(0, 0, 8, 10)


@pytest.mark.parametrize("name", ["lenet5", "small"])
def test_the_catalogues_linear_layers_see_the_whole_picture(name: str) -> None:
    network = catalogue.build(name, classes=10, channels=1, size=(28, 28))
    last = handed_on(network, torch.rand(1, 1, 28, 28))[-1]
    assert last.field is not None
    assert seen(last.field, 0, 0, (28, 28)) == Box(0, 0, 28, 28)


def test_a_crop_is_where_the_gradient_is_for_a_deep_unit() -> None:
    network = catalogue.build("lenet5", classes=10, channels=1, size=(28, 28)).double()
    pixels = torch.rand(1, 1, 28, 28, dtype=torch.float64)
    layers = [each for each in handed_on(network, pixels) if len(each.shape) == 4]
    deep = layers[-1]
    assert deep.field is not None
    slopes = differentiate(network, pixels, lambda output: output[:, 0], at=[deep.name])
    assert slopes.gradients[deep.name].shape == deep.shape
    box = seen(deep.field, 0, 0, (28, 28))
    assert (box.bottom - box.top, box.right - box.left) == (
        min(deep.field.height.size, 28),
        min(deep.field.width.size, 28),
    )


def test_what_is_shown_holds_nearly_all() -> None:
    projections = np.zeros((2, 31, 31, 3))
    projections[0, 10:19, 7:16] = 7
    projections[1, 12:17, 9:14] = -0.1
    assert held(projections) == Box(10, 7, 19, 16)
    projections[0] = projections[1]
    assert held(projections) == Box(11, 8, 18, 15)  # the least side
    assert held(np.ones((1, 31, 31, 1))) == Box(0, 0, 31, 31)
    corner = np.zeros((1, 31, 31, 1))
    corner[:, 0, 0] = 1
    assert held(corner) == Box(0, 0, 7, 7)
    assert held(np.ones((1, 3, 3, 1))) == Box(0, 0, 3, 3)
