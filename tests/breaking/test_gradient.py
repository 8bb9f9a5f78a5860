"""FGSM and PGD: against a loop that takes one picture at a time, and by their contracts."""

import math
from collections.abc import Callable

import foolbox
import pytest
import torch
from torch import Tensor, nn

from hubel import draws
from hubel.breaking.gradient import LOSSES, attacked, fgsm, fooled, pgd
from hubel.breaking.norms import L2, LINF, NORMS, Norm
from hubel.mistakes import Failure, Mistake
from hubel.model import Classifier
from hubel.pixels import PixelSpec

EPSILON = {"linf": 0.06, "l2": 0.5}


@pytest.fixture
def network() -> Classifier:
    with torch.random.fork_rng([]):
        torch.manual_seed(3)
        inner = nn.Sequential(
            nn.Conv2d(2, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2),
            nn.Dropout(0.5), nn.Flatten(), nn.Linear(6 * 16, 4),
        )  # fmt: skip
    spec = PixelSpec((8, 8), channels=3, mean=(0.5,) * 3, std=(0.25,) * 3)
    made = Classifier(inner, classes=("a", "b", "c", "d"), pixels=spec)
    made.mean, made.std = made.mean[:2], made.std[:2]
    return made.double().train()  # the caller's mode is not what an attack looks through


@pytest.fixture
def pictures(network: Classifier) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    x = torch.rand(12, 2, 8, 8, generator=generator, dtype=torch.float64)
    network.eval()
    with torch.no_grad():
        labels = network(x).argmax(1)
    network.train()
    return x, labels


def slow(
    network: nn.Module, picture: Tensor, label: int, *, epsilon: float, norm: str, step: float,
    steps: int, targeted: bool, start: Tensor | None, drop: bool,
) -> Tensor:  # fmt: skip
    """One picture, straight from Madry et al.'s formula, with autograd on the loss itself."""
    network.eval()
    x = picture if start is None else (picture + start).clamp(0, 1)
    sign = -1 if targeted else 1
    for _ in range(steps):
        leaf = x.clone().requires_grad_()
        logits = network(leaf[None])
        if drop and (int(logits.argmax()) == label) == targeted:
            return x
        loss = nn.functional.cross_entropy(logits, torch.tensor([label]))
        (slope,) = torch.autograd.grad(loss, leaf)
        if norm == "linf":
            x = x + sign * step * slope.sign()
            edge = torch.full_like(picture, epsilon)
            d = torch.minimum(torch.maximum(x - picture, -edge), edge)
        else:
            x = x + sign * step * slope / slope.norm()
            d = x - picture
            if float(d.norm()) > epsilon:
                d = d * epsilon / d.norm()
        x = (picture + d).clamp(0, 1)
    return x


@pytest.mark.parametrize("drop", [False, True])
@pytest.mark.parametrize("targeted", [False, True])
@pytest.mark.parametrize("seed", [None, 7])
@pytest.mark.parametrize("norm", NORMS.values(), ids=NORMS)
def test_pgd_is_the_formula_picture_by_picture(
    network: Classifier, pictures: tuple[Tensor, Tensor], norm: Norm, seed: int | None,
    targeted: bool, drop: bool,
) -> None:  # fmt: skip
    x, labels = pictures
    labels = (labels + 1) % 4 if targeted else labels
    epsilon = EPSILON[norm.name]
    found = pgd(
        network, x, labels, epsilon=epsilon, norm=norm, steps=7, step=epsilon / 4,
        targeted=targeted, drop=drop, seed=seed,
    )  # fmt: skip
    for i in range(len(x)):
        start = None
        if seed is not None:
            generator = torch.Generator().manual_seed(draws.integer(seed, "attack", 0, i))
            start = epsilon * norm.start(x[i], generator)
        alone = slow(
            network, x[i], int(labels[i]), epsilon=epsilon, norm=norm.name, step=epsilon / 4,
            steps=7, targeted=targeted, start=start, drop=drop,
        )  # fmt: skip
        torch.testing.assert_close(found[i], alone, rtol=0, atol=1e-12)


@pytest.mark.parametrize("norm", NORMS.values(), ids=NORMS)
def test_inside_ball_and_bounds_and_of_the_same_type(
    network: Classifier, pictures: tuple[Tensor, Tensor], norm: Norm
) -> None:
    x, labels = pictures[0].float(), pictures[1]
    network.float()
    epsilon = EPSILON[norm.name]
    found = pgd(network, x, labels, epsilon=epsilon, norm=norm, steps=5, seed=0, restarts=3)
    assert found.dtype == x.dtype
    assert found.shape == x.shape
    assert float(found.min()) >= 0
    assert float(found.max()) <= 1
    assert float(norm.size(found - x).max()) <= epsilon + 1e-6
    assert bool((norm.size(found - x) > 0).all())


