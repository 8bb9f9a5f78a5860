"""The loop: what it computes, that it can be stopped anywhere, what it leaves as found."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import Tensor, nn

from hubel.mistakes import Failure
from hubel.model import Heads
from hubel.training import checkpoint, losses, optimisers
from hubel.training.loop import Epoch, Step, TrainingState, fit, out_of_patience
from hubel.training.schedule import constant, schedule


class Toy:
    """Four batches of five samples, in an order that depends on the epoch."""

    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(1)
        self.pixels = torch.rand(20, 1, 4, 4, generator=generator)
        self.labels = (self.pixels[:, 0, 0, 0] > 0.5).long()

    def __len__(self) -> int:
        return 4

    def epoch(self, epoch: int, *, start: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        order = torch.randperm(20, generator=torch.Generator().manual_seed(epoch))
        for chosen in order.split(5)[start:]:
            yield self.pixels[chosen], self.labels[chosen]


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Dropout(0.5),
        nn.Linear(16, 2),
    )  # fmt: skip


def make(kind: str = "sgd", lr: float = 0.1) -> tuple[nn.Module, optimisers.Optimiser]:
    model = network()
    return model, optimisers.build(model.named_parameters(), kind=kind, lr=lr)


def accuracy(model: nn.Module, data: Toy) -> dict[str, float]:
    model.eval()
    with torch.no_grad():
        logits = model(data.pixels)
    loss = float(losses.cross_entropy(logits, data.labels))
    return {"accuracy": float((logits.argmax(1) == data.labels).double().mean()), "loss": loss}


def run(
    model: nn.Module, optimiser: optimisers.Optimiser, state: TrainingState, **changes: object
) -> Iterator[Step | Epoch]:
    data = Toy()
    settings: dict[str, object] = {
        "loss": losses.cross_entropy,
        "optimiser": optimiser,
        "schedule": schedule("one-cycle"),
        "epochs": 3,
        "state": state,
        "seed": 5,
        "validate": lambda: accuracy(model, data),
    }
    return fit(model, data, **{**settings, **changes})  # type: ignore[arg-type]


def test_events_come_in_order_and_figures_are_recorded() -> None:
    model, optimiser = make()
    state = TrainingState()
    events = list(run(model, optimiser, state))
    assert [type(e).__name__ for e in events] == (["Step"] * 4 + ["Epoch"]) * 3
    assert [e.number for e in events if isinstance(e, Step)] == list(range(1, 13))
    assert state.epoch == 3
    assert len(state.history) == 3
    assert set(state.history[0]) == {
        *("epoch", "rate", "loss", "accuracy", "validation_accuracy", "validation_loss", "seconds")
    }


def test_plain_gradient_descent_equals_the_obvious_loop() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
    slow = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
    slow.load_state_dict(model.state_dict())
    data = Toy()
    optimiser = optimisers.build(model.named_parameters(), kind="sgd", lr=0.1, momentum=0.0)
    list(run(model, optimiser, TrainingState(), schedule=constant, validate=None))
    for epoch in range(3):
        for pixels, labels in data.epoch(epoch):
            loss = nn.functional.cross_entropy(slow(pixels), labels)
            for p in slow.parameters():
                p.grad = None
            loss.backward()
            with torch.no_grad():
                for p in slow.parameters():
                    p -= 0.1 * p.grad
    for fast, other in zip(model.parameters(), slow.parameters(), strict=True):
        assert torch.allclose(fast, other, rtol=0, atol=1e-7)


def test_the_penalty_is_added_to_the_loss() -> None:
    model, _ = make(lr=1e-9)
    with torch.no_grad():
        expected = float(losses.l2(model.parameters()))
    first, second = (
        next(iter(run(*make(lr=1e-9), TrainingState(), penalty=penalty)))
        for penalty in (None, lambda m: losses.l2(m.parameters()))
    )
    assert isinstance(first, Step)
    assert isinstance(second, Step)
    assert float(second.loss - first.loss) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("kind", ["sgd", "adam", "adamw", "muon"])
@pytest.mark.parametrize("stop", range(1, 15))
def test_stopped_after_any_event_and_resumed_is_bit_equal(kind: str, stop: int) -> None:
    whole, optimiser = make(kind)
    list(run(whole, optimiser, TrainingState()))

    model, optimiser = make(kind)
    state = TrainingState()
    for n, _ in enumerate(run(model, optimiser, state), 1):
        if n == stop:
            files = checkpoint.save(model, optimiser, state)
            break
    fresh, optimiser = make(kind)
    state = checkpoint.restore(files, fresh, optimiser)
    torch.rand(7)  # the global generator is not what decides
    list(run(fresh, optimiser, state))
    for (name, a), (_, b) in zip(
        whole.state_dict().items(), fresh.state_dict().items(), strict=True
    ):
        assert torch.equal(a, b), name


def test_the_global_generator_and_thread_count_are_left_alone() -> None:
    model, optimiser = make()
    torch.manual_seed(3)
    before = torch.get_rng_state()
    list(run(model, optimiser, TrainingState()))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_loss_that_is_not_finite_names_epoch_and_step_and_keeps_the_weights() -> None:
    model, optimiser = make()
    calls = 0

    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        return losses.cross_entropy(logits, labels) * (float("nan") if calls == 7 else 1.0)

    with pytest.raises(FloatingPointError, match=r"nan in epoch 2 at step 3"):
        list(run(model, optimiser, TrainingState(), loss=loss))
    assert all(torch.isfinite(p).all() for p in model.parameters())


def test_weights_that_are_not_finite_are_never_saved() -> None:
    model, optimiser = make()
    checkpoint.save(model, optimiser, TrainingState())  # the positive control
    with torch.no_grad():
        model[0].weight[0, 0, 0, 0] = float("inf")
    with pytest.raises(FloatingPointError, match=r"0\.weight"):
        checkpoint.save(model, optimiser, TrainingState())


def test_best_weights_are_those_of_the_best_epoch_and_early_stopping_stops() -> None:
    model, optimiser = make()
    state = TrainingState()
    accuracies = iter([0.5, 0.8, 0.8, 0.7, 0.9])
    kept = {}
    for event in run(
        model,
        optimiser,
        state,
        epochs=9,
        patience=2,
        validate=lambda: {"accuracy": next(accuracies), "loss": 1.0},
    ):
        if isinstance(event, Epoch):
            kept[event.number] = {k: v.clone() for k, v in model.state_dict().items()}
    assert state.best_epoch == 3  # the later of two equals
    assert state.epoch == 4  # two epochs after accuracy last rose
    assert out_of_patience(state, 2)
    assert all(torch.equal(state.best[k], kept[3][k]) for k in kept[3])


def test_any_callable_is_a_loss() -> None:
    model, optimiser = make()
    event = next(iter(run(model, optimiser, TrainingState(), loss=lambda z, y: z.square().mean())))
    assert isinstance(event, Step)


def test_a_checkpoint_of_another_network_is_refused() -> None:
    model, optimiser = make()
    files = checkpoint.save(model, optimiser, TrainingState())
    other = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
    with pytest.raises(Failure, match="not one of this training"):
        checkpoint.restore(
            files, other, optimisers.build(other.named_parameters(), kind="sgd", lr=0.1)
        )


class Headed(nn.Module):
    """A network with one auxiliary head."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.main, self.beside = nn.Linear(16, 2), nn.Linear(16, 2)

    def forward(self, x: Tensor) -> Tensor | Heads:
        flat = x.flatten(1)
        logits: Tensor = self.main(flat)
        return Heads(logits, (self.beside(flat),), 0.5) if self.training else logits


