"""Box-constrained L-BFGS and C&W: the nearest point in closed form, slow ones, the contract."""

import math
from collections.abc import Callable

import foolbox
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.optimize import brentq, minimize
from torch import Tensor, nn

from hubel.breaking.carlini_wagner import carlini_wagner
from hubel.breaking.minimal import Minimal, deepfool
from hubel.breaking.szegedy import box_lbfgs
from hubel.mistakes import Failure, Mistake

Attack = Callable[..., Minimal]
ATTACKS: dict[str, Attack] = {"l-bfgs": box_lbfgs, "c&w": carlini_wagner}
both = pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
# how far beyond the nearest point an attack may end, as a share of its distance
SLACK = {box_lbfgs: 0.01, carlini_wagner: 0.05}


def net() -> nn.Module:
    torch.manual_seed(3)
    made = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(inplace=True), nn.MaxPool2d(2),
        nn.Flatten(), nn.Dropout(0.5), nn.Linear(8 * 16, 5),
    ).double().eval()  # fmt: skip
    made[-1].weight.data.mul_(20)  # as sure as a trained network
    return made


def pictures(n: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(n, 1, 8, 8, generator=generator, dtype=torch.float64)


def named(network: nn.Module, pixels: Tensor) -> Tensor:
    with torch.no_grad():
        found: Tensor = network(pixels).argmax(1)
    return found


def two_classes(seed: int) -> tuple[nn.Module, Tensor, Tensor]:
    """A linear network, pixels at their borders here and there, and w, its gap's slope."""
    generator = torch.Generator().manual_seed(seed)
    layer = nn.Linear(64, 2).double()
    layer.weight.data = torch.randn(2, 64, generator=generator, dtype=torch.float64)
    pixels = pictures(8, seed)
    gap = ((layer.weight[0] - layer.weight[1]) * (pixels.flatten(1) - 0.5)).sum(1).detach()
    pixels = torch.where(gap[:, None, None, None] > 0, pixels, 1 - pixels)  # all of class 0
    pixels = torch.where(pixels < 0.3, 0.0, torch.where(pixels > 0.7, 1.0, pixels))
    w = (layer.weight[1] - layer.weight[0]).detach()
    middle = float((w * 0.5).sum())
    layer.bias.data = torch.tensor([middle, 0.0], dtype=torch.float64)
    return nn.Sequential(nn.Flatten(), layer), pixels, w


def nearest(x: Tensor, w: Tensor, gap: float) -> float:
    """The least L2 of r with w · r = gap and x + r in [0, 1]: r = clip(x + t w) − x for one t."""

    def reached(t: float) -> float:
        return float((w * ((x + t * w).clamp(0, 1) - x)).sum()) - gap

    t = brentq(reached, 0, 1e3, xtol=1e-14)
    return float(((x + t * w).clamp(0, 1) - x).norm())


@both
def test_a_linear_boundary_is_met_at_its_nearest_point_in_the_box(attack: Attack) -> None:
    network, pixels, w = two_classes(2)
    labels = torch.zeros(len(pixels), dtype=torch.int64)
    found = attack(network, pixels, labels)
    assert bool(found.fooled.all())
    logits = network(pixels).detach()
    felt = 0
    for i, x in enumerate(pixels.flatten(1)):
        gap = float(logits[i, 0] - logits[i, 1])
        if gap < 0:  # is not named 0 to begin with
            assert float(found.size[i]) == 0
            continue
        least = nearest(x, w, gap)
        felt += gap / float(w.norm()) < 0.95 * least  # farther than without the box
        assert least * (1 - 1e-9) <= float(found.size[i]) <= least * (1 + SLACK[attack])
    assert felt > 2


def szegedy_slowly(network: nn.Module, x: Tensor, target: int) -> float:
    """Section 4.1 for one picture by scipy's L-BFGS-B and twelve values of c."""
    own, best = x.flatten().numpy(), math.inf
    label = torch.tensor([target])

    def value(point: np.ndarray, c: float) -> tuple[float, np.ndarray]:
        leaf = torch.from_numpy(point).view(1, *x.shape).requires_grad_()
        loss = F.cross_entropy(network(leaf), label) + c * (leaf - x).square().sum()
        (slope,) = torch.autograd.grad(loss, leaf)
        return float(loss.detach()), slope.flatten().numpy()

    point = own
    for c in np.geomspace(30, 0.03, 12):
        found = minimize(value, point, (c,), "L-BFGS-B", jac=True, bounds=[(0, 1)] * len(own),
                         options={"maxiter": 60})  # fmt: skip
        point = found.x
        change = torch.from_numpy(found.x).view(1, *x.shape)
        if int(named(network, change)) == target:
            best = min(best, float((change - x).norm()))
    return best


@pytest.mark.slow
def test_l_bfgs_is_as_near_as_scipys_one_picture_at_a_time() -> None:
    network, pixels = net(), pictures(3)
    labels = named(network, pixels)
    targets = (labels + 1) % 5
    found = box_lbfgs(network, pixels, labels, targets=targets)
    assert torch.equal(named(network, found.images), targets)
    for i in range(len(pixels)):
        slow = szegedy_slowly(network, pixels[i], int(targets[i]))
        assert math.isfinite(slow)
        assert float(found.size[i]) <= slow


@pytest.mark.slow
def test_they_agree_and_deepfool_is_no_nearer() -> None:
    network, pixels = net(), pictures(16)
    labels = named(network, pixels)
    lbfgs, wagner = (attack(network, pixels, labels) for attack in ATTACKS.values())
    assert bool((lbfgs.fooled & wagner.fooled).all())
    assert float(lbfgs.size.median()) <= 1.05 * float(wagner.size.median())
    assert float(wagner.size.median()) <= 1.05 * float(lbfgs.size.median())
    assert float(lbfgs.size.median()) <= 1.01 * float(deepfool(network, pixels).size.median())


@pytest.mark.slow
def test_foolboxs_c_and_w_is_no_nearer() -> None:
    network, pixels = net().float(), pictures(6).float()
    labels = named(network, pixels)
    model = foolbox.PyTorchModel(network, bounds=(0, 1), device="cpu")
    attack = foolbox.attacks.L2CarliniWagnerAttack(binary_search_steps=5, steps=200, stepsize=0.03)
    _, theirs, fooled = attack(model, pixels, labels, epsilons=None)
    assert bool(fooled.all())
    ours = carlini_wagner(network, pixels, labels)
    beside = (theirs - pixels).flatten(1).norm(dim=1)
    assert float(ours.size.median()) <= 1.03 * float(beside.median())


@both
@pytest.mark.parametrize("targeted", [False, True])
def test_what_comes_back(attack: Attack, targeted: bool) -> None:
    network, pixels = net().float(), pictures(6).float().round()
    given = pixels.clone()
    labels = named(network, pixels)
    labels[1] = (labels[1] + 1) % 5  # is wrong as it is
    targets = (labels + 2) % 5 if targeted else None
    targets = targets if targets is None else torch.where(targets == labels, labels - 1, targets)
    found = attack(network, pixels, labels, targets=targets, rounds=4)
    assert found.images.dtype == torch.float32
    assert torch.equal(pixels, given)
    assert float(found.images.min()) >= 0
    assert float(found.images.max()) <= 1
    there = named(network, found.images)
    reached = there != labels if targets is None else there == targets
    assert torch.equal(reached, found.fooled)
    assert bool(found.fooled.all())
    size = (found.images - pixels).flatten(1).norm(dim=1)
    torch.testing.assert_close(found.size, size, rtol=1e-5, atol=1e-6)
    if not targeted:
        assert float(found.size[1]) == 0
        assert int(found.steps[1]) == 0


@pytest.mark.slow
@both
def test_the_batch_is_as_if_each_were_alone(attack: Attack) -> None:
    network, pixels = net(), pictures(4, seed=7)
    labels = named(network, pixels)
    together = attack(network, pixels, labels, rounds=3)
    for i in range(len(pixels)):
        own = slice(i, i + 1)
        alone = attack(network, pixels[own], labels[own], rounds=3)
        torch.testing.assert_close(alone.images[0], together.images[i], rtol=0, atol=1e-7)


@pytest.mark.slow
def test_confidence_goes_beyond_the_boundary() -> None:
    network, pixels = net(), pictures(3)
    labels = named(network, pixels)
    found = carlini_wagner(network, pixels, labels, confidence=0.5, steps=80)
    logits = network(found.images).detach()
    own = logits.gather(1, labels[:, None])[:, 0]
    beyond = logits.scatter(1, labels[:, None], -torch.inf).amax(1) - own
    assert float(beyond.min()) >= 0.5
    plain = carlini_wagner(network, pixels, labels, steps=80)
    assert bool((plain.size < found.size).all())


@both
def test_no_pictures(attack: Attack) -> None:
    found = attack(net(), pictures(0), torch.zeros(0, dtype=torch.int64))
    assert found.images.shape == (0, 1, 8, 8)
    assert [len(part) for part in found] == [0, 0, 0, 0]


@both
def test_what_cannot_be_fooled_comes_back_as_it_was(attack: Attack) -> None:
    layer = nn.Linear(64, 3)
    layer.weight.data.mul_(1e-4)
    layer.bias.data.copy_(torch.tensor([5.0, 0.0, 0.0]))
    pixels = pictures(2).float()
    network = nn.Sequential(nn.Flatten(), layer)
    found = attack(network, pixels, torch.zeros(2, dtype=torch.int64), steps=5)
    assert not bool(found.fooled.any())
    assert torch.equal(found.images, pixels)
    assert found.size.tolist() == [0, 0]


class Broken(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        raise OverflowError


@both
@pytest.mark.parametrize("raises", [False, True])
def test_the_network_is_left_as_it_was(attack: Attack, raises: bool) -> None:
    network = nn.Sequential(net(), Broken() if raises else nn.Identity()).train()
    pixels, labels = pictures(2), torch.tensor([0, 1])
    before, state = torch.get_rng_state(), {k: v.clone() for k, v in network.state_dict().items()}
    if raises:
        with pytest.raises(OverflowError):
            attack(network, pixels, labels)
    else:
        with torch.inference_mode():
            attack(network, pixels, labels, steps=3, rounds=2)
    assert all(part.training for part in network.modules())
    assert all(p.grad is None and p.requires_grad for p in network.parameters())
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(state[k], v) for k, v in network.state_dict().items())


@both
@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"rounds": 0}, "1 round"),
        ({"steps": 0}, "1 step"),
        ({"targets": torch.tensor([0, 1, 2])}, "another class than the picture's own"),
        ({"targets": torch.tensor([1, 2, 9])}, "Labels are 0 to 4"),
        ({"targets": torch.tensor([1])}, "one int64 label"),
    ],
)
def test_what_cannot_be_asked(attack: Attack, how: dict[str, object], said: str) -> None:
    with pytest.raises(Mistake, match=said):
        attack(net(), pictures(3), torch.tensor([0, 1, 2]), **how)


@pytest.mark.parametrize("how", [{"lr": 0.0}, {"lr": math.inf}, {"confidence": -1.0}])
def test_settings_of_c_and_w(how: dict[str, float]) -> None:
    with pytest.raises(Mistake, match="lr is above 0"):
        carlini_wagner(net(), pictures(1), torch.tensor([0]), **how)


@both
def test_a_network_without_a_gradient(attack: Attack) -> None:
    class Rounding(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.detach().flatten(1)[:, :3]

    network, pixels = Rounding(), pictures(2)
    with pytest.raises(Failure, match="no gradient"):
        attack(network, pixels, named(network, pixels))
