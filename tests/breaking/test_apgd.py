"""Auto-PGD: against algorithm 1 for one picture at a time, and where a weaker attack must fail."""

import copy
import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hubel import draws
from hubel.breaking import attacks
from hubel.breaking.apgd import apgd, checkpoints
from hubel.breaking.attacks import ATTACKS, Budget
from hubel.breaking.ddn import ddn
from hubel.breaking.gradient import fooled, pgd
from hubel.breaking.norms import L2, LINF, NORMS, Norm
from hubel.breaking.robustness import taken
from hubel.mistakes import Failure, Mistake

EPSILON = {"linf": 0.05, "l2": 0.6}
norms = pytest.mark.parametrize("norm", NORMS.values(), ids=NORMS)


@pytest.fixture(scope="module")
def network() -> nn.Module:
    """Smooth, so that no rounding decides, of five classes."""
    with torch.random.fork_rng([]):
        torch.manual_seed(4)
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


@pytest.fixture(scope="module")
def right(network: nn.Module) -> tuple[Tensor, Tensor]:
    x = pictures(8)
    with torch.no_grad():
        return x, network(x).argmax(1)


SlowLoss = Callable[[Tensor], Tensor]  # logits (K,) → what is climbed


def dlr(label: int, target: int) -> SlowLoss:
    """The targeted difference of logits ratio (Croce & Hein 2020, equation 7)."""

    def loss(z: Tensor) -> Tensor:
        top = z.sort(descending=True).values
        return -(z[label] - z[target]) / (top[0] - (top[2] + top[3]) / 2)

    return loss


def algorithm_1(
    network: nn.Module, picture: Tensor, start: Tensor, loss: SlowLoss, norm: str, epsilon: float,
    steps: int,
) -> tuple[list[Tensor], list[Tensor]]:  # fmt: skip
    """Auto-PGD as printed, with its two conditions; every place it was at, and the logits there."""

    def project(x: Tensor) -> Tensor:
        d = x - picture
        d = d.clamp(-epsilon, epsilon) if norm == "linf" else d * min(1, epsilon / float(d.norm()))
        return (picture + d).clamp(0, 1)

    def f(x: Tensor) -> tuple[float, Tensor]:
        leaf = x.clone().requires_grad_()
        logits = network(leaf[None])[0]
        value = loss(logits)
        (slope,) = torch.autograd.grad(value, leaf)
        seen.append(x)
        answers.append(logits.detach())
        return float(value.detach()), slope.sign() if norm == "linf" else slope / slope.norm()

    p = [0.0, 0.22]
    while p[-1] < 1:
        p.append(p[-1] + max(p[-1] - p[-2] - 0.03, 0.06))
    w = [math.ceil(round(each * steps, 6)) for each in p]
    seen, answers = list[Tensor](), list[Tensor]()
    x = start
    value, way = f(x)
    eta, best, values, etas, bests = 2 * epsilon, (value, x, way), [value], [], [value]
    before = x
    for k in range(steps):
        if k in w[1:]:
            j = w.index(k)
            since = range(w[j - 1], w[j])
            rising = sum(values[i + 1] > values[i] for i in since)
            same = (j == 1 or etas[-1] == eta) and bests[w[j - 1]] == bests[k]
            etas.append(eta)
            if rising < 0.75 * len(since) or same:
                eta /= 2
                values[k], x, way = best
        alpha = 1.0 if k == 0 else 0.75
        z = project(x + eta * way)
        new = project(x + alpha * (z - x) + (1 - alpha) * (x - before))
        before, x = x, new
        value, way = f(x)
        values.append(value)
        if value > best[0]:
            best = (value, x, way)
        bests.append(best[0])
    return seen, answers


def start_of(
    norm: Norm, x: Tensor, i: int, epsilon: float, seed: int = 3, start: int = 2
) -> Tensor:
    generator = torch.Generator().manual_seed(draws.integer(seed, "attack", start, i))
    return (x[i] + epsilon * norm.start(x[i], generator)).clamp(0, 1)


