"""CPPNs: all together against one by one and node by node; what mutation keeps and changes."""

import math

import pytest
import torch
from torch import Tensor

from hubel.breaking import cppn, cppn_mutation
from hubel.breaking.cppn import CONNECTIONS, FUNCTIONS, HIDDEN, INPUTS
from hubel.breaking.map_elites import Genomes
from hubel.mistakes import Mistake

CPU = torch.device("cpu")
PLAIN = {
    "sine": math.sin,
    "sigmoid": lambda z: 2 / (1 + math.exp(-z)) - 1,
    "gaussian": lambda z: 2 * math.exp(-z * z) - 1,
    "linear": lambda z: max(-1.0, min(1.0, z)),
}
Edges = list[tuple[int, int, float]]


def grown(n: int, generations: int, channels: int = 3, seed: int = 0) -> Genomes:
    generator = torch.Generator().manual_seed(seed)
    found = cppn_mutation.start(n, (channels, 8, 8), generator)
    for _ in range(generations):
        found = cppn_mutation.mutate(found, 0, generator)
    return found


def edges(genomes: Genomes, i: int) -> Edges:
    """(source, target, weight) of genome i; a source below INPUTS is an input."""
    many = int(genomes["connections"][i])
    columns = (genomes[name][i, :many].tolist() for name in ("sources", "targets", "weights"))
    return list(zip(*columns, strict=True))


def outputs(genomes: Genomes, i: int, inputs: list[float]) -> list[float]:
    """The outputs of one CPPN at one place, node after node, as its text says."""
    names = list(FUNCTIONS)
    values = dict(enumerate(inputs))
    hidden = int(genomes["hidden"][i])
    nodes = [*range(hidden), *range(HIDDEN, genomes["functions"].shape[1])]
    for node in nodes:
        z = sum(w * values[source] for source, target, w in edges(genomes, i) if target == node)
        values[INPUTS + node] = PLAIN[names[int(genomes["functions"][i, node])]](z)
    return [values[INPUTS + node] for node in nodes[hidden:]]


def colour(channels: list[float]) -> list[float]:
    import colorsys

    levels = [(value + 1) / 2 for value in channels]
    return [255 * v for v in (colorsys.hsv_to_rgb(*levels) if len(levels) == 3 else levels)]


@pytest.mark.parametrize(("channels", "size"), [(1, (5, 5)), (3, (4, 7)), (2, (6, 3)), (1, (1, 1))])
def test_rendering_is_node_by_node(channels: int, size: tuple[int, int]) -> None:
    genomes = grown(40, 25, channels)
    assert int(genomes["hidden"].max()) > 6
    images = cppn.render(genomes, (channels, *size), CPU)
    assert images.shape == (40, channels, *size)
    assert images.dtype == torch.uint8
    height, width = size
    half = max(max(size) - 1, 1) / 2
    worst = 0.0
    for i in range(40):
        for top in range(height):
            for left in range(width):
                x, y = (left - (width - 1) / 2) / half, (top - (height - 1) / 2) / half
                expected = colour(outputs(genomes, i, [x, y, math.hypot(x, y), 1.0]))
                found = images[i, :, top, left].tolist()
                for a, b in zip(expected, found, strict=True):
                    worst = max(worst, min(abs(a - b), 255 * (channels == 3) or abs(a - b)))
    # half a level is rounding; a steep function makes more of float32's, a hundredth of a level
    assert worst < 0.55


def test_before_the_outputs_are_levels_they_are_node_by_node() -> None:
    genomes = grown(60, 40, 1)
    places = cppn.coordinates(3, 3)
    plan = cppn.planned(genomes, cppn.depths(genomes), CPU)
    found = cppn.evaluated(plan, places)
    expected = [[outputs(genomes, i, row) for row in places.T.tolist()] for i in range(60)]
    torch.testing.assert_close(
        found, torch.tensor(expected).transpose(1, 2), rtol=0, atol=1e-4
    )  # fmt: skip


def test_depths_are_the_longest_ways_from_the_inputs() -> None:
    genomes = grown(80, 30, 2)
    found = cppn.depths(genomes)
    for i in range(80):
        wires = edges(genomes, i)

        def needed(node: int, wires: Edges = wires) -> bool:
            leads = [target for source, target, _ in wires if source == INPUTS + node]
            return any(target >= HIDDEN or needed(target) for target in leads)

        def depth(node: int, wires: Edges = wires) -> int:
            below = [s - INPUTS for s, target, _ in wires if target == node and s >= INPUTS]
            return 1 + max((depth(each) for each in below if needed(each)), default=0)

        for node in range(HIDDEN):
            there = node < int(genomes["hidden"][i]) and needed(node)
            assert found[i, node] == (depth(node) if there else 0)
    assert (found[:, HIDDEN:] == HIDDEN + 1).all()