def test_one_step_of_epsilon_is_fgsm(network: Classifier, pictures: tuple[Tensor, Tensor]) -> None:
    x, labels = pictures
    leaf = x.clone().requires_grad_()
    loss = nn.functional.cross_entropy(network.eval()(leaf), labels)
    (slope,) = torch.autograd.grad(loss, leaf)
    found = fgsm(network, x, labels, epsilon=0.1)
    torch.testing.assert_close(found, (x + 0.1 * slope.sign()).clamp(0, 1), rtol=0, atol=1e-15)


@pytest.mark.parametrize("norm", NORMS.values(), ids=NORMS)
def test_foolbox_goes_the_same_way(
    network: Classifier, pictures: tuple[Tensor, Tensor], norm: Norm
) -> None:
    x, labels = pictures[0].float(), pictures[1]
    network.float().eval()
    model = foolbox.PyTorchModel(network, bounds=(0, 1), device="cpu")
    kind = {"linf": foolbox.attacks.LinfPGD, "l2": foolbox.attacks.L2PGD}[norm.name]
    attack = kind(rel_stepsize=0.25, steps=6, random_start=False)
    epsilon = EPSILON[norm.name]
    theirs, _, _ = attack(model, x, labels, epsilons=epsilon)
    ours = pgd(network, x, labels, epsilon=epsilon, norm=norm, steps=6, step=epsilon / 4)
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)


def test_a_picture_fares_the_same_in_any_company(
    network: Classifier, pictures: tuple[Tensor, Tensor]
) -> None:
    x, labels = pictures
    how = {"epsilon": 0.05, "steps": 4, "seed": 5, "restarts": 2, "drop": True}
    whole = pgd(network, x, labels, **how)  # type: ignore[arg-type]
    some = [3, 8, 11]
    parts = pgd(network, x[some], labels[some], indices=some, **how)  # type: ignore[arg-type]
    torch.testing.assert_close(parts, whole[some], rtol=0, atol=1e-12)
    by_fives = torch.cat(list(attacked(network, x, labels, batch=5, **how)))
    torch.testing.assert_close(by_fives, whole, rtol=0, atol=1e-12)


def test_dropping_fools_the_same_pictures_and_more_starts_fool_no_fewer(
    network: Classifier, pictures: tuple[Tensor, Tensor]
) -> None:
    x, labels = pictures

    def fools(**how: object) -> Tensor:
        made = pgd(network, x, labels, epsilon=0.03, steps=8, **how)  # type: ignore[arg-type]
        network.eval()
        with torch.no_grad():
            return fooled(network(made), labels)

    full, dropped = fools(), fools(drop=True)
    assert bool((dropped | ~full).all())  # what ends fooled was fooled on the way
    one, three = fools(seed=0), fools(seed=0, restarts=3)
    assert bool((three | ~one).all())
    assert 0 < int(full.sum()) < len(x)


def test_targets_are_reached_and_the_margin_goes_on_where_cross_entropy_fades() -> None:
    linear = nn.Sequential(nn.Flatten(), nn.Linear(4, 3, bias=False)).double()
    with torch.no_grad():
        linear[1].weight.copy_(torch.tensor([[4e4, 0, 0, 0], [0, 4e4, 0, 0], [0, 0, 4e4, 0]]))
    x = torch.tensor([[[[0.60, 0.55], [0.50, 0.2]]]], dtype=torch.float64)
    label = torch.tensor([0])
    aimed = pgd(linear, x, torch.tensor([2]), epsilon=0.2, steps=10, targeted=True)
    assert int(linear(aimed).argmax()) == 2
    # softmax is 1 to the last bit here: cross-entropy has no gradient, the margin has
    assert torch.equal(pgd(linear, x, label, epsilon=0.2, steps=5), x)
    by_margin = pgd(linear, x, label, epsilon=0.2, steps=5, loss="margin")
    assert int(linear(by_margin).argmax()) == 1


