"""Networks that speak of how many pictures there are: right by boxes, or in full and said."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hubel.understanding.incremental.engine import replayed
from hubel.understanding.incremental.runs import Untraceable, matched
from hubel.understanding.incremental.steps import Alike, Batch
from hubel.understanding.incremental.tracing import traced
from hubel.understanding.occlusion import occlude

X = torch.rand(3, 16, 14, generator=torch.Generator().manual_seed(0))


class Net(nn.Module):
    """Two convolutions and a linear layer, with something in between."""

    def __init__(self, between: Callable[[Tensor], Tensor], channels: int = 8) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.a, self.between = nn.Conv2d(3, 8, 3, padding=1), between
        self.b, self.score = nn.Conv2d(channels, 4, 3), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.score(self.b(self.between(self.a(x))).relu().mean((2, 3)))
        return logits


def coordinates(x: Tensor) -> Tensor:
    n, _, height, width = x.shape
    down = torch.linspace(-1, 1, height).view(1, 1, -1, 1).expand(n, 1, -1, width)
    across = torch.linspace(-1, 1, width).view(1, 1, 1, -1).expand(n, 1, height, -1)
    return torch.cat((x, down, across), 1)


def written(x: Tensor) -> Tensor:
    found = x.new_zeros(len(x), *x.shape[1:])
    found[:, :5] = x[:, :5]
    return found


def by_scale(x: Tensor) -> Tensor:
    return x * torch.full((len(x), 1, 1, 1), 0.5)


RIGHT = {
    "group norm": (nn.GroupNorm(2, 8), 8),
    "zeros of the batch": (lambda x: x + torch.zeros(len(x), 8, *x.shape[2:]), 8),
    "coordinates": (coordinates, 10),
    "view by the batch": (lambda x: x.contiguous().view(len(x), 2, 4, *x.shape[2:]).sum(1), 4),
    "written into": (written, 8),
    "a number a picture": (by_scale, 8),
    "layer norm": (lambda x: F.layer_norm(x, x.shape[1:]), 8),
}


@pytest.mark.parametrize("name", RIGHT)
def test_the_number_of_pictures_is_not_baked_in(name: str) -> None:
    network = Net(*RIGHT[name]).eval()
    steps = traced(network, X.shape)
    for n in (1, 2, 5):
        x = torch.rand(n, *X.shape, generator=torch.Generator().manual_seed(n))
        with torch.no_grad():
            torch.testing.assert_close(replayed(steps, x)[0], network(x), atol=1e-5, rtol=1e-4)
    fast, full = (occlude(network, X, 1, square=4, stride=5, fast=way) for way in (True, False))
    assert fast.method.boxes
    torch.testing.assert_close(fast.logits, full.logits, atol=1e-5, rtol=1e-4)


def test_the_network_of_the_report() -> None:
    """It ended in: Expected X.numel() == N * C * HxW."""
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.GroupNorm(2, 8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(8, 2),
    )  # fmt: skip
    x = torch.rand(3, 32, 32)
    found = occlude(network, x, 0, square=8, stride=8)
    assert found.method.boxes
    assert found.method.whole == ("native_group_norm",)
    full = occlude(network, x, 0, square=8, stride=8, fast=False)
    torch.testing.assert_close(found.logits, full.logits, atol=1e-5, rtol=1e-4)


def mixed(x: Tensor) -> Tensor:
    n, maps, height, width = x.shape
    return x.reshape(n * 2, maps // 2, height, width).relu().reshape(n, maps, height, width)


def by_number(x: Tensor) -> Tensor:
    return x * 0.5 if len(x) > 2 else x


def through_numpy(x: Tensor) -> Tensor:
    return x + torch.from_numpy(x.numpy() * 0.5)


REFUSED = {
    "pictures in halves": (mixed, "pictures are not apart"),
    "instance norm": (F.instance_norm, "pictures are not apart"),
    "another way for more": (by_number, "another number of pictures"),
    "a scale by the number": (lambda x: x / (len(x) + 1), "another number of them"),
    "a number for each": (lambda x: x + torch.arange(len(x)).view(-1, 1, 1, 1), "hangs on"),
    "values through numpy": (through_numpy, "numpy takes numbers out of torch's sight"),
    "values as a list": (lambda x: x * x.mean((1, 2, 3)).tolist()[0], "tolist takes numbers out"),
    "values through dlpack": (lambda x: x + torch.from_dlpack(x) * 0.5, "dlpack.* takes numbers"),
    "values that decide": (lambda x: x if x.sum() > -1e9 else -x, "data-dependent"),
    "chance": (lambda x: x + 0 * torch.rand(8, 1, 1), "by chance"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_done_right_is_done_in_full_and_said(name: str) -> None:
    between, message = REFUSED[name]
    network = Net(between).eval()
    with pytest.raises(Untraceable, match=message):
        traced(network, X.shape)
    found = occlude(network, X, 1, square=6, stride=6)
    assert not found.method.boxes
    assert "cannot be traced" in found.method.why


def test_steps_that_do_otherwise_with_one_picture_are_not_believed() -> None:
    """It has no other operations for one picture, but other numbers."""
    network = Net(lambda x: x * (1 + 1 // len(x))).eval()
    assert traced(network, X.shape).steps
    found = occlude(network, X, 1, square=6, stride=6)
    assert not found.method.boxes
    assert "its steps give something else" in found.method.why


def test_arguments_of_two_runs() -> None:
    same = torch.ones(2, 2)
    assert matched([4, (2, None)], [6, (3, None)], (2, 3)) == [Batch(2), [Batch(), None]]
    assert matched({"a": 5}, {"a": 5}, (2, 3)) == {"a": 5}
    assert matched(same, same.clone(), (2, 3)) is same
    row = matched(torch.ones(2, 1, 4), torch.ones(3, 1, 4), (2, 3))
    assert isinstance(row, Alike)
    assert row.row.shape == (1, 1, 4)
    assert matched(float("nan"), float("nan"), (2, 3)) != 0
    for pair in ((4, 5), (2.0, 3.0), (True, False), ([2], [3, 3]), (same, 2 * same)):
        with pytest.raises(Untraceable):
            matched(*pair, (2, 3))