@norms
@pytest.mark.parametrize("kind", ["cross-entropy", "rival", "target"])
def test_it_is_algorithm_1_picture_by_picture(
    network: nn.Module, right: tuple[Tensor, Tensor], norm: Norm, kind: str
) -> None:
    x, labels = right
    others, epsilon = (labels + 2) % 5, EPSILON[norm.name]
    found = apgd(
        network, x, others if kind == "target" else labels, epsilon=epsilon, norm=norm, steps=30,
        rivals=others if kind == "rival" else None, targeted=kind == "target", seed=3, start=2,
    )  # fmt: skip
    for i in range(len(x)):
        own, other = int(labels[i]), int(others[i])

        def margin(z: Tensor, to: int) -> Tensor:
            return z[to] - torch.cat((z[:to], z[to + 1 :])).max()

        losses: dict[str, SlowLoss] = {
            "cross-entropy": lambda z, own=own: -F.log_softmax(z, 0)[own],
            "rival": lambda z, own=own, other=other: z[other] - z[own],
            "target": lambda z, other=other: margin(z, other),
        }
        seen, answers = algorithm_1(
            network, x[i], start_of(norm, x, i, epsilon), losses[kind], norm.name, epsilon, 30
        )
        # what comes back is the one of the highest margin of all it was at
        goal = [margin(z, other) if kind == "target" else -margin(z, own) for z in answers]
        best = max(range(len(goal)), key=lambda k: float(goal[k]))
        torch.testing.assert_close(found[i], seen[best], rtol=0, atol=1e-8)


def test_checkpoints_are_the_papers() -> None:
    assert sorted(checkpoints(100)) == [0, 22, 41, 57, 70, 80, 87, 93, 99]
    assert sorted(checkpoints(1)) == [0, 1]


@norms
def test_inside_ball_and_box_of_the_same_type_and_as_if_alone(
    network: nn.Module, right: tuple[Tensor, Tensor], norm: Norm
) -> None:
    x, labels = right
    epsilon = EPSILON[norm.name]
    for drop in (False, True):
        found = apgd(network, x, labels, epsilon=epsilon, norm=norm, steps=12, drop=drop)
        assert float(found.min()) >= 0
        assert float(found.max()) <= 1
        assert float(norm.size(found - x).max()) <= epsilon + 1e-9
        for i in (0, 5):
            alone = apgd(
                network, x[i : i + 1], labels[i : i + 1], epsilon=epsilon, norm=norm, steps=12,
                drop=drop, indices=[i],
            )  # fmt: skip
            torch.testing.assert_close(alone[0], found[i], rtol=0, atol=1e-8)
    single = apgd(
        copy.deepcopy(network).float(), x.float(), labels, epsilon=epsilon, norm=norm, steps=3
    )
    assert single.dtype == torch.float32
    assert network.training
    assert all(part.grad is None for part in network.parameters())
    none = apgd(network, x[:0], labels[:0], epsilon=epsilon, norm=norm)
    assert none.shape == (0, 1, 8, 8)


@norms
def test_by_default_no_more_resist_than_auto_pgds_of_the_paper(
    network: nn.Module, right: tuple[Tensor, Tensor], norm: Norm
) -> None:
    """APGD by cross-entropy and by the targeted DLR towards every class, written out."""
    x, labels = right
    epsilon = EPSILON[norm.name] / 2
    resist = 0
    for i in range(len(x)):
        own = int(labels[i])
        losses: list[SlowLoss] = [lambda z, own=own: -F.log_softmax(z, 0)[own]]
        losses += [dlr(own, other) for other in range(5) if other != own]
        start = start_of(norm, x, i, epsilon)
        resist += all(
            int(z.argmax()) == own
            for loss in losses
            for z in algorithm_1(network, x[i], start, loss, norm.name, epsilon, 50)[1]
        )
    name = {"linf": "pgd", "l2": "pgd-l2"}[norm.name]
    made = ATTACKS[name].within(network, x, labels, epsilon, range(len(x)), Budget())  # type: ignore[misc]
    assert 0 < resist < len(x)
    assert len(x) - int(taken(network, made, labels).sum()) <= resist


