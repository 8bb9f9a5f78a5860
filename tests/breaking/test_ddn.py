"""DDN: against the algorithm for one picture, a linear boundary, foolbox, the contract."""

import copy
import math

import foolbox
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hubel.breaking.carlini_wagner import carlini_wagner
from hubel.breaking.ddn import ddn
from hubel.breaking.minimal import deepfool
from hubel.breaking.szegedy import box_lbfgs
from hubel.mistakes import Failure, Mistake


@pytest.fixture(scope="module")
def network() -> nn.Module:
    """Smooth, so that no rounding decides, and far from flat."""
    with torch.random.fork_rng([]):
        torch.manual_seed(2)
        made = nn.Sequential(
            nn.Conv2d(1, 6, 3, stride=2), nn.Softplus(), nn.Flatten(), nn.Linear(54, 5)
        ).double()
    for part in made.parameters():
        part.data *= 4
    with torch.no_grad():  # every class is named
        made[3].bias -= made(pictures(200, seed=9)).mean(0)
    return made.train()


def pictures(n: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(n, 1, 8, 8, generator=generator, dtype=torch.float64)


def named(network: nn.Module, x: Tensor) -> Tensor:
    with torch.no_grad():
        found: Tensor = network(x).argmax(1)
    return found


def algorithm_1(
    network: nn.Module, picture: Tensor, label: int, target: int | None, steps: int
) -> tuple[float, Tensor]:
    """For one picture, with our departures: the smallest change that fools, and the picture."""

    def gap() -> tuple[float, float]:
        leaf = picture.clone().requires_grad_()
        z = network(leaf[None])[0]
        others = torch.cat((z[:label], z[label + 1 :]))
        ahead = z[label] - (others.max() if target is None else z[target])
        (slope,) = torch.autograd.grad(ahead, leaf)
        return float(ahead.detach()), float(slope.norm())

    away, steep = gap()
    epsilon, x, best = away / steep, picture, (math.inf, picture)
    for k in range(steps + 1):
        leaf = x.clone().requires_grad_()
        z = network(leaf[None])[0]
        goal = label if target is None else target
        loss = F.cross_entropy(z[None], torch.tensor([goal]))
        if 2 * k >= steps:
            loss = torch.cat((z[:goal], z[goal + 1 :])).max() - z[goal]
        loss = loss if target is None else -loss
        (slope,) = torch.autograd.grad(loss, leaf)
        fools = (int(z.argmax()) == goal) != (target is None)
        if fools and float((x - picture).norm()) < best[0]:
            best = (float((x - picture).norm()), x)
        size = 0.01 + 0.99 * (1 + math.cos(math.pi * k / steps)) / 2
        change = x - picture + size * epsilon * slope / slope.norm()
        epsilon *= 1 - 0.05 * size if fools else 1 + 0.05 * size
        x = (picture + epsilon * change / change.norm()).clamp(0, 1)
    return best


@pytest.mark.parametrize("targeted", [False, True])
def test_it_is_algorithm_1_picture_by_picture(network: nn.Module, targeted: bool) -> None:
    x = pictures(6)
    labels = named(network, x)
    targets = (labels + 2) % 5 if targeted else None
    found = ddn(network, x, labels, targets=targets, steps=40)
    for i in range(len(x)):
        target = None if targets is None else int(targets[i])
        size, image = algorithm_1(network, x[i], int(labels[i]), target, 40)
        assert bool(found.fooled[i])
        assert float(found.size[i]) == pytest.approx(size, rel=1e-6)
        torch.testing.assert_close(found.images[i], image, rtol=0, atol=1e-6)
    assert found.steps.tolist() == [40] * len(x)


def test_a_linear_boundary_is_met_at_its_nearest_point() -> None:
    generator = torch.Generator().manual_seed(5)
    layer = nn.Linear(64, 2).double()
    layer.weight.data = torch.randn(2, 64, generator=generator, dtype=torch.float64)
    x = 0.5 + 0.05 * (pictures(9) - 0.5)
    network = nn.Sequential(nn.Flatten(), layer)
    labels = named(network, x)
    found = ddn(network, x, labels)
    with torch.no_grad():
        gap = network(x).diff(dim=1).abs()[:, 0] / layer.weight.diff(dim=0).norm()
    assert bool((found.size >= gap * (1 - 1e-9)).all())
    torch.testing.assert_close(found.size, gap, rtol=0.01, atol=0)


def test_no_farther_than_foolboxs(network: nn.Module) -> None:
    x = pictures(8).float()
    float32 = copy.deepcopy(network).float().eval()
    labels = named(float32, x)
    found = ddn(float32, x, labels)
    assert bool(found.fooled.all())
    model = foolbox.PyTorchModel(float32, bounds=(0, 1), device="cpu")
    _, theirs, fooled = foolbox.attacks.DDNAttack(steps=200)(model, x, labels, epsilons=None)
    assert bool(fooled.all())
    mean = float(found.size.mean())
    assert mean <= 1.01 * float((theirs - x).flatten(1).norm(dim=1).mean())


@pytest.mark.slow
def test_nearer_than_the_others(network: nn.Module) -> None:
    x = pictures(16).float()
    float32 = copy.deepcopy(network).float().eval()
    labels = named(float32, x)
    mean = float(ddn(float32, x, labels).size.mean())
    for size in (
        box_lbfgs(float32, x, labels).size, carlini_wagner(float32, x, labels).size,
        deepfool(float32, x, labels=labels).size,
    ):  # fmt: skip
        assert mean <= 1.02 * float(size.mean())


def test_what_comes_back(network: nn.Module) -> None:
    x = pictures(6).round()
    labels = named(network, x)
    labels[1] = (labels[1] + 1) % 5  # is wrong as it is
    found = ddn(network, x, labels, steps=30)
    assert float(found.images.min()) >= 0
    assert float(found.images.max()) <= 1
    assert torch.equal(named(network, found.images) != labels, found.fooled)
    assert float(found.size[1]) == 0
    assert int(found.steps[1]) == 0
    assert network.training
    assert all(part.grad is None for part in network.parameters())
    alone = ddn(network, x[:1], labels[:1], steps=30)
    torch.testing.assert_close(alone.images[0], found.images[0], rtol=0, atol=1e-6)
    empty = ddn(network, x[:0], labels[:0])
    assert [len(part) for part in empty] == [0, 0, 0, 0]


def test_what_cannot_be_asked_and_what_cannot_be_fooled() -> None:
    flat = nn.Sequential(nn.Flatten(), nn.Linear(64, 3).double())
    flat[1].weight.data.zero_()
    flat[1].bias.data = torch.tensor([1.0, 0.0, 0.0]).double()
    x, labels = pictures(2), torch.tensor([0, 0])
    found = ddn(flat, x, labels, steps=5)
    assert not bool(found.fooled.any())
    assert torch.equal(found.images, x)
    assert found.size.tolist() == [0, 0]
    for how in ({"steps": 0}, {"gamma": 0.0}, {"gamma": 1.0}):
        with pytest.raises(Mistake, match="DDN takes 1 step"):
            ddn(flat, x, labels, **how)  # type: ignore[arg-type]

    class Rounding(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.detach().flatten(1)[:, :3]

    with pytest.raises(Failure, match="no gradient"):
        ddn(Rounding(), x, named(Rounding(), x))