def test_an_image_does_not_depend_on_its_company() -> None:
    genomes = grown(30, 30)
    together = cppn.render(genomes, (3, 9, 9), CPU)
    for i in (0, 11, 29):
        alone = cppn.render({n: v[i : i + 1] for n, v in genomes.items()}, (3, 9, 9), CPU)
        assert torch.equal(alone[0], together[i])
    assert cppn.render({n: v[:0] for n, v in genomes.items()}, (3, 9, 9), CPU).shape[0] == 0


def test_large_pictures_in_stretches_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    genomes = grown(20, 20)
    whole = cppn.render(genomes, (3, 12, 10), CPU)
    monkeypatch.setattr(cppn, "STRETCH", 7)
    monkeypatch.setattr(cppn, "IN_CACHE", 50)
    assert torch.equal(cppn.render(genomes, (3, 12, 10), CPU), whole)


def test_functions_stay_within_bounds_and_are_those_of_their_names() -> None:
    z = torch.linspace(-200, 200, 4001)
    for name, function in FUNCTIONS.items():
        found = function(z.clone())
        assert found.abs().max() <= 1
        expected = torch.tensor([PLAIN[name](each) for each in z.clamp(-50, 50).tolist()])
        inside = z.abs() <= 50
        torch.testing.assert_close(found[inside], expected[inside], rtol=0, atol=2e-6)


def sound(genomes: Genomes) -> None:
    """Connections lead forward, none twice, between nodes that are there; weights in bounds."""
    channels = genomes["functions"].shape[1] - HIDDEN
    for i in range(len(genomes["hidden"])):
        hidden = int(genomes["hidden"][i])
        wires = edges(genomes, i)
        assert 0 <= hidden <= HIDDEN
        assert len(wires) <= CONNECTIONS
        assert len({wire[:2] for wire in wires}) == len(wires)
        for source, target, weight in wires:
            assert source < INPUTS + hidden
            assert target < hidden or HIDDEN <= target < HIDDEN + channels
            assert source < INPUTS or source - INPUTS < target
            assert abs(weight) <= cppn_mutation.BOUND
    assert int(genomes["functions"].max()) < len(FUNCTIONS)


def test_mutation_keeps_genomes_sound_also_where_they_are_full() -> None:
    generator = torch.Generator().manual_seed(0)
    genomes = cppn_mutation.start(50, (3, 8, 8), generator)
    most = 0
    for number in range(160):
        before = {name: value.clone() for name, value in genomes.items()}
        young = cppn_mutation.mutate(genomes, 0, generator)
        assert all(torch.equal(before[name], genomes[name]) for name in genomes)
        genomes = young
        most = max(most, int(genomes["hidden"].max()))
        if number % 20 == 19:
            sound(genomes)
    assert most == HIDDEN


def only(monkeypatch: pytest.MonkeyPatch, **rates: float) -> None:
    for name in (
        "WEIGHT", "FUNCTION", "ADD_NODE", "DROP_NODE", "ADD_CONNECTION", "DROP_CONNECTION",
        "MOVE_CONNECTION",
    ):  # fmt: skip
        monkeypatch.setattr(cppn_mutation, name, rates.get(name, 0.0))


def mutated(genomes: Genomes, seed: int = 1) -> Genomes:
    return cppn_mutation.mutate(genomes, 0, torch.Generator().manual_seed(seed))


def named(genomes: Genomes, i: int) -> set[tuple[float, ...]]:
    """Connections by weight alone: they tell which is which, whatever nodes are called."""
    return {(round(wire[2], 5),) for wire in edges(genomes, i)}


def test_a_new_node_splits_a_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    genomes = grown(60, 12)
    only(monkeypatch, ADD_NODE=1.0)
    young = mutated(genomes)
    assert torch.equal(young["hidden"], genomes["hidden"] + 1)
    assert torch.equal(young["connections"], genomes["connections"] + 1)
    for i in range(60):
        # one node receives by one connection of weight 1 alone and sends by one alone: taken out
        # again, the old network is there
        wires, hidden = edges(young, i), int(young["hidden"][i])
        old = set(edges(genomes, i))

        def without(node: int, wires: Edges = wires) -> set[tuple[int, int, float]] | None:
            into = [w for w in wires if w[1] == node]
            out = [w for w in wires if w[0] == INPUTS + node]
            if len(into) != 1 or len(out) != 1 or into[0][2] != 1.0:
                return None
            rest = [w for w in wires if w not in (into[0], out[0])]
            rest.append((into[0][0], out[0][1], out[0][2]))
            return {(s - (s > INPUTS + node), t - (node < t < HIDDEN), w) for s, t, w in rest}

        assert any(without(node) == old for node in range(hidden))


