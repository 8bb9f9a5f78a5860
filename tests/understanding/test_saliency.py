"""Saliency against captum, against what is written out slowly, and by its contracts."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from captum.attr import IntegratedGradients, LayerAttribution, LayerGradCam, NoiseTunnel
from captum.attr import Saliency as CaptumSaliency
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from hubel.mistakes import Failure, Mistake
from hubel.model import Classifier
from hubel.pixels import PixelSpec
from hubel.understanding.probes import Score
from hubel.understanding.saliency import (
    grad_cam,
    gradient,
    integrated_gradients,
    last_maps,
    middle_maps,
    of_class,
    smooth_gradient,
    to_map,
)


class Net(nn.Module):
    """A shortcut, an in-place and a functional ReLU, and a module used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 6, 3, padding=1)
        self.norm = nn.BatchNorm2d(6)
        self.relu = nn.ReLU(inplace=True)
        self.again = nn.Conv2d(6, 6, 3, stride=2, padding=1)
        self.dropout = nn.Dropout(0.5)
        self.fc = nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.again(self.relu(self.norm(self.first(x))))
        x = self.again(F.relu(x)) + x[..., ::2, ::2]
        logits: Tensor = self.fc(self.dropout(F.elu(x).mean((2, 3))))
        return logits


@pytest.fixture
def net() -> Net:
    torch.manual_seed(0)
    return Net().double().eval()