@pytest.mark.parametrize("loss", LOSSES)
def test_a_pull_is_the_gradient_of_its_loss(loss: str) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(6, 5, generator=generator, dtype=torch.float64, requires_grad=True)
    labels = torch.tensor([0, 1, 2, 3, 4, 0])
    if loss == "cross-entropy":
        value = nn.functional.cross_entropy(logits, labels, reduction="sum")
    else:
        own = logits.gather(1, labels[:, None])[:, 0]
        value = (logits.scatter(1, labels[:, None], -math.inf).amax(1) - own).sum()
    (slope,) = torch.autograd.grad(value, logits)
    torch.testing.assert_close(LOSSES[loss](logits.detach(), labels), slope, rtol=0, atol=1e-15)


@pytest.mark.parametrize("around", [torch.no_grad, torch.inference_mode, torch.enable_grad])
def test_everything_is_left_as_found(
    network: Classifier, pictures: tuple[Tensor, Tensor], around: Callable[[], object]
) -> None:
    x, labels = pictures
    before = {name: value.clone() for name, value in network.state_dict().items()}
    network.network[1].eval()  # one part in a mode of its own
    modes = [part.training for part in network.modules()]
    random = torch.get_rng_state()
    with around():  # type: ignore[attr-defined]
        found = pgd(network, x, labels, epsilon=0.05, steps=3, seed=1, restarts=2)
    assert not found.requires_grad
    assert [part.training for part in network.modules()] == modes
    assert all(p.grad is None and p.requires_grad for p in network.parameters())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random)
    assert not x.requires_grad
    wrong = labels.clone()
    wrong[0] = 9
    with pytest.raises(Mistake, match="Labels are 0 to 3; found 9"):
        pgd(network, x, wrong, epsilon=0.05)
    assert [part.training for part in network.modules()] == modes


def test_no_pictures_and_one_picture_and_two_classes() -> None:
    two = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    none = torch.empty(0, 1, 2, 2)
    assert pgd(two, none, torch.empty(0, dtype=torch.long), epsilon=0.1).shape == none.shape
    one = pgd(two, torch.full((1, 1, 2, 2), 0.5), torch.tensor([1]), epsilon=0.1)
    assert one.shape == (1, 1, 2, 2)


X, Y = torch.full((2, 1, 2, 2), 0.5), torch.tensor([0, 1])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"epsilon": 0.0}, "ε is above 0 and at most 1"),
        ({"epsilon": -0.1}, "ε is above 0"),
        ({"epsilon": math.nan}, "ε is above 0"),
        ({"epsilon": 8.0}, "8/255"),
        ({"epsilon": 300.0}, "ε is above 0 and at most 1"),
        ({"epsilon": 2.5, "norm": L2}, "ε is above 0 and at most 2"),
        ({"steps": 0}, "1 step"),
        ({"step": 0.0}, "size of a step"),
        ({"restarts": 2}, "give a seed"),
        ({"loss": "marginn"}, "Did you mean 'margin'"),
        ({"pixels": X * 255}, "Pixels are from 0 to 1; found 127.5"),
        ({"pixels": X - 1}, "Pixels are from 0 to 1"),
        ({"pixels": X.byte()}, "Pictures are float"),
        ({"pixels": X[0]}, "Pictures are float"),
        ({"labels": Y[:1]}, "one int64 label for each"),
        ({"labels": Y.float()}, "one int64 label for each"),
        ({"labels": Y - 1}, "found -1"),
        ({"labels": Y + 1}, "Labels are 0 to 1; found 2"),
    ],
)
def test_what_cannot_be_asked_is_a_mistake(given: dict[str, object], said: str) -> None:
    two = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    asked: dict[str, object] = {"pixels": X, "labels": Y, "epsilon": 0.1, "norm": LINF} | given
    pixels, labels = asked.pop("pixels"), asked.pop("labels")
    with pytest.raises(Mistake, match=said):
        pgd(two, pixels, labels, **asked)  # type: ignore[arg-type]


def test_a_network_without_a_gradient_or_with_infinite_logits_is_a_failure() -> None:
    class Rounds(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return (x.flatten(1).detach() * 255).round()[:, :2]

    class Detaches(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.last = nn.Linear(4, 2)

        def forward(self, x: Tensor) -> Tensor:
            logits: Tensor = self.last(x.detach().flatten(1))
            return logits

    class Burst(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.flatten(1)[:, :2] / 0

    for blind in (Rounds(), Detaches()):
        with pytest.raises(Failure, match="hands no gradient back"):
            pgd(blind, X, Y, epsilon=0.1)
    with pytest.raises(Failure, match="not finite"):
        pgd(Burst(), X, Y, epsilon=0.1)
