"""What is counted: by attack and ε, against a count picture by picture; files; checks; transfer."""

import itertools

import pytest
import torch
from torch import Tensor, nn

from hubel.breaking.attacks import ATTACKS, SEARCHES, Budget
from hubel.breaking.checks import checks
from hubel.breaking.gradient import pgd
from hubel.breaking.norms import L2, LINF
from hubel.breaking.robustness import lasting, robustness, taken
from hubel.breaking.transferred import transferred
from hubel.mistakes import Mistake


@pytest.fixture(scope="module")
def network() -> nn.Module:
    """Smooth, so that PGD finds what there is."""
    with torch.random.fork_rng([]):
        torch.manual_seed(5)
        made = nn.Sequential(nn.Flatten(), nn.Linear(36, 24), nn.Softplus(), nn.Linear(24, 3))
        for part in made.parameters():
            part.data *= 3
        with torch.no_grad():  # every class is named
            made[3].bias -= made(torch.rand(200, 1, 6, 6)).mean(0)
    return made.double()


@pytest.fixture(scope="module")
def right(network: nn.Module) -> tuple[Tensor, Tensor]:
    """Pictures at levels of 8 bits, with what the network takes them for."""
    generator = torch.Generator().manual_seed(2)
    pixels = torch.randint(0, 256, (30, 1, 6, 6), generator=generator).double() / 255
    with torch.no_grad():
        return pixels, network(pixels).argmax(1)


