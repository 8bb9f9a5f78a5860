"""MAP-Elites: against a loop in plain Python, one image at a time; going on; what is refused."""

import random
from itertools import pairwise

import pytest
import safetensors.torch
import torch
from torch import Tensor

from hubel import draws
from hubel.breaking import direct_encoding, map_elites
from hubel.breaking.cppn_mutation import CPPN
from hubel.breaking.direct_encoding import DIRECT
from hubel.breaking.map_elites import Encoding, Genomes, ended, evolve, genomes, stalled
from hubel.mistakes import Failure, Mistake

SHAPE = (1, 5, 6)
CLASSES = 7
W = torch.randn(CLASSES, 30, generator=torch.Generator().manual_seed(1))


def answer(images: Tensor) -> Tensor:
    return ((images.flatten(1).float() / 255 - 0.5) @ W.T).softmax(1)


def run(encoding: Encoding = DIRECT, **settings: object) -> tuple[dict[str, Tensor], list[Tensor]]:
    state: dict[str, Tensor] = {}
    options = {"shape": SHAPE, "evaluations": 60, "offspring": 12, "seed": 3} | settings
    found = [at.confidences.clone() for at in evolve(encoding, answer, state=state, **options)]
    return state, found


def plainly(encoding: Encoding, generations: int, offspring: int, seed: int) -> list[list[float]]:
    """The same search as the paper tells it: one image after another, lists and loops.

    An image's parent is drawn before any image of its generation is judged.
    """
    elites: list[Genomes] = []
    best = [-1.0] * CLASSES
    told = []
    for number in range(1, generations + 1):
        generator = torch.Generator().manual_seed(draws.integer(seed, "map-elites", number))
        if number == 1:
            young = encoding.start(offspring, SHAPE, generator)
            elites = [{} for _ in range(CLASSES)]
        else:
            parents = torch.randint(CLASSES, (offspring,), generator=generator).tolist()
            young = {
                name: torch.stack([elites[parent][name] for parent in parents])
                for name in elites[0]
            }
            young = encoding.mutate(young, (number - 1) * offspring, generator)
        images = encoding.render(young, SHAPE, torch.device("cpu"))
        shares = answer(images).tolist()
        for i in range(offspring):
            for k in range(CLASSES):
                if shares[i][k] > best[k]:
                    best[k] = shares[i][k]
                    elites[k] = {name: value[i].clone() for name, value in young.items()}
        told.append(list(best))
    return told


@pytest.mark.parametrize("encoding", [DIRECT, CPPN])
def test_it_is_the_plain_loop(encoding: Encoding) -> None:
    _, found = run(encoding)
    expected = plainly(encoding, 5, 12, 3)
    assert [each.tolist() for each in found] == expected


@pytest.mark.parametrize("encoding", [DIRECT, CPPN])
def test_the_elites_are_what_the_confidences_say(encoding: Encoding) -> None:
    state, found = run(encoding)
    images = encoding.render(genomes(state), SHAPE, torch.device("cpu"))
    torch.testing.assert_close(answer(images).diagonal(), found[-1], rtol=1e-6, atol=0)
    assert torch.equal(state["confidences"], found[-1])
    assert all(bool((b >= a).all()) for a, b in pairwise(found))
    assert state["curve"][:, 0].tolist() == [12, 24, 36, 48, 60]
    assert state["curve"][-1, 1] == found[-1].double().sort().values[3]
    assert state["curve"][-1, 2] == float(found[-1].min())


@pytest.mark.parametrize("encoding", [DIRECT, CPPN])
def test_it_goes_on_bit_for_bit(encoding: Encoding) -> None:
    whole, _ = run(encoding, evaluations=96)
    half, _ = run(encoding, evaluations=36)
    half = safetensors.torch.load(safetensors.torch.save(half))
    last = list(evolve(encoding, answer, shape=SHAPE, evaluations=96, offspring=12, seed=3,
                       state=half))[-1]  # fmt: skip
    assert (last.number, last.evaluations) == (8, 96)
    assert whole.keys() == half.keys()
    assert all(torch.equal(whole[name], half[name]) for name in whole)
    other, _ = run(encoding, evaluations=96, seed=4)
    assert not torch.equal(whole["confidences"], other["confidences"])


def test_it_ends_at_the_goal_or_after_the_generation_that_fills_the_number() -> None:
    _, found = run(goal=0.2, evaluations=100_000)
    assert bool((found[-1] >= 0.2).all())
    assert not bool((found[-2] >= 0.2).all())
    assert len(run(evaluations=61)[1]) == 6
    state, _ = run()
    assert list(evolve(DIRECT, answer, shape=SHAPE, evaluations=60, state=state)) == []