def test_a_node_goes_with_its_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    genomes = grown(60, 14)
    only(monkeypatch, DROP_NODE=1.0)
    young = mutated(genomes)
    had = genomes["hidden"] > 0
    assert torch.equal(young["hidden"], genomes["hidden"] - had.long())
    for i in had.nonzero()[:, 0].tolist():
        old = edges(genomes, i)

        def without(node: int, old: Edges = old) -> Edges:
            return [
                (s - (s > INPUTS + node), t - (node < t < HIDDEN), w)
                for s, t, w in old
                if s != INPUTS + node and t != node
            ]

        gone = [n for n in range(int(genomes["hidden"][i])) if without(n) == edges(young, i)]
        assert gone
        functions = genomes["functions"][i].tolist()
        rest = [functions[:n] + functions[n + 1 : HIDDEN] for n in gone]
        kept = int(young["hidden"][i])
        assert young["functions"][i, :kept].tolist() in [each[:kept] for each in rest]
        assert torch.equal(young["functions"][i, HIDDEN:], genomes["functions"][i, HIDDEN:])


def test_connections_come_go_and_move(monkeypatch: pytest.MonkeyPatch) -> None:
    genomes = grown(200, 12)
    only(monkeypatch, ADD_CONNECTION=1.0)
    young = mutated(genomes)
    added = young["connections"] - genomes["connections"]
    assert set(added.tolist()) <= {0, 1}
    assert added.double().mean() > 0.5  # elsewhere the two were joined already
    assert all(set(edges(genomes, i)) <= set(edges(young, i)) for i in range(200))
    only(monkeypatch, DROP_CONNECTION=1.0)
    young = mutated(genomes)
    assert torch.equal(young["connections"], genomes["connections"] - 1)
    assert all(set(edges(young, i)) < set(edges(genomes, i)) for i in range(200))
    only(monkeypatch, MOVE_CONNECTION=1.0)
    young = mutated(genomes)
    assert torch.equal(young["connections"], genomes["connections"])
    moved = [len(set(edges(young, i)) - set(edges(genomes, i))) for i in range(200)]
    assert set(moved) == {0, 1}
    assert all(named(young, i) == named(genomes, i) for i in range(200))


def test_weights_and_functions_change_at_their_rates(monkeypatch: pytest.MonkeyPatch) -> None:
    genomes = grown(400, 12)
    only(monkeypatch, WEIGHT=0.1)
    young = mutated(genomes)
    there = cppn.there(genomes)
    changed = young["weights"] != genomes["weights"]
    assert not bool((changed & ~there).any())
    assert float(changed[there].double().mean()) == pytest.approx(0.1, abs=0.02)
    only(monkeypatch, FUNCTION=0.4)
    young = mutated(genomes)
    changed = (young["functions"] != genomes["functions"]).double().mean()
    assert float(changed) == pytest.approx(0.3, abs=0.02)  # a quarter draws what was there


def test_they_start_without_hidden_nodes_and_are_drawn_by_the_generator() -> None:
    one, two, other = (grown(5, 0, seed=seed) for seed in (3, 3, 4))
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert not torch.equal(one["weights"], other["weights"])
    assert int(one["hidden"].max()) == 0
    assert (one["connections"] == 12).all()
    sound(one)
    state = torch.random.get_rng_state()
    mutated(one)
    assert torch.equal(torch.random.get_rng_state(), state)
    with pytest.raises(Mistake, match="up to 15 channels, not 16"):
        cppn_mutation.start(1, (16, 2, 2), torch.Generator())


def test_coordinates_are_square() -> None:
    found: Tensor = cppn.coordinates(2, 5).view(INPUTS, 2, 5)
    assert found[0, 0].tolist() == [-1, -0.5, 0, 0.5, 1]
    assert found[1, :, 0].tolist() == [-0.25, 0.25]
    torch.testing.assert_close(found[2], (found[0] ** 2 + found[1] ** 2).sqrt())
    assert (found[3] == 1).all()
