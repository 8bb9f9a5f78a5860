"""Maps first or channels last: found by following the picture, and never by position alone."""

import pytest
import torch
from torch import Tensor, nn

from hubel.mistakes import Mistake
from hubel.understanding.arrangement import MAPS_FIRST, order
from hubel.understanding.deconvnet import project
from hubel.understanding.maximise import maximise
from hubel.understanding.objectives import Objective
from hubel.understanding.occlusion import occlude
from hubel.understanding.patches import strongest
from hubel.understanding.saliency import grad_cam, last_maps, of_class


class Permute(nn.Module):
    def __init__(self, *dims: int) -> None:
        super().__init__()
        self.dims = dims

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(self.dims)


class Mean(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mean((1, 2))


class Attention(nn.Module):
    """Every place looks at every place: nobody can follow where rows and columns run."""

    def forward(self, x: Tensor) -> Tensor:
        flat = x.flatten(1, 2)  # (N, h·w, K)
        return ((flat @ flat.transpose(1, 2)).softmax(-1) @ flat).view(x.shape)


X = torch.rand(2, 3, 10, 12, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def last() -> nn.Sequential:
    """Conv → permute → Linear, as in ConvNeXt or a transformer: channels last from 1 on."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), Permute(0, 2, 3, 1), nn.Linear(8, 6), nn.GELU(), Mean(),
        nn.Linear(6, 2),
    )  # fmt: skip


def test_grad_cam_recognises_channels_last(last: nn.Sequential) -> None:
    """Against the same network written with 1×1 convolutions, maps first."""
    first = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 6, 1), nn.GELU(), nn.AdaptiveAvgPool2d(1),
        nn.Flatten(), nn.Linear(6, 2),
    )  # fmt: skip
    first[0].load_state_dict(last[0].state_dict())
    first[1].weight.data, first[1].bias.data = last[2].weight[..., None, None].data, last[2].bias
    first[5].load_state_dict(last[5].state_dict())
    for ours, theirs in (("2", "1"), ("3", "2"), ("1", "0")):
        found = grad_cam(last, X, of_class(1), layer=ours, signed=True)
        expected = grad_cam(first, X, of_class(1), layer=theirs, signed=True)
        assert found.maps.shape == (2, 10, 12)
        torch.testing.assert_close(found.maps, expected.maps, atol=1e-6, rtol=1e-4)
        torch.testing.assert_close(found.enlarged, expected.enlarged, atol=1e-6, rtol=1e-4)


def test_the_last_maps_are_maps(last: nn.Sequential) -> None:
    assert last_maps(last, X) == "0"
    assert order(last, X, "2") == order(last, X, "3") == (0, 3, 1, 2)
    assert order(last, X, "0") == order(last, X, "5") == MAPS_FIRST
    turned = nn.Sequential(nn.Conv2d(3, 4, 1), Permute(0, 3, 1, 2))  # (N, w, K, h)
    assert order(turned, X, "1") == (0, 2, 3, 1)


def test_what_cannot_be_followed_goes_by_its_proportions(last: nn.Sequential) -> None:
    network = nn.Sequential(last[0], Permute(0, 2, 3, 1), Attention(), Permute(0, 3, 1, 2))
    assert order(network, X, "3") == MAPS_FIRST
    with pytest.raises(Mistake, match=r"2 hands on \(10, 12, 8\): .*Name a layer of maps"):
        order(network, X, "2")
    with pytest.raises(Mistake, match="cannot be told"):
        grad_cam(network, X, lambda maps: maps.mean((1, 2, 3)), layer="2")


def test_whoever_takes_units_for_maps_says_so(last: nn.Sequential) -> None:
    message = r"2 hands on \(h, w, K\), its channels last"
    with pytest.raises(Mistake, match=message):
        project(last, X, "2", 0)
    with pytest.raises(Mistake, match=message):
        occlude(last, X[0], layer="2", square=4, stride=4)
    with pytest.raises(Mistake, match=message):
        list(strongest(last, [(range(2), X)], ["2"]))
    with pytest.raises(Mistake, match=message):
        maximise(last, [Objective(0, "2")], shape=(3, 10, 12), steps=1)
