"""Occlusion maps against occluding by hand, and against captum's."""

import pytest
import torch
from captum.attr import Occlusion as TheirOcclusion
from torch import Tensor, nn

from hubel.mistakes import Failure, Mistake
from hubel.model import Classifier
from hubel.networks import catalogue
from hubel.pixels import PixelSpec
from hubel.training.initialisation import initialise
from hubel.understanding.occlusion import occlude


def classifier(name: str = "resnet20", side: int = 20) -> Classifier:
    network = catalogue.build(name, classes=5, channels=3, size=(side, side))
    initialise(network, "he", seed=1)
    spec = PixelSpec((side, side), 3, (0.4, 0.5, 0.6), (0.2, 0.3, 0.25))
    model = Classifier(network, classes=tuple("abcde"), pixels=spec)
    model.train()(torch.rand(8, 3, side, side))  # statistics that are not those of the start
    return model


@pytest.fixture(scope="module")
def model() -> Classifier:
    torch.manual_seed(0)
    return classifier()


X = torch.rand(3, 20, 20, generator=torch.Generator().manual_seed(2))


def test_the_maps_are_those_of_hiding_by_hand(model: Classifier) -> None:
    training = [part.training for part in model.modules()]
    found = occlude(model, X, 3, square=6, stride=5, fill="mean", layer="stage2.0.relu2", unit=4)
    assert [part.training for part in model.modules()] == training
    assert found.tops == found.lefts == (0, 5, 10, 14)
    assert found.method.boxes
    assert found.method.work < 1
    assert found.method.difference < 1e-5
    model.eval()
    maps: list[Tensor] = []
    handle = model.network.get_submodule("stage2.0.relu2").register_forward_hook(
        lambda _m, _i, out: maps.append(out.clone())
    )
    with torch.no_grad():
        for r, top in enumerate(found.tops):
            for k, left in enumerate(found.lefts):
                x = X.clone()
                x[:, top : top + 6, left : left + 6] = X.mean((1, 2))[:, None, None]
                logits = model(x[None])[0]
                assert torch.allclose(found.logits[r, k], logits, atol=2e-5)
                assert found.winner[r, k] == logits.argmax()
                assert float(found.probability[r, k]) == pytest.approx(
                    float(logits.softmax(0)[3]), abs=1e-5
                )
                assert found.activity is not None
                assert float(found.activity[r, k]) == pytest.approx(
                    float(maps[-1][0, 4].sum()), rel=1e-4
                )
        assert torch.allclose(found.clean, model(X[None])[0], atol=1e-5)
        assert found.clean_activity == pytest.approx(float(maps[-1][0, 4].sum()), rel=1e-4)
    handle.remove()


def test_captum_says_the_same_where_squares_fit(model: Classifier) -> None:
    found = occlude(model, X, 1, square=5, stride=5, fill=torch.zeros(3, 20, 20))
    model.eval()
    theirs = TheirOcclusion(model).attribute(
        X[None], sliding_window_shapes=(3, 5, 5), strides=(3, 5, 5), target=1, baselines=0.0
    )[0]
    ours = found.clean[1] - found.logits[..., 1]  # disjoint squares: each pixel belongs to one
    assert torch.allclose(theirs[0, ::5, ::5], ours, atol=2e-5)


def test_fast_and_in_full_agree_and_the_strongest_map_is_followed(model: Classifier) -> None:
    fast = occlude(model, X, layer="relu1", square=4, stride=6)
    full = occlude(model, X, layer="relu1", square=4, stride=6, fast=False)
    assert not full.method.boxes
    assert torch.allclose(fast.logits, full.logits, atol=2e-5)
    assert fast.target == full.target == int(fast.clean.argmax())
    assert fast.unit == full.unit
    assert fast.activity is not None
    assert full.activity is not None
    assert torch.allclose(fast.activity, full.activity, rtol=1e-4)


def test_a_convolution_is_followed_without_its_norm(model: Classifier) -> None:
    found = occlude(model, X, layer="conv1", unit=2, square=20)
    model.eval()
    with torch.no_grad():
        grey = torch.full_like(X, 0.5)[None]
        expected = model.network.get_submodule("conv1")((grey - model.mean) / model.std)[0, 2].sum()
    assert found.activity is not None
    assert float(found.activity[0, 0]) == pytest.approx(float(expected), rel=1e-4)


