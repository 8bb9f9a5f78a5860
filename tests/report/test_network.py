"""Networks as pictures: what is merged, what is shown once, and that nothing overlaps."""

from itertools import combinations

import pytest

from hubel.report.boxes import PICTURE, Layer, boxes
from hubel.report.network import drawn
from hubel.report.placing import BOX_HEIGHT, placed

CONV, NORM, RELU = ("Conv2d", True), ("BatchNorm2d", False), ("ReLU", False)


def chain(*rows: tuple[str, tuple[str, bool], tuple[int, ...]]) -> list[Layer]:
    """Layers one behind the other, of (name, (kind, weighted), shape)."""
    return [
        Layer(name, kind, "", shape, (i - 1,), weighted, 10 * weighted)
        for i, (name, (kind, weighted), shape) in enumerate(rows)
    ]


def residual(blocks: int) -> list[Layer]:
    """conv, then blocks of x + conv(relu(conv(x)))."""
    layers = [Layer("first", "Conv2d", "3×3", (4, 8, 8), (PICTURE,), True, 9)]
    for n in range(blocks):
        start = len(layers) - 1
        for k, (name, kind) in enumerate((("c1", "Conv2d"), ("r", "ReLU"), ("c2", "Conv2d"))):
            inputs = (start + k,)
            layers.append(Layer(f"b.{n}.{name}", kind, "", (4, 8, 8), inputs, kind == "Conv2d", 9))
        layers.append(Layer(f"b.{n}.add", "add", "", (4, 8, 8), (start + 3, start), False, 0))
    layers.append(Layer("pool", "AvgPool2d", "8×8", (4, 1, 1), (len(layers) - 1,), False, 0))
    layers.append(Layer("fc", "Linear", "", (2,), (len(layers) - 1,), True, 10))
    return layers


def inception() -> list[Layer]:
    shape = (4, 8, 8)
    rows = [("stem", "Conv2d", (-1,), True)]
    rows += [("m.a", "Conv2d", (0,), True), ("m.b1", "Conv2d", (0,), True)]
    rows += [("m.b2", "Conv2d", (2,), True), ("m.c", "MaxPool2d", (0,), False)]
    rows += [("m.cat", "cat", (1, 3, 4), False), ("fc", "Linear", (5,), True)]
    return [Layer(name, kind, "", shape, inputs, w, w * 3) for name, kind, inputs, w in rows]


def test_what_finishes_a_layer_is_in_its_box() -> None:
    made = boxes(
        chain(
            ("conv1", CONV, (4, 8, 8)),
            ("bn1", NORM, (4, 8, 8)),
            ("relu1", RELU, (4, 8, 8)),
            ("pool1", ("MaxPool2d", False), (4, 8, 8)),
            ("flatten", ("Flatten", False), (256,)),
            ("fc", ("Linear", True), (2,)),
        )
    )
    assert [box.title for box in made] == ["conv1 + BN + ReLU", "pool1 + flatten", "fc"]
    assert [box.inputs for box in made] == [(PICTURE,), (0,), (1,)]
    assert [box.text for box in made] == ["Conv2d → 4×8×8", "MaxPool2d → 256", "Linear → 2"]


def test_what_others_need_too_is_not_merged() -> None:
    layers = [
        *chain(("conv", CONV, (4, 8, 8)), ("relu", RELU, (4, 8, 8))),
        Layer("add", "add", "", (4, 8, 8), (0, 1), False, 0),
    ]
    assert [box.title for box in boxes(layers)] == ["conv", "relu", "add"]


def test_short_networks_show_every_block_and_long_ones_repetitions_once() -> None:
    assert len(boxes(residual(3))) == 1 + 3 * 3 + 2
    made = boxes(residual(30))
    assert [box.title for box in made] == ["first", "c1 + ReLU", "c2", "add", "pool", "fc"]
    assert [box.times for box in made] == [1, 30, 30, 30, 1, 1]
    assert made[1].heading == "b.0…29 (30×)"
    assert made[3].inputs == (2, 0)
    assert made[4].inputs == (3,)
    plain = boxes(chain(*((f"s.{i}.conv", CONV, (4, 8, 8)) for i in range(50))))
    assert [box.title for box in plain] == ["50 × s.0.conv … s.49.conv"]


@pytest.mark.parametrize("layers", [residual(3), residual(9), residual(30), inception()])
def test_nothing_overlaps_and_what_comes_later_stands_below(layers: list[Layer]) -> None:
    made = boxes(layers)
    placing = placed(made, 120)
    for a, b in combinations(placing.places, 2):
        apart = abs(a.x - b.x) >= (a.width + b.width) / 2
        assert apart or abs(a.y - b.y) >= BOX_HEIGHT, (a, b)
    for place in placing.places:
        assert place.x - place.width / 2 >= 0
        assert place.x + place.width / 2 <= placing.width
        assert 0 <= place.y <= placing.height - BOX_HEIGHT
    for box, place in zip(made, placing.places[1:], strict=True):
        for i in box.inputs:
            above = placing.places[i + 1]
            assert (above.column, above.y) < (place.column, place.y)


def test_branches_stand_beside_each_other_and_their_joint_spans_them() -> None:
    made = boxes(inception())
    places = dict(zip((box.title for box in made), placed(made, 120).places[1:], strict=True))
    assert [places[name].lane for name in ("a", "b1", "c", "b2")] == [0, 1, 2, 1]
    assert places["a"].rank == places["b1"].rank == places["c"].rank
    assert (places["cat"].lane, places["cat"].until) == (0, 2)


def test_the_drawing_is_a_png_and_the_same_again() -> None:
    first, again = (
        drawn(residual(9), title="mine", picture=(3, 8, 8), note="a note") for _ in range(2)
    )
    assert first[:8] == b"\x89PNG\r\n\x1a\n"
    assert first == again
    assert drawn([], title="nothing", picture=(3, 8, 8))[:4] == b"\x89PNG"