def hiding(classes_between: int) -> tuple[nn.Module, Tensor, Tensor, float]:
    """A linear network of which one wrong class alone is within reach, and is not the likeliest.

    All scores hang on t, the mean less 1/2, which L∞ ε = 0.1 (or its length in L2) moves by 0.1 at
    most. The label has 0; so many classes have −1 − 9 t and less, at most −0.1; one −5 + 51 t, at
    most 0.1. By cross-entropy, and by the margin of the best, every slope leads away from it.
    """
    rises = [0.0] + [-9.0] * classes_between + [51.0]
    at = [0.0] + [-1 - k / 10 for k in range(classes_between)] + [-5.0]
    layer = nn.Linear(144, len(rises)).double()
    layer.weight.data = torch.tensor(rises).double()[:, None].expand(-1, 144) / 144
    layer.bias.data = torch.tensor(at).double() - torch.tensor(rises).double() / 2
    generator = torch.Generator().manual_seed(0)
    x = 0.5 + 0.2 * (torch.rand(6, 1, 12, 12, generator=generator).double() - 0.5)
    x = x - x.mean((1, 2, 3), keepdim=True) + 0.5
    return nn.Sequential(nn.Flatten(), layer), x, torch.zeros(6, dtype=torch.int64), 0.1


@norms
def test_towards_a_class_that_no_slope_leads_to(norm: Norm) -> None:
    network, x, labels, epsilon = hiding(1)
    epsilon *= 1.0 if norm is LINF else 12.0
    for loss in ("cross-entropy", "margin"):
        for seed in (None, 0):
            weak = pgd(network, x, labels, epsilon=epsilon, norm=norm, loss=loss, seed=seed)
            with torch.no_grad():
                assert not bool(fooled(network(weak), labels).any())
    rivals = torch.full_like(labels, 2)
    found = apgd(network, x, labels, epsilon=epsilon, norm=norm, steps=10, rivals=rivals)
    with torch.no_grad():
        assert network(found).argmax(1).tolist() == rivals.tolist()
    name = "pgd" if norm is LINF else "pgd-l2"
    made = ATTACKS[name].within(network, x, labels, epsilon, range(6), Budget(steps=10))  # type: ignore[misc]
    assert bool(taken(network, made, labels).all())


def test_the_thorough_one_looks_further() -> None:
    network, x, labels, epsilon = hiding(7)
    counts = []
    for name in ("pgd-l2", "apgd-l2"):
        run = ATTACKS[name].within
        assert run is not None
        made = run(network, x, labels, 12 * epsilon, range(6), Budget(steps=10))
        counts.append(int(taken(network, made, labels).sum()))
    assert counts == [0, 6]


def test_the_nearest_pictures_have_the_last_word(
    network: nn.Module, right: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    x, labels = right
    monkeypatch.setattr(attacks, "apgd", lambda _, pixels, *rest, **more: pixels)  # finds nothing
    nearest = ddn(network, x, labels, steps=90)  # as many as PGD gives it
    within = float(nearest.size.sort().values[3:5].mean())  # between two of them
    made = ATTACKS["pgd-l2"].within(network, x, labels, within, range(len(x)), Budget())  # type: ignore[misc]
    fools = taken(network, made, labels)
    assert torch.equal(fools, nearest.size <= within)
    assert torch.equal(made[fools], nearest.images[fools])
    assert torch.equal(made[~fools], x[~fools])
    # what is taken for its target as it is, is left alone
    targets = labels.clone()
    targets[1:] = (labels[1:] + 1) % 5
    aimed = ATTACKS["pgd-l2"].within(  # type: ignore[misc]
        network, x, targets, 3.0, range(len(x)), Budget(targeted=True)
    )
    assert torch.equal(aimed[0], x[0])
    assert bool(taken(network, aimed, targets, targeted=True).any())
    assert float(L2.size(aimed - x).max()) <= 3.0


def test_what_cannot_be_asked(network: nn.Module, right: tuple[Tensor, Tensor]) -> None:
    x, labels = right
    with pytest.raises(Mistake, match="1 step or more"):
        apgd(network, x, labels, epsilon=0.1, steps=0)
    with pytest.raises(Mistake, match="Labels are 0 to 4"):
        apgd(network, x, labels, epsilon=0.1, rivals=labels + 5)
    with pytest.raises(Mistake, match="at most"):
        apgd(network, x, labels, epsilon=9.0, norm=L2)
    with pytest.raises(Failure, match="no gradient"):
        apgd(Rounding(), x, labels, epsilon=0.1)


class Rounding(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.detach().flatten(1)[:, :5]