def test_a_layer_that_ends_in_a_convolution_hands_on_what_it_does_unfolded() -> None:
    """Its norm is outside of it: folded, the layer would hand on the norm's output."""
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Sequential(nn.Conv2d(3, 4, 3)), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 3),
        nn.BatchNorm2d(4), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2),
    )  # fmt: skip
    network(5 * torch.rand(8, 3, 20, 20) - 1)
    network.eval()
    network.requires_grad_(False)
    for layer, maps in (("0", network[0](X[None])), ("1", network[:2](X[None]))):
        found = occlude(network, X, layer=layer, unit=1, square=5, stride=5)
        assert found.clean_activity == pytest.approx(float(maps[0, 1].sum()), rel=1e-4)
        full = occlude(network, X, layer=layer, unit=1, square=5, stride=5, fast=False)
        assert found.activity is not None
        assert full.activity is not None
        assert torch.allclose(found.activity, full.activity, rtol=1e-4, atol=1e-4)
        assert found.method.boxes


def test_a_network_that_views_its_maps() -> None:
    """It cannot have its channels last."""

    class Views(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.score = nn.Conv2d(3, 4, 3), nn.Linear(4 * 18 * 18, 2)

        def forward(self, x: Tensor) -> Tensor:
            logits: Tensor = self.score(self.conv(x).relu().view(len(x), -1))
            return logits

    found, full = (occlude(Views(), X, 0, square=5, stride=5, fast=way) for way in (True, False))
    assert found.method.boxes
    assert found.logits.shape == full.logits.shape


class Decides(nn.Module):
    """It looks at values, so that it cannot be traced."""

    def forward(self, x: Tensor) -> Tensor:
        y = x.mean((2, 3))
        return y if float(y.sum()) > -1 else -y


def test_what_cannot_be_traced_is_computed_in_full_and_told() -> None:
    steps: list[tuple[int, int]] = []
    found = occlude(
        Decides(), X, square=10, stride=10, progress=lambda *done: steps.append(done)
    )  # fmt: skip
    assert not found.method.boxes
    assert "cannot be traced" in found.method.why
    assert steps[-1] == (4, 4)
    x = X.clone()
    x[:, :10, :10] = 0.5
    assert torch.allclose(found.logits[0, 0], x.mean((1, 2)))


def test_a_shorter_reach_is_measured(model: Classifier) -> None:
    exact = occlude(model, X, 0, square=4, stride=2)
    near = occlude(model, X, 0, square=4, stride=2, reach=0.5)
    assert near.method.work < exact.method.work
    assert near.method.difference > exact.method.difference
    error = (near.logits - exact.logits)[..., 0].abs().max()
    assert float(error) >= near.method.difference - 1e-5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"square": 21}, "A square of 21 pixels does not fit a picture of 20×20: take 1 to 20"),
        ({"square": 0}, "A square of 0 pixels"),
        ({"stride": 0}, "A stride is 1 pixel or more, not 0"),
        ({"target": 5}, "There is no class 5: they are 0 to 4"),
        ({"fill": "gray"}, "no fill 'gray'. Did you mean 'grey'"),
        ({"fill": torch.zeros(3)}, r"like those it hides, \(3, 20, 20\), not \(3,\)"),
        ({"layer": "relu9"}, "no layer 'relu9'"),
        ({"layer": "relu1", "unit": 16}, "relu1 has no unit 16: they are 0 to 15"),
        ({"reach": 0.0}, "A reach is above 0"),
    ],
)
def test_mistakes(model: Classifier, options: dict[str, object], message: str) -> None:
    with pytest.raises(Mistake, match=message):
        occlude(model, X, **options)  # type: ignore[arg-type]


def test_outputs_that_are_not_finite_and_pictures_that_are_none(model: Classifier) -> None:
    with pytest.raises(Failure, match="not finite"):
        occlude(nn.Sequential(nn.Flatten(), nn.Linear(1200, 2)), X * torch.inf)
    with pytest.raises(Mistake, match=r"One picture is \(C, H, W\)"):
        occlude(model, X[None])
