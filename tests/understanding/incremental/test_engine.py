"""Boxes against brute force, on random graphs and on the catalogue's shapes."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from hubel.understanding.incremental import plan, results, winograd
from hubel.understanding.incremental.engine import Incremental
from hubel.understanding.incremental.geometry import positions
from hubel.understanding.incremental.plan import Plan
from hubel.understanding.incremental.results import Results
from hubel.understanding.incremental.runs import Untraceable
from hubel.understanding.incremental.tracing import Traced, traced


def brute(
    network: Callable[[Tensor], Any], x: Tensor, fill: Tensor, square: int, starts: Any
) -> Any:
    """Every occluded picture through the whole network."""
    tops, lefts = starts
    pictures = []
    for top in tops:
        for left in lefts:
            one = x.clone()
            here = (slice(None), slice(top, top + square), slice(left, left + square))
            one[here] = fill[here]
            pictures.append(one)
    return network(torch.stack(pictures))


def by_boxes(
    network: Callable[[Tensor], Any], x: Tensor, fill: Tensor, square: int, starts: Any
) -> tuple[list[Tensor], Traced, float]:
    """The same by the engine; what was traced, and the share of multiply-adds."""
    tops, lefts = starts
    steps = traced(network, x.shape)
    groups, engine = Plan(steps, square, tops, lefts), Incremental(steps, x)
    found = Results(engine, len(tops), len(lefts))
    cost = 0.0
    for group in groups.groups():
        found.add(group, engine.run(group, fill))
        cost += groups.multiply_adds(group)
    full = len(tops) * len(lefts) * sum(step.multiply_adds for step in steps.steps)
    return [whole.flatten(0, 1) for whole in found.all()], steps, cost / max(full, 1)


def agree(network: nn.Module, x: Tensor, square: int, stride: int) -> tuple[Traced, float]:
    network.eval()
    fill = torch.rand(x.shape, generator=torch.Generator().manual_seed(5))
    starts = positions(x.shape[1], square, stride), positions(x.shape[2], square, stride)
    with torch.no_grad():
        expected = brute(network, x, fill, square, starts)
        before = network(x[None])
        [ours], steps, share = by_boxes(network, x, fill, square, starts)
        assert torch.equal(network(x[None]), before)  # nothing of the network's was written to
    assert ours.shape == expected.shape
    # both round: to the size of the outputs, not of their differences
    assert float((ours - expected).abs().max()) <= 2e-5 * float(expected.abs().max() + 1e-3)
    return steps, share


class Random(nn.Module):
    """A graph drawn from a seed: branches, strides, groups, dilations, paddings of all kinds."""

    def __init__(self, seed: int, side: int) -> None:
        super().__init__()
        draw = torch.Generator().manual_seed(seed)
        self.draw = lambda n: int(torch.randint(n, (1,), generator=draw))
        self.parts = nn.ModuleList()
        self.plan: list[tuple[str, int, Any]] = []
        shapes = [(2, side)]
        for _ in range(2 + self.draw(6)):
            at = self.draw(len(shapes))
            self._grow(at, shapes)
        self.width = shapes[-1][0] * shapes[-1][1] ** 2
        head = [nn.Flatten(), nn.Linear(self.width, 3)]
        pooled = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(shapes[-1][0], 3)]
        self.head = nn.Sequential(*(head if self.draw(2) else pooled))

    def _grow(self, at: int, shapes: list[tuple[int, int]]) -> None:
        maps, side = shapes[at]
        kind = ("conv", "pool", "average", "act", "norm", "pad", "add", "cat", "scale")[
            self.draw(9)
        ]
        if kind == "conv":
            k, s, d, p = 1 + self.draw(3), 1 + self.draw(3), 1 + self.draw(2), self.draw(3)
            groups = maps if self.draw(2) else 1
            if side + 2 * p < d * (k - 1) + 1:
                return
            out = maps * (1 + self.draw(2))
            self.parts.append(nn.Conv2d(maps, out, k, s, p, d, groups, bias=bool(self.draw(2))))
            shapes.append((out, (side + 2 * p - d * (k - 1) - 1) // s + 1))
        elif kind in ("pool", "average"):
            k, s = 2 + self.draw(2), 1 + self.draw(3)
            p, ceil = self.draw(2), bool(self.draw(2))
            if side < k:
                return
            make = nn.MaxPool2d if kind == "pool" else nn.AvgPool2d
            part = make(k, s, p, ceil_mode=ceil)
            self.parts.append(part)
            shapes.append((maps, part(torch.zeros(1, 1, side, side)).shape[-1]))
        elif kind == "act":
            acts = (
                nn.ReLU(inplace=True),
                nn.ReLU6(),
                nn.SiLU(),
                nn.Hardswish(),
                nn.PReLU(),
                nn.GELU(),
            )
            self.parts.append(acts[self.draw(len(acts))])
            shapes.append((maps, side))
        elif kind == "norm":
            norm = nn.BatchNorm2d(maps)
            nn.init.uniform_(norm.running_mean), nn.init.uniform_(norm.running_var, 0.5, 2)
            self.parts.append(norm if self.draw(2) else nn.LocalResponseNorm(2 + self.draw(3), 0.5))
            shapes.append((maps, side))
        elif kind == "pad":
            p = tuple(self.draw(3) for _ in range(2))
            self.parts.append(nn.ZeroPad2d((p[0], p[1], p[1], p[0])))
            shapes.append((maps, side + sum(p)))
        elif kind == "scale":
            squeeze = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(maps, maps, 1), nn.Sigmoid())
            self.parts.append(squeeze)
            shapes.append((maps, side))
        else:
            others = [i for i, shape in enumerate(shapes) if shape[1] == side]
            if kind == "add":
                others = [i for i in others if shapes[i][0] == maps]
            other = others[self.draw(len(others))]
            self.parts.append(nn.Identity())
            shapes.append((maps if kind == "add" else maps + shapes[other][0], side))
            self.plan.append((kind, at, other))
            return
        self.plan.append((kind, at, None))

    def forward(self, x: Tensor) -> Tensor:
        values = [x]
        for part, (kind, at, other) in zip(self.parts, self.plan, strict=True):
            y = values[at]
            if kind == "add":
                y = y + values[other]
            elif kind == "cat":
                y = torch.cat((y, values[other]), 1)
            elif kind == "scale":
                y = y * part(y)
            elif kind == "act":
                y = part(y.clone())
            else:
                y = part(y)
            values.append(y)
        logits: Tensor = self.head(values[-1])
        return logits


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.integers(7, 14), st.integers(1, 5), st.integers(1, 4))
def test_random_graphs_equal_brute_force(seed: int, side: int, square: int, stride: int) -> None:
    torch.manual_seed(seed)
    network = Random(seed, side)
    agree(network, torch.rand(2, side, side), square, stride)


class Same(nn.Module):
    """ "Same" padding with a stride, two branches, and a shortcut whose maps must be cut."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, 2)
        self.left = nn.Conv2d(8, 8, 5, padding=2, groups=4)
        self.right = nn.Conv2d(8, 8, (1, 3), padding=(0, 1), dilation=1)
        self.score = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.first(F.pad(x, (0, 1, 0, 1))))
        a, b = torch.split(torch.cat((self.left(x), self.right(x)), 1), 8, dim=1)
        x = F.hardtanh(a + b).mul_(2.0).add(x.clamp(min=0.1))
        return self.score(x.mean((-1, -2)))