def test_an_image_replaces_the_elite_of_every_class_in_which_it_is_better() -> None:
    painted = torch.arange(4, dtype=torch.uint8).view(4, 1, 1, 1)
    table = torch.tensor([[0.5, 0.2, 0.1], [0.6, 0.1, 0.1], [0.6, 0.3, 0.1], [0.1, 0.3, 0.05]])
    encoding = Encoding(
        start=lambda n, shape, generator: {"numbers": painted},
        mutate=lambda young, evaluations, generator: young,
        render=lambda young, shape, device: young["numbers"],
        beside=False,
    )
    state: dict[str, Tensor] = {}
    first = next(
        evolve(encoding, lambda images: table[images.flatten().long()], shape=(1, 1, 1),
               evaluations=4, offspring=4, state=state)
    )  # fmt: skip
    assert first.replaced == 3
    assert state["genome/numbers"].flatten().tolist() == [1, 2, 0]  # the first, where even


def test_the_global_generator_is_left_alone_and_inference_mode_changes_nothing() -> None:
    whole, _ = run()
    before = torch.random.get_rng_state(), random.getstate()
    with torch.inference_mode():
        state, _ = run()
    assert torch.equal(torch.random.get_rng_state(), before[0])
    assert random.getstate() == before[1]
    assert all(torch.equal(whole[name], state[name]) for name in whole)
    assert not any(value.is_inference() for value in state.values())


def test_refused() -> None:
    for settings in ({"evaluations": 0}, {"offspring": 0}):
        with pytest.raises(Mistake, match="1 or more"):
            run(**settings)
    with pytest.raises(Failure, match="not finite"):
        list(evolve(DIRECT, lambda images: answer(images) * torch.nan, shape=SHAPE, evaluations=1))


def test_the_median_of_an_even_number_is_between_the_two() -> None:
    assert map_elites.median(torch.tensor([0.0, 1.0, 0.25, 0.5])) == 0.375


def test_the_direct_encoding_changes_so_many_numbers() -> None:
    old = direct_encoding.start(40, (1, 40, 40), torch.Generator().manual_seed(0))
    for evaluations, rate in ((0, 0.1), (399_999, 0.1), (400_000, 0.05), (1_200_000, 0.0125)):
        new = direct_encoding.mutate(old, evaluations, torch.Generator().manual_seed(1))
        changed = (new["numbers"] != old["numbers"]).double().mean()
        # one in 25 or so is drawn and moves by less than half a level, or is held at the border
        assert 0.8 * rate < float(changed) < rate + 3 * (rate / 64_000) ** 0.5
    same = direct_encoding.start(40, (1, 40, 40), torch.Generator().manual_seed(0))
    assert torch.equal(old["numbers"], same["numbers"])  # the parents are left as they are
    counts = old["numbers"].flatten().bincount(minlength=256)
    assert counts.min() > 150  # 64,000 numbers, 250 of each level on average


def test_it_ends_where_nothing_changes_any_more() -> None:
    curve = torch.tensor([[10, 0.2, 0.1], [20, 0.5, 0.1], [30, 0.505, 0.1], [40, 0.505, 0.105]])
    assert [stalled(curve[:n].double(), 20) for n in (1, 2, 3, 4)] == [False, False, False, True]
    assert not stalled(curve.double(), 40)  # so long it has not gone on
    asked: list[int] = []

    def always(images: Tensor) -> Tensor:
        asked.append(len(images))
        return torch.full((len(images), CLASSES), 1 / CLASSES)

    state: dict[str, Tensor] = {}
    how = {"shape": SHAPE, "evaluations": 10_000, "offspring": 12, "patience": 30, "state": state}
    found = list(evolve(DIRECT, always, **how))
    assert found[-1].evaluations == sum(asked) == 48
    assert ended(state, 10_000, patience=30)
    assert not ended(state, 10_000)
    assert list(evolve(DIRECT, always, **how)) == []


def test_what_ends_a_generation_leaves_the_state_before_it() -> None:
    state, found = run(evaluations=24)

    def stop(_: Tensor) -> Tensor:
        raise InterruptedError

    before = {name: value.clone() for name, value in state.items()}
    with pytest.raises(InterruptedError):
        next(evolve(DIRECT, stop, shape=SHAPE, evaluations=60, offspring=12, seed=3, state=state))
    assert all(torch.equal(state[name], value) for name, value in before.items())
    assert len(found) == 2
