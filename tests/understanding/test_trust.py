"""Trust: what does not depend on weights is found out, and curves are those written out slowly."""

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr
from torch import Tensor, nn
from torch.nn import functional as F

from hubel.mistakes import Failure, Mistake
from hubel.model import Classifier
from hubel.pixels import PixelSpec
from hubel.understanding import sanity
from hubel.understanding.perturbation import perturbation
from hubel.understanding.saliency import gradient, of_class, to_map
from hubel.understanding.sanity import sanity_check


class Scale(nn.Module):
    """Parameters of its own kind, and no way to reset them."""

    def __init__(self) -> None:
        super().__init__()
        self.factors = nn.Parameter(torch.linspace(0.5, 2, 6)[:, None, None])

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factors


class Net(nn.Module):
    """Defined in another order than it runs; with a head that only training uses."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(6, 4)
        self.auxiliary = nn.Linear(6, 4)
        self.plain_norm = nn.BatchNorm2d(6, affine=False)
        self.norm = nn.BatchNorm2d(6)
        self.scale = Scale()
        self.conv = nn.Conv2d(3, 6, 3, padding=1)
        self.mix = nn.Parameter(torch.randn(6, 6))

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.plain_norm(self.norm(self.scale(self.conv(x)))))
        x = x.mean((2, 3)) @ self.mix
        logits: Tensor = self.fc(x)
        return logits + self.auxiliary(x) if self.training else logits


@pytest.fixture
def net() -> Net:
    torch.manual_seed(0)
    network = Net()
    for norm in (network.norm, network.plain_norm):
        norm.running_mean += torch.rand(6) - 0.5
        norm.running_var += torch.rand(6)
    with torch.no_grad():
        network.norm.weight += torch.rand(6)
    return network.eval()


X = torch.rand(3, 3, 12, 10, generator=torch.Generator().manual_seed(1))
SCORE = of_class([2, 0, 3])
ORDER = ("fc", "", "plain_norm", "norm", "scale", "conv")


def saliency(network: nn.Module, pixels: Tensor) -> Tensor:
    return to_map(gradient(network, pixels, SCORE))


def edges(_network: nn.Module, pixels: Tensor) -> Tensor:
    return (pixels - pixels.roll(1, 2)).sum(1)


def test_an_edge_detector_does_not_pass_and_the_gradient_does(net: Net) -> None:
    model = Classifier(net, classes="abcd", pixels=PixelSpec((12, 10), 3))
    still = sanity_check(model, X, edges)  # the names are its network's
    assert not still.changes
    assert still.layers == ORDER
    assert torch.allclose(still.rank, torch.ones(6, 3))
    assert torch.allclose(still.similarity, torch.ones(6, 3))
    found = sanity_check(net, X, saliency)
    assert found.changes
    assert found.rank.shape == found.similarity.shape == (6, 3)
    assert found.last.shape == (10, 3)
    assert torch.equal(found.last[0], found.rank[-1])
    assert not torch.equal(found.last[0], found.last[1])


def test_layer_after_layer_is_random_and_those_below_are_not(net: Net) -> None:
    seen: list[dict[str, Tensor]] = []

    def explain(network: nn.Module, pixels: Tensor) -> Tensor:
        assert network is not net
        seen.append({k: v.clone() for k, v in network.state_dict().items()})
        return edges(network, pixels)

    sanity_check(net, X, explain, repeats=1)
    own = {name: [k for k in seen[0] if k.rpartition(".")[0] == (name or "")] for name in ORDER}
    assert len(seen) == 1 + len(ORDER)
    for after, state in enumerate(seen):
        for number, name in enumerate(ORDER):
            changed = [k for k in own[name] if not torch.equal(state[k], seen[0][k])]
            # of a batch norm the shift was 0 and the number of batches 0: they stay
            expected = {"norm": 3, "plain_norm": 2}.get(name, len(own[name]))
            assert len(changed) == (expected if number < after else 0), (after, name)
    end = seen[-1]
    assert torch.equal(end["auxiliary.weight"], net.auxiliary.weight)  # the picture meets it never
    assert end["norm.running_mean"].tolist() == end["plain_norm.running_mean"].tolist() == [0] * 6
    assert torch.equal(  # permuted
        end["scale.factors"].sort(0).values, net.scale.factors.sort(0).values
    )
    assert torch.allclose(end["conv.weight"].std(), torch.tensor(1 / math.sqrt(27 * 3)), rtol=0.2)


def test_the_network_and_the_generator_are_untouched(net: Net) -> None:
    net.train()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    random = torch.get_rng_state()
    one = sanity_check(net, X, saliency, seed=3, points=2)
    with torch.inference_mode():
        again = sanity_check(net, X.clone(), saliency, seed=3, points=2)
    with torch.no_grad():
        other = sanity_check(net, X, saliency, seed=4, points=2)
    perturbation(net, X, X.mean(1), steps=2)
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    assert all(m.training for m in net.modules())
    assert all(p.grad is None and p.requires_grad for p in net.parameters())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in net.modules())
    assert one.layers == ("plain_norm", "conv")  # the third and the last of six
    assert torch.equal(one.rank, again.rank)
    assert torch.equal(one.last, again.last)
    assert not torch.equal(one.rank, other.rank)


@given(st.lists(st.integers(0, 5), min_size=12, max_size=12), st.integers(0, 1000))
@example([3] * 12, 0)
def test_ranks_are_scipys(values: list[int], seed: int) -> None:
    a, b = np.array(values, float), np.random.default_rng(seed).permutation(np.arange(12.0) // 2)
    expected = spearmanr(a, b).statistic if len(set(values)) > 1 else 0
    assert sanity._rank_correlation(a, b) == pytest.approx(expected, abs=1e-12)
    assert sanity._rank_correlation(a, a + 1) == pytest.approx(1, abs=1e-12)  # also of flat ones


def test_similarity_is_that_of_wang_written_out() -> None:
    a, b = (np.random.default_rng(k).random((8, 9)) for k in (0, 1))
    x, y = ((m - m.min()) / (m.max() - m.min()) for m in (a, b))
    values = []
    for i in range(2):  # every place of the 7×7 window
        for j in range(3):
            u, v = x[i : i + 7, j : j + 7].ravel(), y[i : i + 7, j : j + 7].ravel()
            cross = ((u - u.mean()) * (v - v.mean())).sum() / 48
            top = (2 * u.mean() * v.mean() + 1e-4) * (2 * cross + 9e-4)
            bottom = (u.mean() ** 2 + v.mean() ** 2 + 1e-4) * (u.var(ddof=1) + v.var(ddof=1) + 9e-4)
            values.append(top / bottom)
    assert sanity._similarity(a, b) == pytest.approx(np.mean(values), abs=1e-12)
    assert sanity._similarity(5 * a, a) == pytest.approx(1, abs=1e-12)
    assert sanity._similarity(a[:4, :4], np.zeros((4, 4))) < 0.1


def test_sizes_are_compared_and_not_signs(net: Net) -> None:
    assert np.array_equal(sanity._maps(lambda _, p: -p[:, 0], net, X), X[:, 0].double().numpy())


def slow_blur(picture: Tensor) -> Tensor:
    """Every pixel the weighted mean of all within four deviations; the border goes on outside."""
    deviation = 0.05 * min(picture.shape[1:])
    reach = int(4 * deviation + 0.5)
    blurred, total = torch.zeros_like(picture), 0.0
    rows, columns = (torch.arange(side) for side in picture.shape[1:])
    for down in range(-reach, reach + 1):
        for across in range(-reach, reach + 1):
            weight = math.exp(-(down**2 + across**2) / 2 / deviation**2)
            moved = picture[:, (rows + down).clamp(0, len(rows) - 1)]
            blurred += weight * moved[:, :, (columns + across).clamp(0, len(columns) - 1)]
            total += weight
    return blurred / total


FILLS: dict[str, Callable[[Tensor], Tensor]] = {
    "grey": lambda x: torch.full_like(x, 0.5),
    "mean": lambda x: torch.stack([torch.full_like(c, float(c.mean())) for c in x]),
    "blur": slow_blur,
}


@pytest.mark.parametrize("kind", ["deletion", "insertion"])
@pytest.mark.parametrize("fill", FILLS)
def test_curves_are_those_written_out(net: Net, kind: str, fill: str) -> None:
    pixels, network = X.double(), net.double()
    maps = torch.randn(3, 12, 10, generator=torch.Generator().manual_seed(2))
    found = perturbation(
        network, pixels, maps, kind=kind, fill=fill, score=SCORE, steps=7, chunk=5, places=1
    )
    for n in range(3):
        other = FILLS[fill](pixels[n])
        picture, new = (pixels[n], other) if kind == "deletion" else (other, pixels[n])
        picture, done, values = picture.clone(), 0, []
        order = sorted(range(120), key=lambda p: -float(maps[n].flatten()[p]))
        for step in range(8):
            for p in order[done : round(120 * step / 7)]:
                picture[:, p // 10, p % 10] = new[:, p // 10, p % 10]
            done = round(120 * step / 7)
            with torch.no_grad():
                values.append(float(network(picture[None])[0, [2, 0, 3][n]]))
        assert found.by_map.scores[n].tolist() == pytest.approx(values, abs=1e-12)
        area = sum((a + b) / 14 for a, b in itertools.pairwise(values))
        assert float(found.by_map.area[n]) == pytest.approx(area, abs=1e-12)
    for chance in (found.random, found.moved):  # both ways begin and end alike
        assert torch.allclose(chance.scores[:, [0, -1]], found.by_map.scores[:, [0, -1]])
        assert not torch.allclose(chance.scores, found.by_map.scores)


def test_the_right_map_beats_chance_and_the_wrong_one_does_not() -> None:
    """The score sees the 4×4 pixels in the middle and nothing else: whether they are white."""

    def middle(output: Tensor) -> Tensor:
        return output.view(-1, 16, 16)[:, 6:10, 6:10].mean((1, 2))

    pixels = torch.rand(2, 1, 16, 16, generator=torch.Generator().manual_seed(3)) * 0.2 + 0.8
    right = 0.01 * torch.rand(16, 16, generator=torch.Generator().manual_seed(4))
    right[6:10, 6:10] += 1
    for kind in ("deletion", "insertion"):
        for maps, beats in ((right, True), (-right, False)):
            found = perturbation(
                nn.Flatten(), pixels, maps, kind=kind, fill="grey", score=middle, steps=16
            )
            assert found.beats(found.random).tolist() == [beats] * 2
            assert found.beats(found.moved).tolist() == [beats] * 2


def test_the_score_is_the_probability_of_the_class_found_in_the_whole(net: Net) -> None:
    whole = net(X).softmax(1).amax(1)
    for kind, end in (("deletion", 0), ("insertion", -1)):
        scores = perturbation(net, X, X.sum(1), kind=kind, steps=2).by_map.scores
        assert torch.allclose(scores[:, end], whole, rtol=0, atol=1e-6)


@settings(max_examples=15)
@given(st.integers(0, 2**40), st.integers(1, 6))
def test_one_picture_is_one_of_many(seed: int, chunk: int) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(18, 3)).double()
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.rand(2, 1, 5, 5, generator=generator, dtype=torch.float64)
    maps = torch.randint(0, 3, (2, 5, 5), generator=generator).double()  # many are equal
    many = perturbation(network, pixels, maps, steps=3, seed=seed, chunk=chunk, places=2)
    one = perturbation(network, pixels[1:], maps[1], steps=3, seed=seed, places=2)
    for name in ("by_map", "random", "moved"):
        for ours, theirs in zip(getattr(many, name), getattr(one, name), strict=True):
            assert torch.allclose(ours[1:], theirs, rtol=0, atol=1e-14)


def test_moved_maps_are_moved_by_a_quarter_at_least() -> None:
    """Of a map with one high pixel, the first step shows where it went."""
    pixels = torch.arange(256.0).view(1, 1, 16, 16) / 256
    point = torch.zeros(16, 16)
    point[3, 5] = 1
    options = {"kind": "insertion", "fill": "grey", "steps": 256, "places": 1}
    for seed in range(20):
        found = perturbation(
            nn.Flatten(), pixels - 1, point, score=lambda y: y.sum(1), seed=seed, **options
        )
        start, after = found.moved.scores[0, :2].tolist()
        down, across = divmod(round((after - start + 1.5) * 256), 16)
        assert 4 <= (down - 3) % 16 <= 12
        assert 4 <= (across - 5) % 16 <= 12


def test_no_pictures(net: Net) -> None:
    found = perturbation(net, X[:0], torch.zeros(0, 12, 10), steps=4)
    assert found.by_map.scores.shape == found.moved.scores.shape == (0, 5)
    assert found.shares.tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert found.beats(found.random).shape == (0,)
    with pytest.raises(Mistake, match="no picture"):
        sanity_check(net, X[:0], edges)


def test_bad_input(net: Net) -> None:
    maps = torch.zeros(3, 12, 10)
    for wrong in (maps[:2], maps[..., :9], maps[0, 0]):
        with pytest.raises(Mistake, match=r"\(3, 12, 10\) or \(12, 10\), not"):
            perturbation(net, X, wrong)
    with pytest.raises(Mistake, match="map is not finite"):
        perturbation(net, X, maps / 0)
    with pytest.raises(Mistake, match="Did you mean 'deletion'"):
        perturbation(net, X, maps, kind="deletoin")
    with pytest.raises(Mistake, match="no fill 'gray'"):
        perturbation(net, X, maps, fill="gray")
    for options in ({"steps": 0}, {"places": 0}, {"chunk": 0}):
        with pytest.raises(Mistake, match="1 or more"):
            perturbation(net, X, maps, **options)
    with pytest.raises(Mistake, match="one number a picture"):
        perturbation(net, X, maps, score=lambda logits: logits.sum())
    with pytest.raises(Mistake, match="no class 4"):
        perturbation(net, X, maps, score=of_class(4))
    with pytest.raises(Failure, match="score of picture 1 is not finite on the way of insertion"):
        perturbation(
            net, X, maps, kind="insertion", score=lambda y: y[:, 0] / torch.tensor([1, 0, 1])
        )
    for options in ({"points": 0}, {"repeats": 0}):
        with pytest.raises(Mistake, match="1 or more"):
            sanity_check(net, X, edges, **options)
    for explain in (lambda n, p: p, lambda n, p: p[:1, 0], lambda n, p: p[:, 0, :2]):
        with pytest.raises(Mistake, match=r"a map a picture, \(N, H, W\), 3×3 or more, not"):
            sanity_check(net, X, explain)
    with pytest.raises(Failure, match="not finite"):
        sanity_check(net, X, lambda n, p: p[:, 0] / 0)
    with pytest.raises(Mistake, match="no parameters"):
        sanity_check(nn.ReLU(), X, edges)
    net.cached = net.conv.weight * 2  # part of a graph: torch refuses to copy it
    with pytest.raises(Failure, match="cannot be copied"):
        sanity_check(net, X, edges)