def test_same_padding_split_in_place_and_functional() -> None:
    torch.manual_seed(0)
    steps, share = agree(Same(), torch.rand(3, 20, 17), 4, 3)
    assert not steps.whole
    assert share < 0.8


class Shuffle(nn.Module):
    """What no rule knows, between two convolutions; then a transposed one."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(3, 8, 3, padding=1)
        self.b = nn.Conv2d(2, 4, 3, padding=1)
        self.c = nn.ConvTranspose2d(4, 2, 2, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.b(F.pixel_shuffle(self.a(x), 2)).relu()
        return F.adaptive_max_pool2d(self.c(x), 2).flatten(1)


def test_what_no_rule_knows_is_computed_whole_and_told() -> None:
    torch.manual_seed(0)
    steps, _ = agree(Shuffle(), torch.rand(3, 12, 12), 3, 3)
    assert "pixel_shuffle" in steps.whole or "view" in steps.whole
    assert "convolution" in steps.whole


def test_one_large_square_and_the_whole_picture() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(400, 2)
    )
    agree(network, torch.rand(1, 10, 10), 10, 3)
    agree(network, torch.rand(1, 10, 10), 9, 1)


def test_several_results_maps_among_them() -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(1, 3, 3, padding=1)

    def both(x: Tensor) -> tuple[Tensor, Tensor]:
        y = conv(x).relu()
        return y, y.mean((2, 3))

    x, fill = torch.rand(1, 8, 8), torch.zeros(1, 8, 8)
    starts = positions(8, 2, 3), positions(8, 2, 3)
    with torch.no_grad():
        expected = brute(both, x, fill, 2, starts)
        ours, _, _ = by_boxes(both, x, fill, 2, starts)
    for a, b in zip(ours, expected, strict=True):
        assert torch.allclose(a, b, atol=1e-6)


def test_linear_layers_take_many_groups_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(1, 3, 3), nn.Flatten(), nn.Linear(108, 5), nn.ReLU(), nn.Linear(5, 2)
    )
    rows: list[int] = []
    finish = Incremental.finish

    def watched(engine: Incremental, joints: list[Tensor]) -> list[Tensor]:
        rows.append(len(joints[0]))
        return finish(engine, joints)

    monkeypatch.setattr(Incremental, "finish", watched)
    monkeypatch.setattr(plan, "MOST", 4)
    agree(network, torch.rand(1, 8, 8), 2, 1)
    assert rows == [49]
    rows.clear()
    monkeypatch.setattr(results, "MEMORY", 4 * 108 * 10)  # ten positions
    agree(network, torch.rand(1, 8, 8), 2, 1)
    assert sum(rows) == 49
    assert max(rows) <= 10


def test_wide_convolutions_by_tiles_equal_brute_force(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(winograd, "CHANNELS", 8)
    monkeypatch.setattr(winograd, "PLACES", 1)
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3, 2), nn.ReLU(), nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(),
        nn.Conv2d(16, 8, 3, padding=(0, 1)), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
    )  # fmt: skip
    agree(network, torch.rand(3, 25, 25), 4, 3)


def test_what_cannot_be_traced_says_why() -> None:
    def decides(x: Tensor) -> Tensor:
        return x.sum((2, 3)) if x.sum() > 0 else x.mean((2, 3))

    with pytest.raises(Untraceable, match="data-dependent"):
        traced(decides, (1, 4, 4))
    with pytest.raises(Untraceable, match="does not depend on the picture"):
        traced(lambda x: torch.ones(3), (1, 4, 4))
    with pytest.raises(Untraceable, match="pictures are not apart"):
        traced(lambda x: x.mean((0, 2, 3)), (1, 4, 4))