X = torch.rand(3, 3, 12, 10, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
LABELS = torch.tensor([2, 0, 3])
SCORE = of_class(LABELS)
Method = Callable[[nn.Module, Tensor, Score], Tensor]
METHODS: dict[str, Method] = {
    "gradient": gradient,
    "smooth": lambda *given: smooth_gradient(*given, samples=3, chunk=4),
    "integrated": lambda *given: integrated_gradients(*given, steps=3, chunk=4).attributions,
    "grad-cam": lambda *given: grad_cam(*given, signed=True).enlarged,
}


def test_gradient_is_captums(net: Net) -> None:
    theirs = CaptumSaliency(net)
    expected = theirs.attribute(X.clone().requires_grad_(), target=LABELS, abs=False)
    found = gradient(net, X, SCORE)
    assert torch.allclose(found, expected, rtol=0, atol=1e-14)
    slow = torch.stack(
        [torch.stack([max(g[:, i, j].abs()) for j in range(10)]) for g in found for i in range(12)]
    )
    assert torch.equal(to_map(found), slow.view(3, 12, 10))
    assert torch.allclose(to_map(found, signed=True), found[:, 0] + found[:, 1] + found[:, 2])


def test_smooth_gradient_is_the_mean_over_noisy_copies(net: Net) -> None:
    found = smooth_gradient(net, X, SCORE, samples=5, chunk=4, seed=3)
    whole = smooth_gradient(net, X, SCORE, samples=5, chunk=64, seed=3)
    assert torch.allclose(found, whole, rtol=0, atol=1e-14)
    other = smooth_gradient(net, X, SCORE, samples=5, seed=4)
    assert not torch.allclose(found, other, atol=1e-5)
    still = smooth_gradient(net, X, SCORE, noise=0, samples=2)
    assert torch.allclose(still, gradient(net, X, SCORE), rtol=0, atol=1e-14)


def test_smooth_gradient_draws_what_it_says() -> None:
    """The gradient of the sum of squares is twice the noisy picture itself."""

    def mean_noise(samples: int) -> Tensor:
        found = smooth_gradient(
            nn.Flatten(), pixels, lambda y: y.square().sum(1), noise=0.2, samples=samples
        )
        return found / 2 - pixels

    pixels = torch.zeros(2, 1, 50, 50)
    pixels[0, 0, 0, 0], pixels[1, 0, 0, 0] = 1, 0.5  # the ranges
    noise = mean_noise(1)
    assert abs(float(noise[0].std()) - 0.2) < 0.01
    assert torch.allclose(noise[0], 2 * noise[1], atol=1e-6)
    assert abs(float(mean_noise(16)[0].std()) - 0.05) < 0.0025  # independent: σ / √16


def test_smooth_gradient_is_as_captums_noise_tunnel() -> None:
    """Of the noise only the law is the same: the two means differ by their own standard errors."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(16, 2)).double()
    pixels = torch.zeros(1, 1, 4, 4, dtype=torch.float64)
    pixels[0, 0, 1, 2] = 1
    tunnel = NoiseTunnel(CaptumSaliency(net))
    expected = tunnel.attribute(
        pixels, nt_type="smoothgrad", nt_samples=4000, stdevs=0.5, target=1, abs=False
    )
    found = smooth_gradient(net, pixels, of_class(1), noise=0.5, samples=4000, chunk=2000)
    plain = gradient(net, pixels, of_class(1))
    assert (found - expected).abs().max() < 0.1 * (plain - expected).abs().max()


@pytest.mark.parametrize(("rule", "theirs"), [("gauss-legendre", "gausslegendre"),
                                              ("midpoint", "riemann_middle")])  # fmt: skip
@pytest.mark.parametrize("steps", [2, 7])
def test_integrated_gradients_are_captums(net: Net, rule: str, theirs: str, steps: int) -> None:
    baseline = torch.rand(X.shape[1:], generator=torch.Generator().manual_seed(2)).double()
    expected, delta = IntegratedGradients(net).attribute(
        X, baseline[None], LABELS, n_steps=steps, method=theirs, return_convergence_delta=True
    )
    found = integrated_gradients(net, X, SCORE, baseline=baseline, steps=steps, rule=rule, chunk=4)
    # captum's weights are float32
    assert torch.allclose(found.attributions, expected, rtol=1e-6, atol=1e-9)
    assert torch.allclose(found.error, delta.abs(), rtol=1e-6, atol=2e-9)
    slow = torch.zeros_like(X)
    for k in range(steps):
        place, weight = (k + 0.5) / steps, 1 / steps
        if rule == "gauss-legendre":
            roots = np.polynomial.Legendre.basis(steps).roots()
            slope = np.polynomial.Legendre.basis(steps).deriv()(roots[k])
            place, weight = (roots[k] + 1) / 2, 1 / ((1 - roots[k] ** 2) * slope**2)
        slow += weight * gradient(net, baseline + place * (X - baseline), SCORE)
    slow *= X - baseline
    assert torch.allclose(found.attributions, slow, rtol=0, atol=1e-14)
    with torch.no_grad():
        gap = SCORE(net(X)) - SCORE(net(baseline.expand_as(X)))
    assert torch.allclose(found.difference, gap, rtol=0, atol=1e-14)
    error = (slow.sum((1, 2, 3)) - gap).abs()
    assert torch.allclose(found.error, error, rtol=0, atol=1e-13)
    assert torch.allclose(found.relative, error / gap.abs(), rtol=1e-9, atol=0)


@settings(max_examples=20)
@given(st.integers(1, 6), st.floats(0, 1))
def test_gauss_legendre_is_exact_for_polynomials(steps: int, grey: float) -> None:
    """With n points, for scores along the way of degree 2n: x to that power integrates to xᵖ − bᵖ,
    shared among the pixels in proportion to their own."""
    power = 2 * steps
    pixels = torch.rand(2, 1, 3, 3, generator=torch.Generator().manual_seed(steps)).double()
    found = integrated_gradients(
        nn.Flatten(), pixels, lambda y: y.pow(power).sum(1), baseline=grey, steps=steps
    )
    expected = pixels**power - grey**power
    assert torch.allclose(found.attributions, expected, rtol=0, atol=1e-12)
    assert found.error.max() < 1e-12


def test_a_picture_that_is_its_baseline_has_no_error(net: Net) -> None:
    found = integrated_gradients(net, X, SCORE, baseline=X, steps=2)
    assert found.attributions.count_nonzero() == 0
    assert found.error.tolist() == found.relative.tolist() == [0, 0, 0]


@pytest.mark.parametrize("signed", [False, True])
def test_grad_cam_is_captums_and_the_slow_one(net: Net, signed: bool) -> None:
    found = grad_cam(net, X, SCORE, layer="first", signed=signed)
    theirs = LayerGradCam(net, net.first).attribute(
        X, target=LABELS, relu_attributions=not signed, attr_dim_summation=True
    )
    assert torch.allclose(found.maps, theirs[:, 0], rtol=0, atol=1e-14)
    assert (found.maps.min() < 0) == signed
    # written out: forward from the maps on, and loops for equations 1 and 2
    a = net.first(X).detach().requires_grad_()
    x = net.again(F.relu(net.norm(a)))
    x = net.again(F.relu(x)) + x[..., ::2, ::2]
    logits = net.fc(F.elu(x).mean((2, 3)))
    slopes = torch.autograd.grad(logits[range(3), LABELS].sum(), a)[0]
    for n in range(3):
        expected = torch.zeros(12, 10, dtype=torch.float64)
        for k in range(6):
            alpha = sum(float(s) for s in slopes[n, k].flatten()) / 120
            assert float(found.weights[n, k]) == pytest.approx(alpha, abs=1e-15)
            expected += alpha * a[n, k].detach()
        expected = expected if signed else expected.clamp(min=0)
        assert torch.allclose(found.maps[n], expected, rtol=0, atol=1e-14)


def test_grad_cam_is_enlarged_bilinearly(net: Net) -> None:
    found = grad_cam(net, X, SCORE, layer="again", signed=True)
    assert found.maps.shape == (3, 6, 5)
    theirs = LayerAttribution.interpolate(found.maps[:, None], (12, 10), "bilinear")
    assert torch.equal(found.enlarged, theirs[:, 0])


def test_last_maps(net: Net) -> None:
    assert last_maps(net, X) == "again#2" == grad_cam(net, X, SCORE).layer
    assert last_maps(net, X[:0]) == "again#2"
    assert last_maps(net, X[..., :2, :2]) == "relu"  # what follows is of one position
    pooled = nn.Sequential(
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    ).double()
    assert last_maps(pooled, X) == "0"
    spec = PixelSpec((12, 10), 3)
    assert last_maps(Classifier(net, classes="abcd", pixels=spec).double(), X) == "again#2"
    for flat in (
        nn.Sequential(nn.Flatten(), nn.Linear(360, 2)),
        nn.Sequential(nn.Conv2d(3, 2, 10)),
    ):
        with pytest.raises(Mistake, match="no convolution"):
            last_maps(flat.double(), X[..., :10, :] if len(flat) == 1 else X)


def test_middle_maps() -> None:
    def block(channels: int) -> nn.Module:
        return nn.Sequential(nn.Conv2d(channels, 4, 3, padding=1), nn.ReLU())

    net = nn.Sequential(*(block(4 if i else 3) for i in range(9)), nn.Conv2d(4, 2, 12)).double()
    x = torch.rand(1, 3, 16, 16, dtype=torch.float64)
    # 28 layers hand on maps: the block whose end is nearest to two thirds of the way, not its ReLU
    assert middle_maps(net, x) == "5"
    assert middle_maps(nn.Sequential(net, nn.AvgPool2d(2)).double(), x) == "0.6"
    signed = nn.Sequential(*(nn.Conv2d(3, 3, 1) for _ in range(4))).double()
    nn.init.constant_(signed[2].weight, -1)
    nn.init.constant_(signed[2].bias, -10)
    assert middle_maps(signed, x) == "2"  # none of zeros and more is near: the nearest
    coarse = nn.Sequential(*net[:3], nn.AvgPool2d(8), *net[3:6]).double()
    assert middle_maps(coarse, x).startswith("2")  # of places enough, rather than nearer
    with pytest.raises(Mistake, match="no convolution"):
        middle_maps(nn.Sequential(nn.Flatten(), nn.Linear(768, 2)).double(), x)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("off", [torch.no_grad, torch.inference_mode])
def test_all_is_left_as_found_and_gradients_may_be_off(net: Net, name: str, off: type) -> None:
    expected = METHODS[name](net, X, SCORE)
    net.train()
    net.norm.eval()
    net.first.weight.requires_grad_(False)
    modes = [m.training for m in net.modules()]
    before = {k: v.clone() for k, v in net.state_dict().items()}
    random = torch.get_rng_state()
    with off():
        labels = LABELS.clone()  # an inference tensor, in inference mode
        found = METHODS[name](net, X.clone(), of_class(labels))
    assert torch.equal(found, expected)
    assert not found.requires_grad
    assert torch.equal(torch.get_rng_state(), random)
    assert [m.training for m in net.modules()] == modes
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    assert all(p.grad is None for p in net.parameters())
    assert [p.requires_grad for p in net.parameters()].count(False) == 1
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in net.modules())
    assert not X.requires_grad


@pytest.mark.parametrize("name", METHODS)
def test_one_picture_is_one_of_many_and_none_is_none(net: Net, name: str) -> None:
    many = METHODS[name](net, X, SCORE)
    for i in range(3):
        one = METHODS[name](net, X[i : i + 1], of_class(int(LABELS[i])))
        assert torch.allclose(many[i], one[0], rtol=0, atol=1e-14)
    assert METHODS[name](net, X[:0], of_class([])).shape == (0, *many.shape[1:])
    if name == "integrated":
        assert integrated_gradients(net, X[:0], of_class([])).error.shape == (0,)


def test_scores_of_classes(net: Net) -> None:
    logits = torch.tensor([[1.0, 2.0, 4.0], [0.0, 0.0, 0.0]])
    assert of_class(2)(logits).tolist() == [4, 0]
    assert of_class([2, 1])(logits).tolist() == [4, 0]
    assert of_class(torch.tensor(0))(logits).tolist() == [1, 0]
    assert torch.equal(
        of_class([2, 1], probability=True)(logits), logits.softmax(1)[[0, 1], [2, 1]]
    )
    for wrong in (4, -1, [0, 1, 4]):
        with pytest.raises(Mistake, match=r"classes 0 to 3, and no class (4|-1)"):
            gradient(net, X, of_class(wrong))
    with pytest.raises(Mistake, match="3 pictures and labels for 2"):
        gradient(net, X, of_class([0, 1]))
    with pytest.raises(Mistake, match=r"not by 1\.5"):
        of_class(1.5)  # type: ignore[arg-type]
    with pytest.raises(Mistake, match=r"logits \(N, K\), .* float64 \(3, 3, 12, 10\)"):
        gradient(nn.Identity(), X, of_class(0))
    for method in METHODS.values():
        with pytest.raises(Mistake, match=r"one number a picture, \(3,\), not \(\)"):
            method(net, X, lambda logits: logits.sum())


def test_bad_input(net: Net) -> None:
    for method in METHODS.values():
        for wrong in (X[0], (X * 255).byte()):
            with pytest.raises(Mistake, match=r"floating-point \(N, C, H, W\)"):
                method(net, wrong, SCORE)
        with pytest.raises(Mistake, match="not all finite"):
            method(net, X.where(X > 0.1, torch.nan), SCORE)
    for options in ({"samples": 0}, {"chunk": 0}):
        with pytest.raises(Mistake, match="is 1 or more, not 0"):
            smooth_gradient(net, X, SCORE, **options)
    with pytest.raises(Mistake, match=r"not -0\.1"):
        smooth_gradient(net, X, SCORE, noise=-0.1)
    with pytest.raises(Mistake, match="steps is 1 or more"):
        integrated_gradients(net, X, SCORE, steps=0)
    with pytest.raises(Mistake, match="Did you mean 'midpoint'"):
        integrated_gradients(net, X, SCORE, rule="midpiont")
    with pytest.raises(Mistake, match=r"\(2, 12, 10\) is none of \(3, 3, 12, 10\)"):
        integrated_gradients(net, X, SCORE, baseline=X[0, :2])
    with pytest.raises(Mistake, match=r"fc hands on \(3, 4\)"):
        grad_cam(net, X, SCORE, layer="fc")
    with pytest.raises(Mistake, match="no layer 'agian'"):
        grad_cam(net, X, SCORE, layer="agian")


@pytest.mark.parametrize("name", METHODS)
def test_what_is_not_finite_is_named(net: Net, name: str) -> None:
    with torch.no_grad():
        net.norm.weight[2] = float("inf")
    with pytest.raises(Failure, match="The output of picture 0 is not finite, first in norm"):
        METHODS[name](net, X, SCORE)


def test_a_slope_that_is_not_finite_is_named() -> None:
    def root(output: Tensor) -> Tensor:
        return output.sum(1).sqrt()

    pixels = torch.ones(5, 1, 2, 2)
    pixels[3] = 0
    with pytest.raises(Failure, match=r"The gradient by pixels of picture 3 is not finite\."):
        gradient(nn.Flatten(), pixels, root)
    with pytest.raises(Failure, match="picture 3"):  # also where chunks begin in the middle
        smooth_gradient(nn.Flatten(), pixels, root, noise=0, samples=2, chunk=2)