@pytest.mark.slow
@pytest.mark.parametrize("name", ATTACKS)
def test_every_attack_is_counted_within_every_epsilon(
    network: nn.Module, right: tuple[Tensor, Tensor], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hubel.breaking.attacks.QUERIES", 150)
    pixels, labels = right
    attack = ATTACKS[name]
    epsilons = [0.02, 0.06, 0.3] if attack.norm is LINF else [0.1, 0.3, 1.5]
    found = list(
        robustness(network, pixels, labels, attack, epsilons[::-1], budget=Budget(10), batch=16)
    )
    assert [each.epsilon for each in found] == epsilons
    for each in found:
        assert float(attack.norm.size(each.images - pixels).max()) <= each.epsilon + 1e-5
        assert float(attack.norm.size(each.lasts - pixels).max()) <= each.epsilon * (1 + 1e-4)
        for i in range(len(pixels)):
            with torch.no_grad():
                fools = [
                    int(network(x[i : i + 1]).argmax()) != int(labels[i])
                    for x in (each.images, (each.images * 255).round() / 255, each.lasts)
                ]
            assert fools[0] == bool(each.fooled[i])
            assert (fools[0] and fools[1]) == bool(each.reloaded[i])
            assert (fools[0] and fools[2]) == bool(each.lasting[i])
        torch.testing.assert_close(each.lasts * 255, (each.lasts * 255).round(), atol=1e-3, rtol=0)
    if attack.nested:
        for near, far in itertools.pairwise(found):
            assert bool((far.fooled | ~near.fooled).all())
    assert int(found[-1].fooled.sum()) > int(found[0].fooled.sum())


@pytest.mark.slow
def test_attacks_of_one_kind_agree(network: nn.Module, right: tuple[Tensor, Tensor]) -> None:
    pixels, labels = right
    counts = {
        name: [
            int(each.fooled.sum())
            for each in robustness(network, pixels, labels, attack, [0.2, 0.5], budget=Budget(20))
        ]
        for name, attack in ATTACKS.items()
        if attack.norm is L2 and name not in SEARCHES.values()
    }
    # the network is nearly linear: what is nearest and what steps find are nearly the same; L-BFGS
    # goes for one wrong class, where the others may find another
    for name, found in counts.items():
        assert found == pytest.approx(counts["cw"], abs=4 if name == "lbfgs" else 2), (name, counts)


def test_targets(network: nn.Module, right: tuple[Tensor, Tensor]) -> None:
    pixels, labels = right
    aim = torch.full_like(labels, 2)
    others = labels != 2
    (found,) = robustness(
        network, pixels[others], aim[others], ATTACKS["pgd"], [0.4], budget=Budget(targeted=True)
    )
    with torch.no_grad():
        assert torch.equal(network(found.images).argmax(1) == 2, found.fooled)
    assert bool(found.fooled.all())


def test_a_change_outlives_its_file_where_there_is_room(
    network: nn.Module, right: tuple[Tensor, Tensor]
) -> None:
    pixels, labels = right
    barely = pgd(network, pixels, labels, epsilon=0.3, steps=200, step=0.002, drop=True)
    fools = taken(network, barely, labels)
    plain = taken(network, (barely * 255).round() / 255, labels)
    kept = lasting(network, barely, pixels, labels, fools, epsilon=0.3, norm=LINF)
    assert bool(fools.all())
    assert int(plain.sum()) < int(taken(network, kept, labels).sum()) == len(pixels)
    assert float(LINF.size(kept - pixels).max()) <= 0.3 + 1e-6


def test_a_stop_ends_it(network: nn.Module, right: tuple[Tensor, Tensor]) -> None:
    pixels, labels = right
    asked = []

    def on_batch() -> bool:
        asked.append(1)
        return len(asked) == 5

    found = list(
        robustness(network, pixels, labels, ATTACKS["fgsm"], [0.01, 0.02], batch=8,
                   on_batch=on_batch)
    )  # fmt: skip
    assert [each.epsilon for each in found] == [0.01]
    assert len(asked) == 5
    # what is whole by then is kept
    found = list(
        robustness(network, pixels, labels, ATTACKS["fgsm"], [0.01, 0.02], on_batch=lambda: True)
    )
    assert [each.epsilon for each in found] == [0.01]
    found = list(
        robustness(network, pixels, labels, ATTACKS["deepfool"], [0.1, 0.2], on_batch=lambda: True)
    )
    assert [each.epsilon for each in found] == [0.1, 0.2]


def test_no_picture_and_a_wrong_epsilon(network: nn.Module, right: tuple[Tensor, Tensor]) -> None:
    pixels, labels = right
    (none,) = robustness(network, pixels[:0], labels[:0], ATTACKS["pgd"], [0.1])
    assert none.images.shape == (0, 1, 6, 6)
    with pytest.raises(Mistake, match="8/255"):
        list(robustness(network, pixels, labels, ATTACKS["pgd"], [8.0]))


class Saturated(nn.Module):
    """A network whose softmax is 0 and 1 to the last bit: cross-entropy has no gradient."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.network(x)
        return 1e4 * logits


class Coarse(nn.Module):
    """A network that sees five levels, and hands back a gradient that says nothing of them."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.network((x.detach() * 4).round() / 4)
        return logits + 1e-7 * x.flatten(1)[:, :3]


def test_checks_pass_on_a_sound_network_and_find_masked_gradients(
    network: nn.Module, right: tuple[Tensor, Tensor]
) -> None:
    sound = list(checks(network, *right, name="pgd", epsilon=0.05, steps=20))
    assert len(sound) == 4
    assert all(each.passed for each in sound), sound
    flat = next(checks(Saturated(network), *right, name="pgd", epsilon=0.05, steps=20))
    assert flat.name == "every picture has a gradient"
    assert not flat.passed
    pixels = right[0]
    coarse = Coarse(network)
    with torch.no_grad():
        labels = coarse(pixels).argmax(1)
    found = list(checks(coarse, pixels, labels, name="pgd", epsilon=0.15, steps=20))
    assert not {each.name: each.passed for each in found}[
        "a search without gradients finds no more"
    ]


@pytest.mark.parametrize(
    ("name", "epsilon"),
    [("fgsm", 0.05), ("pgd-l2", 0.3), ("apgd", 0.05), ("search", 0.06), ("ddn", 0.3)],
)
def test_checks_are_of_the_attack_and_in_its_norm(
    network: nn.Module, right: tuple[Tensor, Tensor], name: str, epsilon: float
) -> None:
    pixels, labels = right
    budget = Budget(10)
    (made,) = robustness(network, pixels, labels, ATTACKS[name], [epsilon], budget=budget)
    found = list(
        checks(network, pixels, labels, ~made.fooled, name=name, epsilon=epsilon, steps=10)
    )
    failed = {each.name for each in found if not each.passed}
    assert failed >= {"a stronger attack finds no more"} if name == "fgsm" else not failed, found
    own = len(pixels) - int(made.fooled.sum())
    larger = next(each for each in found if each.name == "a larger ε always wins")
    # what is within 2ε is counted in the attack's norm: no larger ball, in which all would fall
    (twice,) = robustness(network, pixels, labels, ATTACKS[name], [2 * epsilon], budget=budget)
    assert larger.found.startswith(
        f"{own} resist within ε, {len(pixels) - int(twice.fooled.sum())} within 2ε"
    )


def test_transfer_is_the_share_that_fools_the_other(
    network: nn.Module, right: tuple[Tensor, Tensor]
) -> None:
    pixels, labels = right
    with torch.random.fork_rng([]):
        torch.manual_seed(9)
        other = nn.Sequential(nn.Flatten(), nn.Linear(36, 3)).double()
        with torch.no_grad():  # knows the first as a teacher, a little noisily
            for _ in range(300):
                with torch.enable_grad():
                    loss = nn.functional.cross_entropy(other(pixels), labels)
                    slopes = torch.autograd.grad(loss, list(other.parameters()))
                for part, slope in zip(other.parameters(), slopes, strict=True):
                    part -= slope
    with torch.no_grad():
        both = other(pixels).argmax(1) == labels
    assert int(both.sum()) > 10
    # the second network numbers its classes the other way round
    turned = nn.Sequential(other, Turned())
    found = transferred(
        [network, turned], [pixels[both]] * 2, [labels[both], 2 - labels[both]], epsilon=0.1,
        steps=10,
    )  # fmt: skip
    made = pgd(network, pixels[both], labels[both], epsilon=0.1, steps=10)
    with torch.no_grad():
        share = (other(made).argmax(1) != labels[both]).float().mean()
    assert float(found[0, 1]) == pytest.approx(float(share), abs=1e-6)
    assert float(found[0, 0]) >= float(found[0, 1])
    half = transferred(
        [network, turned], [pixels[both]] * 2, [labels[both], 2 - labels[both]], epsilon=0.1,
        steps=10, on_attack=lambda _: True,
    )  # fmt: skip
    assert bool(half[1].isnan().all())
    torch.testing.assert_close(half[0], found[0])


class Turned(nn.Module):
    def forward(self, logits: Tensor) -> Tensor:
        return logits.flip(1)
