"""The lab of layers 1 to 5, on figures that are known: stimuli, tunings, nine alike, a probe."""

import math
from itertools import combinations

import numpy as np
import pytest
import torch
from torch import nn

from hubel.data import sources
from hubel.labs import examined as whose
from hubel.labs.answering import answering, answers_to
from hubel.labs.examined import SMALL, examined
from hubel.labs.feature_hierarchy import feature_hierarchy
from hubel.labs.lab import Setting
from hubel.labs.nine import SHARED, chosen
from hubel.labs.stimuli import PAIRS, PERIODS, shuffled, stimuli
from hubel.labs.tuning import alike, better, kept, more_alike, named, selectivity, tuned
from hubel.mistakes import Failure
from hubel.networks import weights

RANDOM = np.random.default_rng(0)


@pytest.mark.slow
def test_the_lab_measures_five_layers() -> None:
    shown = feature_hierarchy(Setting("quick"))
    (finding,) = shown.findings
    assert finding.id == "L45"
    assert "nan" not in finding.measured
    layers = shown.numbers["layers"]
    assert tuple(layer["name"] for layer in layers) == SMALL
    assert [layer["sees"] for layer in layers] == [3, 8, 12, 22, 30]
    shares = ("straight", "corners", "selectivity", "alike", "named")
    assert all(0 <= layer[name] <= 1 for layer in layers for name in shares)
    assert [each.name for each in shown.drawings] == [
        *(f"layer-{n}" for n in range(1, 6)), "by-layer",
    ]  # fmt: skip
    assert all(drawing.png.startswith(b"\x89PNG") for drawing in shown.drawings)