def test_auxiliary_heads_are_trained_by_their_share_of_the_objective() -> None:
    """One step against the same step written out; the loss told in the figures is the main one."""
    model, by_hand = Headed(), Headed().train()
    optimiser = optimisers.build(model.named_parameters(), kind="sgd", lr=0.1, momentum=0)
    first = next(run(model, optimiser, TrainingState(), schedule=constant))
    assert isinstance(first, Step)
    pixels, labels = next(Toy().epoch(0))
    made = by_hand(pixels)
    main, beside = (losses.cross_entropy(x, labels) for x in (made.logits, made.auxiliary[0]))
    objective = main + 0.5 * beside
    objective.backward()
    assert first.loss.item() == pytest.approx(objective.item(), rel=1e-6)
    for before, after in zip(by_hand.parameters(), model.parameters(), strict=True):
        assert before.grad is not None
        assert torch.allclose(after, before - 0.1 * before.grad, atol=1e-6)


def test_trainings_in_several_threads_are_each_as_alone() -> None:
    """Dropout draws from generators that are the process's."""
    made = [make() for _ in range(4)]

    def train(one: tuple[nn.Module, optimisers.Optimiser]) -> list[float]:
        events = run(*one, TrainingState(), epochs=6)
        return [float(event.loss) for event in events if isinstance(event, Step)]

    alone = train(make())
    with ThreadPoolExecutor(4) as threads:
        for together in threads.map(train, made):
            assert together == alone
