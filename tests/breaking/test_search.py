"""The search without gradients: no rival of PGD where gradients are sound, its judge where not."""

import pytest
import torch
from torch import Tensor, nn

from hubel.breaking.gradient import merits, pgd
from hubel.breaking.norms import L2, LINF, Norm
from hubel.breaking.search import _squares, search
from hubel.mistakes import Failure, Mistake

X = torch.rand(40, 2, 8, 7, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
BALLS = [(LINF, 0.03), (L2, 0.25)]


class Net(nn.Module):
    """Two layers that tell three classes apart; a hard network may stand before and behind."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 8, 3)
        self.drop = nn.Dropout(0.5)
        self.fc = nn.Linear(8 * 30, 3)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.drop(self.conv(x - 0.5).relu().flatten(1)))
        return logits


class Scaled(nn.Module):
    """Logits so large that the softmax is 1 to the last bit."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        return 1e6 * self.network(x)


class Rounded(Scaled):
    """Pixels in 32 levels: the gradient is 0 everywhere."""

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.network((x * 31).round() / 31)
        return logits


@pytest.fixture
def net() -> Net:
    torch.manual_seed(0)
    return Net().double().eval()


def right(network: nn.Module, images: Tensor, labels: Tensor) -> int:
    with torch.no_grad():
        return int((network(images).argmax(1) == labels).sum())


def named(network: nn.Module, images: Tensor = X) -> Tensor:
    with torch.no_grad():
        return network(images).argmax(1)


@pytest.mark.parametrize(("norm", "epsilon"), BALLS)
def test_it_fools_and_stays_in_the_ball(net: Net, norm: Norm, epsilon: float) -> None:
    labels = named(net)
    found = search(net, X, labels, epsilon=epsilon, norm=norm, queries=150)
    assert found.shape == X.shape
    assert found.dtype == X.dtype
    assert 0 <= float(found.min()) <= float(found.max()) <= 1
    sizes = norm.size(found - X)
    assert float(sizes.max()) <= epsilon * (1 + 1e-12)
    if norm is LINF:  # at the border of the ball or of the box, everywhere
        change = (found - X).abs()
        border = (change - epsilon).abs() < 1e-12
        assert bool((border | (found == 0) | (found == 1)).all())
    left = right(net, found, labels)
    assert left < 40
    # it does not beat PGD where the gradient is sound, picture by picture
    by_gradient = pgd(net, X, labels, epsilon=epsilon, norm=norm, steps=40)
    with torch.no_grad():
        resists = net(by_gradient).argmax(1) == labels
    assert 0 < int(resists.sum()) <= left
    assert right(net, found[resists], labels[resists]) == int(resists.sum())


@pytest.mark.parametrize(("norm", "epsilon"), BALLS)
def test_more_queries_find_more(net: Net, norm: Norm, epsilon: float) -> None:
    labels = named(net)
    left = [
        right(net, search(net, X, labels, epsilon=epsilon, norm=norm, queries=n), labels)
        for n in (1, 2, 200)
    ]
    assert left[0] == 40  # one query tells that they are right
    assert left[0] >= left[1] > left[2]


@pytest.mark.parametrize("masked", [Scaled, Rounded])
def test_it_beats_an_attack_whose_gradient_is_masked(net: Net, masked: type[Scaled]) -> None:
    hidden, x = masked(net).float(), X.float()
    with torch.no_grad():
        labels = hidden(x).argmax(1)
    try:
        followed = pgd(hidden, x, labels, epsilon=0.06, loss="cross-entropy")
    except Failure:  # none at all
        followed = x
    with torch.enable_grad():
        leaf = x.clone().requires_grad_()
        loss = nn.functional.cross_entropy(hidden(leaf), labels, reduction="sum")
        (slope,) = torch.autograd.grad(loss, leaf)
    assert float((slope == 0).float().mean()) > 0.9  # masked it is
    searched = search(hidden, x, labels, epsilon=0.06, queries=150)
    assert right(hidden, searched, labels) < right(hidden, followed, labels) - 10


def test_one_alone_is_as_in_a_batch(net: Net) -> None:
    labels = named(net)
    whole = search(net, X, labels, epsilon=0.02, queries=60, seed=5)
    for i in (0, 17, 39):
        alone = search(net, X[i : i + 1], labels[i : i + 1], epsilon=0.02, queries=60, seed=5,
                       indices=[i])  # fmt: skip
        assert torch.equal(alone[0], whole[i])
    assert not torch.equal(whole, search(net, X, labels, epsilon=0.02, queries=60, seed=6))


def test_pictures_named_wrongly_are_left_as_they_are(net: Net) -> None:
    wrong = (named(net) + 1) % 3
    assert torch.equal(search(net, X, wrong, epsilon=0.05, queries=50), X)


def test_the_margin_falls_from_the_stripes_on(net: Net) -> None:
    """What is kept never was worse than what was there."""
    labels = named(net)
    stripes, last = (
        -merits(net(search(net, X, labels, epsilon=0.01, queries=n)), labels).detach()
        for n in (2, 40)
    )
    assert bool((last <= stripes).all())
    assert float((stripes - last).mean()) > 0


@pytest.mark.parametrize(("norm", "epsilon"), [(LINF, 0.2), (L2, 2.5)])
def test_targets_are_what_is_reached(net: Net, norm: Norm, epsilon: float) -> None:
    target = (named(net) + 1) % 3
    found = search(
        net, X, target, epsilon=epsilon, norm=norm, queries=100, targeted=True, seed=1
    )  # fmt: skip
    reached = named(net, found) == target
    assert int(reached.sum()) > 30  # of 40
    assert float(norm.size(found - X).max()) <= epsilon + 1e-9
    assert torch.equal(search(net, X, named(net), epsilon=0.1, targeted=True), X)


def test_squares_are_drawn_over_the_whole_picture_and_shrink() -> None:
    change = torch.zeros(400, 3, 8, 5)
    numbers = torch.arange(400).numpy()
    areas = []
    for share in (0.0, 0.03, 0.3, 1.0):
        inside, signs = _squares(change, share, 0, 7, numbers)
        assert inside.shape == (400, 1, 8, 5)
        assert signs.shape == (400, 3, 1, 1)
        assert set(signs.unique().tolist()) == {-1.0, 1.0}
        assert abs(float(signs.mean())) < 0.1  # 1,200 draws: 3.5 deviations
        assert bool(inside.any(0).all())
        area = inside.flatten(1).sum(1)
        assert int(area.min()) == int(area.max()) == round(int(area[0]) ** 0.5) ** 2
        areas.append(int(area[0]))
    assert areas == sorted(areas, reverse=True)
    assert areas[0] == 25
    assert areas[-1] == 1


def test_nothing_is_left_behind(net: Net) -> None:
    net.train()
    net.conv.eval()
    labels = torch.zeros(4, dtype=torch.int64)
    state = torch.random.get_rng_state()
    before = X.clone()
    search(net, X[:4], labels, epsilon=0.05, queries=5)
    with pytest.raises(Mistake, match="Labels are 0 to 2; found 3"):
        search(net, X[:4], labels + 3, epsilon=0.05, queries=5)
    assert torch.equal(state, torch.random.get_rng_state())
    assert torch.equal(X, before)
    assert (net.training, net.conv.training, net.fc.training) == (True, False, True)
    assert all(p.grad is None and p.requires_grad for p in net.parameters())
    assert search(net, X[:0], labels[:0], epsilon=0.05).shape == (0, 2, 8, 7)


def test_a_network_that_writes_over_its_input_changes_no_picture(net: Net) -> None:
    over = nn.Sequential(nn.ReLU(inplace=True), nn.Hardtanh(0, 0.5, inplace=True), net)
    labels = torch.zeros(3, dtype=torch.int64)
    found = search(over, X[:3], labels, epsilon=0.02, queries=30)
    assert float((found - X[:3]).abs().max()) <= 0.02 + 1e-12


def test_bad_input_is_said(net: Net) -> None:
    labels = named(net)
    with pytest.raises(Mistake, match="once or more, not 0"):
        search(net, X, labels, epsilon=0.1, queries=0)
    with pytest.raises(Mistake, match="of 255 levels"):
        search(net, X, labels, epsilon=8)
    with pytest.raises(Mistake, match="3 numbers for 40 pictures"):
        search(net, X, labels, epsilon=0.1, indices=[1, 2, 3])
    with pytest.raises(Mistake, match="no norm of a search 'l1'"):
        search(net, X, labels, epsilon=0.1, norm=LINF._replace(name="l1"))
