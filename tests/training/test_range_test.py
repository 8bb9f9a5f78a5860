"""The range test: rates, smoothing and proposal by slow second ones; the model left as found."""

import math
from collections.abc import Iterator

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from hubel.data.batches import Batches
from hubel.mistakes import Mistake
from hubel.training import optimisers
from hubel.training.losses import cross_entropy
from hubel.training.optimisers import KINDS, Optimiser
from hubel.training.range_test import DIVERGED, RangeTest, proposal, range_test, smoothed


def network(seed: int = 0) -> nn.Sequential:
    """A little of all that a test could leave changed: kernels, batch norm, dropout, a head."""
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.2), nn.Flatten(),
            nn.Linear(4 * 36, 3),
        )  # fmt: skip


def batches(n: int = 480, batch_size: int = 16) -> Batches:
    """Three classes that differ in brightness; one picture in seven has a label at random."""
    generator = torch.Generator().manual_seed(1)
    labels = torch.arange(n) % 3
    noise = torch.randint(0, 60, (n, 1, 8, 8), generator=generator)
    said = torch.where(torch.arange(n) % 7 == 0, torch.randint(0, 3, (n,), generator=generator),
                       labels)  # fmt: skip
    return Batches((noise + 70 * labels[:, None, None, None]).byte(), said,
                   batch_size=batch_size, seed=0)  # fmt: skip


def grown(model: nn.Module, kind: str = "sgd", **settings: object) -> RangeTest:
    def optimiser(lr: float) -> Optimiser:
        return optimisers.build(model.named_parameters(), kind=kind, lr=lr, momentum=0.5)

    options = {"loss": cross_entropy, "optimiser": optimiser, "steps": 60, **settings}
    return range_test(model, batches(), **options)  # type: ignore[arg-type]


def slow_rule(rates: list[float], losses: list[float]) -> float | None:
    first, lowest = losses[0], min(losses)
    if lowest == first:
        return None
    for rate, loss in zip(rates, losses, strict=True):
        if loss <= first - 0.95 * (first - lowest):
            return float(f"{rate:.1e}")
    raise AssertionError


@given(st.lists(st.floats(0.01, 10), min_size=1, max_size=30), st.integers(0, 6))
def test_smoothing_and_proposal_by_slow_ones(losses: list[float], width: int) -> None:
    n = len(losses)
    expected = []
    for i in range(n):
        window = [losses[i]]
        for k in range(1, width + 1):
            if i - k < 0 or i + k >= n:
                break
            window += [losses[i - k], losses[i + k]]
        expected.append(sum(window) / len(window))
    assert smoothed(losses, width) == pytest.approx(expected, rel=1e-12)
    rates = [10.0 ** (i / 7 - 4) for i in range(n)]
    assert proposal(rates, losses) == slow_rule(rates, losses)


@pytest.mark.parametrize("kind", KINDS)
def test_each_optimiser_gets_a_rate_with_which_it_learns(kind: str) -> None:
    found = grown(network(), kind, low=1e-5, high=10)
    n = len(found.rates)
    assert n == len(found.losses) == len(found.smoothed)
    expected = [1e-5 * 1e6 ** (i / 59) for i in range(n)]
    assert found.rates == pytest.approx(expected, rel=1e-9)
    assert found.proposed == proposal(list(found.rates), list(found.smoothed))
    assert found.proposed is not None
    assert found.diverged == (n < 60)
    # the proposed rate, taken for three epochs, makes the loss lower than it was
    model = network()
    optimiser = optimisers.build(model.named_parameters(), kind=kind, lr=found.proposed,
                                 momentum=0.5)  # fmt: skip
    losses = []
    for epoch in range(3):
        for pixels, labels in batches().epoch(epoch):
            loss = cross_entropy(model(pixels), labels)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            losses.append(float(loss.detach()))
    assert sum(losses[-30:]) < 0.8 * sum(losses[:30])


