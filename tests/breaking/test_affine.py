"""Linear networks: their weights found from outside, and what is not linear is refused."""

import pytest
import torch
from torch import Tensor, nn

from hubel.breaking.affine import affine, last_layer
from hubel.mistakes import Failure, Mistake
from hubel.model import Classifier
from hubel.networks.linear import linear
from hubel.networks.small import small
from hubel.pixels import PixelSpec

SHAPE = (3, 6, 5)
SPEC = PixelSpec((6, 5), 3, (0.1, 0.5, 0.7), (0.2, 0.4, 0.3))
NAMES = ("a", "b", "c", "d")
X = torch.rand(7, *SHAPE, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def classifier(network: nn.Module, temperature: float = 1.0) -> Classifier:
    made = Classifier(network, classes=NAMES, pixels=SPEC, temperature=temperature)
    return made.double().eval()


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def test_weights_are_those_of_pixels_from_0_to_1() -> None:
    made = classifier(linear(classes=4, channels=3, size=(6, 5)), temperature=2.0)
    model = affine(made, SHAPE, like=X)
    score = made.network.get_submodule("score")
    assert isinstance(score, nn.Linear)
    by_hand = score.weight.detach().view(4, *SHAPE) / made.std / 2
    torch.testing.assert_close(model.weight, by_hand, rtol=1e-12, atol=0)
    torch.testing.assert_close(model.scores(X), made(X).detach(), rtol=1e-12, atol=1e-12)


def test_a_linear_network_may_be_built_of_anything() -> None:
    """Convolution, batch norm in evaluation mode, mean pooling: all are linear in the pixels."""
    norm = nn.BatchNorm2d(5)
    norm.running_mean, norm.running_var = torch.randn(5), torch.rand(5) + 0.5
    net = nn.Sequential(nn.Conv2d(3, 5, 3), norm, nn.Dropout(), nn.AvgPool2d(2), nn.Flatten(),
                        nn.Linear(10, 4))  # fmt: skip
    made = classifier(net).train()
    model = affine(made, SHAPE, like=X)
    assert all(part.training for part in made.modules())
    assert all(p.grad is None for p in made.parameters())
    torch.testing.assert_close(model.scores(X), made.eval()(X).detach(), rtol=1e-10, atol=1e-10)


def test_many_classes_take_several_runs() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(90, 150)).double()
    model = affine(net, SHAPE, like=X)
    torch.testing.assert_close(model.weight.flatten(1), net[1].weight.detach().double())
    torch.testing.assert_close(model.bias, net[1].bias.detach().double(), rtol=0, atol=1e-12)


class Corner(nn.Module):
    """Linear but where pixels are white."""

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1)[:, :4] + (x.amin((1, 2, 3)) == 1)[:, None]


class Kink(nn.Module):
    """A little of a ReLU."""

    def forward(self, x: Tensor) -> Tensor:
        flat = x.flatten(1)
        return flat[:, :4] + 0.05 * (flat[:, :4] - 0.5).relu()


@pytest.mark.parametrize("network", [Corner(), Kink(), small(classes=4, channels=3, size=(6, 5))])
def test_what_is_not_linear_is_refused(network: nn.Module) -> None:
    with pytest.raises(Mistake, match="not linear in its pixels: take fool_features"):
        affine(network.double(), SHAPE, like=X)


def test_logits_that_are_not_finite_are_a_failure() -> None:
    made = classifier(linear(classes=4, channels=3, size=(6, 5)))
    with torch.no_grad():
        next(made.parameters()).fill_(torch.nan)
    with pytest.raises(Failure, match="not finite"):
        affine(made, SHAPE, like=X)


def test_the_last_layer_gives_the_logits_from_its_features() -> None:
    made = classifier(small(classes=4, channels=3, size=(6, 5), widths=(4, 5, 6)), temperature=3.0)
    features, model = last_layer(made, X)
    assert features.shape == (7, 12)
    torch.testing.assert_close(model.scores(features), made(X).detach(), rtol=1e-12, atol=1e-12)
    empty, _ = last_layer(made, X[:0])
    assert empty.shape == (0, 12)


def test_a_network_that_does_something_behind_its_last_layer_is_refused() -> None:
    bare = nn.Sequential(nn.Flatten(), nn.ReLU(), nn.Linear(90, 4, bias=False))
    assert last_layer(classifier(bare), X)[1].bias.tolist() == [0] * 4
    with pytest.raises(Mistake, match="does not end in its last linear layer, '2'"):
        last_layer(classifier(nn.Sequential(*bare, nn.Softmax(1))), X)
    with pytest.raises(Mistake, match="linear layer of 4 outputs"):
        last_layer(classifier(nn.Sequential(nn.Flatten(), nn.Linear(90, 4), nn.Linear(4, 9))), X)