@pytest.mark.parametrize("missing", ["weights", "stamps"])
def test_without_the_weights_or_the_photographs_a_small_network_learns(
    missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def to_learn_from(*_: object, **__: object) -> None:
        raise NotImplementedError("learn")

    def not_installed(_name: str) -> bool:
        if missing == "weights":
            raise Failure("The weights are not installed.")
        return True

    is_here = sources.is_here
    monkeypatch.setattr(whose, "colour_pictures", to_learn_from)
    monkeypatch.setattr(weights, "is_here", not_installed)
    monkeypatch.setattr(sources, "is_here", lambda name: name != missing and is_here(name))
    with pytest.raises(NotImplementedError, match="learn"):
        examined(Setting("usual"))


def test_stimuli_are_what_they_are_called() -> None:
    side, orientations = 32, 4
    found = list(stimuli(side, orientations))
    kinds = [each.kind for each in found]
    assert kinds.count("grating") == len(PAIRS) * orientations * len(PERIODS)
    assert kinds.count("edge") == len(PAIRS) * 2 * orientations
    assert kinds.count("corner") == 2 * kinds.count("edge")
    assert all(each.pixels.min() >= 0 and each.pixels.max() <= 1 for each in found)
    for each in found:
        light = each.pixels[0] if each.pair < 2 else each.pixels[2]  # the pair's first colour
        if each.kind == "edge":  # half of the picture
            assert float(light.mean()) == pytest.approx(0.5, abs=0.01)
            rows, columns = np.indices((side, side)) - (side - 1) / 2
            along = columns * math.cos(each.angle) - rows * math.sin(each.angle)
            assert (light.numpy()[along > 1] == 1).all()
            assert (light.numpy()[along < -1] == 0).all()
        elif each.kind == "corner":  # a quarter, or all but a quarter
            assert abs(float(light.mean()) - 0.5) == pytest.approx(0.25, abs=0.03)
        elif each.angle == 0:  # an upright grating comes back after its period
            assert torch.allclose(light[:, : -each.period], light[:, each.period :], atol=1e-5)
            assert torch.allclose(light, light[:1].expand(side, side))


def test_shuffling_moves_whole_tiles() -> None:
    pixels = torch.arange(3 * 8 * 10).reshape(3, 8, 10).float()
    found = shuffled(pixels, 4, torch.Generator().manual_seed(1))

    def tiles(image: torch.Tensor) -> list[list[float]]:
        return [
            image[:, row : row + 4, column : column + 4].flatten().tolist()
            for row in (0, 4)
            for column in (0, 4)
        ]

    assert tiles(found) != tiles(pixels)
    assert sorted(tiles(found)) == sorted(tiles(pixels))
    assert torch.equal(found[:, :, 8:], pixels[:, :, 8:])  # which is no whole tile


def test_selectivity_of_known_tunings() -> None:
    one = np.zeros(12)
    one[5] = 3
    two = np.where(np.arange(12) % 6 == 0, 1.0, 0.0)  # an orientation and the one across it
    angles = np.pi * np.arange(12) / 12
    wave = 1 + 0.5 * np.cos(2 * (angles - 0.7))  # its selectivity is half of its modulation
    found = selectivity(np.stack((one, two, np.ones(12), wave, np.zeros(12)), 1))
    assert found == pytest.approx([1, 0, 0, 0.25, 0], abs=1e-12)


def test_units_that_are_edges_corners_or_neither() -> None:
    shown = list(stimuli(16, 4))
    rise = np.zeros((len(shown), 3))
    for i, each in enumerate(shown):
        rise[i] = (
            each.kind == "grating" and each.period == 8 and each.angle == 0,
            each.kind == "corner",
            0.5,
        )
    found = tuned(shown, rise, np.array([1.0, 1.0, 0.6]))
    assert found.straight.tolist() == [True, False, False]
    assert found.corners.tolist() == [False, True, False]
    assert found.selectivity == pytest.approx([1, 0, 0])


def test_what_is_kept() -> None:
    before = RANDOM.normal(size=(50, 4))
    after = before.copy()
    after[:, 1] = np.median(before[:, 1])
    top = np.argsort(-before[:, 2])[:9]
    after[top, 2] = np.median(before[:, 2]) + (before[top, 2] - np.median(before[:, 2])) / 2
    before[:, 3] = after[:, 3] = 1
    assert kept(before, after) == pytest.approx([1, 0, 0.5, math.nan], nan_ok=True)


def test_pairs_alike_are_counted() -> None:
    labels = RANDOM.integers(0, 3, (5, 9))
    slow = [np.mean([row[i] == row[j] for i, j in combinations(range(9), 2)]) for row in labels]
    assert alike(labels) == pytest.approx(slow)


def test_layers_that_gather_classes_are_told_from_those_that_do_not() -> None:
    labels = np.repeat(np.arange(4), 10)
    sorted_by_class = np.stack(
        [RANDOM.choice(np.flatnonzero(labels == n % 4), 9) for n in range(20)]
    )
    mixed = np.stack([RANDOM.permutation(40)[:9] for _ in range(20)])
    other = np.stack([RANDOM.permutation(40)[:9] for _ in range(20)])
    (_, chance), p = more_alike((mixed, sorted_by_class), labels, draws=200, seed=0)
    assert p == pytest.approx(1 / 201)
    assert len(chance) == 200
    assert more_alike((sorted_by_class, mixed), labels, draws=200, seed=0)[1] == 1
    assert more_alike((mixed, other), labels, draws=200, seed=0)[1] > 0.01
    (first, _), _ = more_alike((mixed, other), labels, draws=400, seed=0)
    assert first.mean() == pytest.approx(9 / 39, abs=0.01)  # pairs of different pictures


def test_a_probe_names_what_can_be_named_and_nothing_else() -> None:
    labels = np.arange(60) % 3
    telling = np.eye(3)[labels] + 0.1 * RANDOM.normal(size=(60, 3))
    assert named(telling, labels, seed=0).all()
    assert named(RANDOM.normal(size=(60, 3)), labels, seed=0).mean() < 0.6
    # not one that it has learned by heart: more numbers than pictures
    assert named(RANDOM.normal(size=(60, 200)), labels, seed=0).mean() < 0.6


def test_mcnemar_by_hand() -> None:
    first = np.array([True] * 5 + [False] * 8)
    second = np.array([True] * 4 + [False] + [True] * 7 + [False])
    # one alone by the first, seven alone by the second: P(7 or 8 of 8 coins)
    assert better(first, second) == pytest.approx(9 / 256)
    assert better(second, first) == pytest.approx(255 / 256)
    assert better(first, first) == 1


def test_answers_are_the_maps_maxima_and_means_and_nothing_stays_behind() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 5, 3)).train()
    pictures = torch.rand(20, 3, 12, 12)
    heard: list[int] = []
    found = answers_to(network, ["0", "2"], pictures, progress=heard.append)
    assert heard == [16, 20]
    assert network.training
    assert not network[0]._forward_hooks
    with torch.no_grad():
        maps = network[0](pictures)
        last = network(pictures)
    assert torch.from_numpy(found["0"].strongest).float().equal(maps.amax((2, 3)))
    assert np.allclose(found["0"].mean, maps.relu().mean((2, 3)), atol=1e-6)
    assert torch.allclose(torch.from_numpy(found["2"].strongest).float(), last.amax((2, 3)))
    with torch.no_grad(), answering(network, ["0"], middle=True) as answers:
        network(pictures)
    assert torch.equal(
        torch.from_numpy(answers()["0"].strongest).float(), maps[:, :, 2:8, 2:8].amax((2, 3))
    )


def test_units_are_drawn_that_stand_out_and_do_not_repeat_each_other() -> None:
    answers = RANDOM.normal(size=(200, 30))
    answers[:9, 3] = 30
    answers[:9, 4] = np.linspace(20, 30, 9)  # the same nine pictures
    answers[50:59, 20] = 20
    found = chosen(answers)
    assert found[:2] == [3, 20]
    assert 4 not in found
    tops = [set(np.argsort(-answers[:, unit])[:9].tolist()) for unit in found]
    for n, own in enumerate(tops):
        assert len(own & set().union(*tops[:n])) <= SHARED
    within = np.ones(30)
    within[3] = 0.5
    assert chosen(answers, within)[:2] == [20, 4]
    assert len(chosen(answers[:9])) == 6  # all share all: still six are drawn
