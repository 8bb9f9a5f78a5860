"""A network layer by layer, against slow second implementations and what is counted by hand."""

from collections import OrderedDict
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hubel.basics.summary import trace
from hubel.mistakes import Mistake
from hubel.networks import catalogue


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Conv2d(2, 4, 3, stride=2, padding=1), (2, 7, 5)),
        (nn.Conv2d(4, 6, (3, 1), groups=2, dilation=(2, 1)), (4, 9, 4)),
        (nn.Conv2d(3, 3, 3, groups=3), (3, 5, 5)),
    ],
)
def test_multiply_adds_by_counting_loops(layer: nn.Conv2d, shape: tuple[int, int, int]) -> None:
    found = trace(layer, shape)
    products = 0
    _, height, width = found.rows[0].shape
    for _map in range(layer.out_channels):
        for _y in range(height):
            for _x in range(width):
                for _from in range(layer.in_channels // layer.groups):
                    for _u in range(layer.kernel_size[0]):
                        for _v in range(layer.kernel_size[1]):
                            products += 1
    assert found.multiply_adds == products


def test_multiply_adds_of_matrices_and_transposed_convolutions() -> None:
    assert trace(nn.Sequential(nn.Flatten(), nn.Linear(12, 5)), (3, 2, 2)).multiply_adds == 60
    # each of 2·4·4 inputs goes to 3·2·2 outputs
    assert trace(nn.ConvTranspose2d(2, 3, 2, stride=2), (2, 4, 4)).multiply_adds == 32 * 12

    class Attention(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            x = x.flatten(2)
            return (x @ x.transpose(1, 2)).softmax(2) @ x

    found = trace(Attention(), (3, 4, 4))
    assert found.multiply_adds == 2 * 3 * 3 * 16
    assert found.depth == 0  # no weights


class Own(nn.Module):
    """Reused modules, functional and in-place operations, a skip, shared and unused parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        self.act = nn.ReLU(inplace=True)
        self.twin = nn.Conv2d(3, 3, 3, padding=1)
        self.twin.weight = self.conv.weight
        self.only_training = nn.Linear(3, 3)
        self.raw = nn.Parameter(torch.ones(4, 3 * 64))
        self.scale = nn.Parameter(torch.ones(3), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.act(self.conv(x))
        y = self.conv(y).relu()
        y = F.relu(self.twin(y), inplace=True) + x * self.scale[:, None, None]
        return torch.cat([y, y.clamp(min=0)], 1)[:, :3].flatten(1) @ self.raw.t()


def test_a_network_of_ones_own() -> None:
    found = trace(Own(), (3, 8, 8))
    rows = {row.name: row for row in found.rows}
    assert [row.name for row in found.rows] == [
        *("conv", "act", "conv#2", "relu", "twin", "relu#2", "mul", "add", "clamp", "cat", "slice"),
        *("view", "matmul"),
    ]
    assert rows["conv"].parameters == 84
    assert rows["conv#2"].parameters == 0  # counted already
    assert rows["twin"].parameters == 3  # its weight is conv's
    assert rows["mul"].parameters == 3
    assert rows["matmul"].parameters == 4 * 192
    assert found.parameters == sum(p.numel() for p in Own().parameters())
    assert found.trainable == found.parameters - 3
    assert found.unused == ("only_training.weight", "only_training.bias")
    assert found.depth == 4  # three convolutions on one way, and the product
    assert found.units == 3 * 3 * 64 + 4
    names = [row.name for row in found.rows]
    assert [names[i] for i in rows["add"].inputs] == ["relu#2", "mul"]
    assert [names[i] for i in rows["cat"].inputs] == ["add", "clamp"]
    assert rows["mul"].inputs == (-1,)
    assert rows["act"].memory == rows["relu#2"].memory == rows["slice"].memory == 0  # in place
    assert rows["cat"].memory == 4 * 6 * 64
    assert rows["add"].sees == (7, 7)
    assert rows["conv"].kind == "Conv2d"


def test_meta_and_numbers_give_the_same() -> None:
    for name in ("small", "lenet5-1998"):
        row = catalogue.entry(name)
        arguments = {"classes": 10, "channels": row.channels, "size": row.usual_size}
        with torch.device("meta"):
            hollow = catalogue.build(name, **arguments)
        full = catalogue.build(name, **arguments)
        shape = (row.channels, *row.usual_size)
        assert trace(hollow, shape) == trace(full, shape)


def test_rounding_is_marked_where_it_happens() -> None:
    network = nn.Sequential(
        OrderedDict(
            exact=nn.Conv2d(1, 1, 3),
            down=nn.MaxPool2d(3, 2),
            up=nn.MaxPool2d(2, ceil_mode=True),
            one=nn.Conv2d(1, 1, (2, 1), (4, 1)),
        )
    )
    rows = trace(network, (1, 16, 18)).rows
    assert [row.rounding for row in rows] == [
        "",
        "6.5 → 6, 7.5 → 7",
        "fits, 3.5 → 4",
        "1.25 → 1, fits",
    ]
    alexnet = nn.Conv2d(3, 96, 11, stride=4)
    assert trace(alexnet, (3, 224, 224)).rows[0].rounding == "54.25 → 54"
    assert trace(alexnet, (3, 227, 227)).rows[0].rounding == ""


def test_projections_never_lengthen_the_way() -> None:
    class Projected(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.long = nn.Sequential(nn.Conv2d(1, 1, 1), nn.Conv2d(1, 1, 1))
            self.short = nn.Conv2d(1, 1, 1)

        def forward(self, x: Tensor) -> Tensor:
            return self.long(x) + self.short(x)

    found = trace(nn.Sequential(Projected(), Projected()), (1, 4, 4))
    assert found.depth == 4
    assert found.parameters == 12


def test_everything_is_left_as_found() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout(), nn.Flatten())
    network.train()
    network[2].eval()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    for shape in ((1, 8, 8), (1, 2, 2)):  # the second does not fit
        if shape == (1, 2, 2):
            with pytest.raises(Mistake):
                trace(network, shape)
        else:
            trace(network, shape)
        assert [part.training for part in network] == [True, True, False, True]
        assert not any(m._forward_hooks or m._forward_pre_hooks for m in network.modules())
        assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())
        assert all(value.device.type == "cpu" for value in network.state_dict().values())
        assert torch.is_grad_enabled()


class Tutorial(nn.Module):
    def __init__(self, how: str) -> None:
        super().__init__()
        self.c1, self.c2, self.fc = nn.Conv2d(3, 6, 5), nn.Conv2d(6, 16, 5), nn.Linear(400, 10)
        self.how = how

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.c1(x)), 2)
        x = F.max_pool2d(self.c2(x).relu_(), 2)
        return self.fc(x.view(-1, 400) if self.how == "view" else getattr(x, self.how)(1))


@pytest.mark.parametrize(
    ("network", "shape", "said"),
    [
        (Tutorial("flatten"), (3, 40, 40), r"layer fc \(Linear\) was given 784\. .*is 32×32\."),
        (Tutorial("flatten"), (3, 4, 4), r"layer c1 \(Conv2d\) was given 3×4×4\. .*is 32×32\."),
        (Tutorial("view"), (3, 20, 20), r"follows its max_pool2d was given 16×2×2\. .*is 32×32\."),
        (Tutorial("view"), (1, 32, 32), r"c1 \(Conv2d\) takes 3 channels and was given 1×32×32\."),
        (nn.MaxPool2d(9), (1, 5, 5), r"5×5: it was given 1×5×5\. .* is 9×9\."),
        (nn.Flatten(9), (1, 5, 5), r"given 1×5×5 \(torch: .*No square of up to 1024"),
        (nn.ReLU(), (1, 5), r"\(channels, height, width\), .* not \(1, 5\)"),
    ],
)
def test_pictures_that_do_not_fit(network: nn.Module, shape: Any, said: str) -> None:
    with pytest.raises(Mistake, match=said):
        trace(network, shape)


def test_a_bug_in_a_network_is_no_mistake_of_the_picture() -> None:
    class Buggy(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.no_such_thing()  # type: ignore[no-any-return,operator]

    with pytest.raises(AttributeError, match="no_such_thing"):
        trace(Buggy(), (1, 4, 4))


def test_the_table() -> None:
    text = str(trace(nn.Sequential(nn.Conv2d(3, 10, 5, padding=2), nn.Softmax(1)), (3, 32, 32)))
    lines = text.splitlines()
    assert lines[0].split() == [
        *("layer", "kind", "output", "parameters", "multiply-adds", "memory", "sees")
    ]
    assert lines[1].split() == [
        *("0", "Conv2d", "5×5", "10×32×32", "760", "768,000", "40.0", "KiB", "5×5")
    ]
    assert "760 parameters; 768,000 multiply-adds; 80.0 KiB of outputs." in lines