def test_the_steps_are_those_of_a_plain_loop() -> None:
    model = network().eval()  # no dropout: what `fit` does is what these lines do
    twin = network().eval()

    def quiet(_model: nn.Module, _epoch: int) -> None:
        pass

    found = grown(model, low=1e-3, high=1.0, steps=12, mode=quiet)
    torch_sgd = torch.optim.SGD(twin.parameters(), lr=1e-3, momentum=0.5)
    own: list[float] = []
    data = batches()
    order = list(data.epoch(0))[:12]
    for i, (pixels, labels) in enumerate(order):
        torch_sgd.param_groups[0]["lr"] = 1e-3 * 1000 ** (i / 11)
        loss = cross_entropy(twin(pixels), labels)
        torch_sgd.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch_sgd.step()
        own.append(float(loss.detach()))
    assert found.losses == pytest.approx(own[: len(found.losses)], rel=1e-5)
    assert len(found.losses) == 12


def state(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def check_as_found(model: nn.Module, before: dict[str, Tensor], gradient: Tensor) -> None:
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    parts = dict(model.named_modules())
    assert [part.training for part in parts.values()] == [True, True, False, *[True] * 4]
    parameters = list(model.parameters())
    assert [p.requires_grad for p in parameters] == [False, *[True] * 5]
    assert parameters[1].grad is gradient
    assert all(p.grad is None for i, p in enumerate(parameters) if i != 1)


@pytest.mark.parametrize("ending", ["steps", "diverged", "exception"])
def test_the_model_is_left_as_it_was_found(ending: str) -> None:
    model = network()
    list(model.modules())[2].eval()
    parameters = list(model.parameters())
    parameters[0].requires_grad_(False)
    parameters[1].grad = gradient = torch.ones_like(parameters[1])
    before, drawn = state(model), torch.get_rng_state()
    moved: list[bool] = []

    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        moved.append(not torch.equal(model.state_dict()["5.weight"], before["5.weight"]))
        if ending == "exception" and len(moved) == 20:
            raise RuntimeError("the disk is gone")
        return cross_entropy(logits, labels)

    def freezing(found: nn.Module, _epoch: int) -> None:
        found.train()
        next(found.parameters()).requires_grad_(True)

    settings = {"loss": loss, "mode": freezing, "low": 1e-4}
    if ending == "exception":
        with pytest.raises(RuntimeError, match="disk"):
            grown(model, high=1.0, **settings)
    else:
        found = grown(model, high=1e9 if ending == "diverged" else 0.1, **settings)
        assert found.diverged == (ending == "diverged")
    assert moved[-1]  # the positive control: it did train
    check_as_found(model, before, gradient)
    assert torch.equal(torch.get_rng_state(), drawn)


def test_the_same_seed_does_the_same_again() -> None:
    model = network()
    first = grown(model, seed=3)
    torch.rand(7)  # the global generator has no say
    assert grown(model, seed=3) == first
    assert grown(model, seed=4).losses != first.losses  # other dropout


def test_it_stops_where_the_loss_diverges() -> None:
    found = grown(network(), low=1e-3, high=1e6)
    assert found.diverged
    assert len(found.rates) < 60
    assert all(map(math.isfinite, found.losses))
    assert max(found.losses[:-8]) < 2 * DIVERGED * found.losses[0]


def test_no_rate_is_proposed_where_none_helps() -> None:
    climbing = iter(range(1, 1000))

    def loss(logits: Tensor, _labels: Tensor) -> Tensor:
        return logits.sum() * 0 + 1 + 0.01 * next(climbing)

    assert grown(network(), loss=loss).proposed is None


class Short:
    """One batch an epoch, the same again and again."""

    def __len__(self) -> int:
        return 1

    def epoch(self, epoch: int, *, start: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        yield next(iter(batches(batch_size=480).epoch(0)))


def test_epochs_shorter_than_the_test_follow_each_other_and_progress_is_told() -> None:
    model, told = network(), []
    found = range_test(
        model, Short(), loss=cross_entropy, low=1e-4, high=0.1, steps=15,
        optimiser=lambda lr: optimisers.build(model.named_parameters(), kind="sgd", lr=lr),
        progress=lambda done, total: told.append((done, total)),
    )  # fmt: skip
    assert len(found.rates) == 15
    assert told == [(i, 15) for i in range(1, 16)]


def test_what_is_no_range() -> None:
    with pytest.raises(Mistake, match=r"from 1 to 0\.1"):
        grown(network(), low=1, high=0.1)
    with pytest.raises(Mistake, match=r"from 0\.0 to"):
        grown(network(), low=0.0)
    with pytest.raises(Mistake, match="inf"):
        grown(network(), high=math.inf)
    with pytest.raises(Mistake, match="not 3"):
        grown(network(), steps=3)
