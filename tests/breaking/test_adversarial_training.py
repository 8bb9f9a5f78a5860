"""Adversarial training: each objective against one written out, what it buys, and its contracts."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hubel import draws
from hubel.breaking.adversarial_training import (
    ADVERSARIES,
    START,
    Threat,
    adversary,
    divergence,
    robust_accuracy,
)
from hubel.breaking.gradient import pgd
from hubel.data.batches import Batches
from hubel.labs.learning import Pictures, grey_pictures
from hubel.mistakes import Mistake
from hubel.model import Classifier, Heads, evaluating
from hubel.pixels import PixelSpec
from hubel.training import checkpoint, losses, optimisers
from hubel.training.loop import TrainingState, as_given, fit
from hubel.training.schedule import schedule

EPSILON = 0.1


@pytest.fixture(scope="module")
def data() -> Pictures:
    return grey_pictures(3000, 400, side=14)


def network(seed: int = 0, *, drop: bool = True) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, 6, 3), nn.BatchNorm2d(6) if drop else nn.Identity(), nn.ReLU(),
        nn.Flatten(), nn.Dropout(0.3 if drop else 0.0), nn.Linear(6 * 36, 4),
    )  # fmt: skip


def batch(n: int = 12) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(7)
    pixels = torch.rand(n, 1, 8, 8, generator=generator)
    return pixels, torch.randint(0, 4, (n,), generator=generator)


def signed(model: nn.Module, x: Tensor, of: object) -> Tensor:
    """The sign of the gradient of `of(logits)` by the pixels, in evaluation mode."""
    leaf = x.clone().requires_grad_()
    was = [(part, part.training) for part in model.modules()]
    model.eval()
    (slope,) = torch.autograd.grad(of(model(leaf)), leaf)  # type: ignore[operator]
    for part, mode in was:
        part.training = mode
    return slope.sign()


def start(pixels: Tensor, step: int, seed: int = 3) -> Tensor:
    """Where pgd begins: in the ball around each picture."""
    key, parts = draws.integer(seed, "adversary", step), []
    for i in range(len(pixels)):
        generator = torch.Generator().manual_seed(draws.integer(key, "attack", 0, i))
        parts.append(2 * torch.rand(pixels.shape[1:], generator=generator) - 1)
    return (pixels + EPSILON * torch.stack(parts)).clamp(0, 1)


def climbed(
    model: nn.Module, pixels: Tensor, x: Tensor, of: object, steps: int, step: float
) -> Tensor:
    for _ in range(steps):
        x = x + step * signed(model, x, of)
        x = torch.min(torch.max(x, pixels - EPSILON), pixels + EPSILON).clamp(0, 1)
    return x


@pytest.mark.parametrize("name", ["fast", "pgd"])
def test_the_loss_of_attacked_pictures_written_out(name: str) -> None:
    model, slow = network(), network()
    pixels, labels = batch()
    threat = Threat(EPSILON, steps=4, seed=3)
    torch.manual_seed(0)
    found = adversary(name, threat)(model.train(), pixels, labels, losses.cross_entropy, 11)
    steps, step = (1, 1.25 * EPSILON) if name == "fast" else (4, 2.5 * EPSILON / 4)

    def loss(logits: Tensor) -> Tensor:
        return F.cross_entropy(logits, labels, reduction="sum")

    moved = climbed(slow.train(), pixels, start(pixels, 11), loss, steps, step)
    torch.manual_seed(0)
    expected = F.cross_entropy(slow(moved), labels)
    assert found.objective.item() == pytest.approx(expected.item(), rel=1e-5)
    assert found.objective is found.loss
    assert float((moved - pixels).abs().max()) <= EPSILON + 1e-6
    # batch norm has learned from one batch, that of the attacked pictures
    for a, b in zip(slow.buffers(), model.buffers(), strict=True):
        assert torch.allclose(a, b, atol=1e-6)


def test_trades_written_out() -> None:
    model, slow = network(drop=False), network(drop=False)
    pixels, labels = batch()
    threat = Threat(EPSILON, steps=5, beta=2.5, seed=3)
    found = adversary("trades", threat)(model, pixels, labels, losses.cross_entropy, 11)
    generator = torch.Generator().manual_seed(draws.integer(3, "adversary", 11))
    known = slow(pixels).softmax(1).detach()

    def kl(logits: Tensor) -> Tensor:
        return (known * (known.log() - logits.log_softmax(1))).sum()

    x = (pixels + START * torch.randn(pixels.shape, generator=generator)).clamp(0, 1)
    x = climbed(slow, pixels, x, kl, 5, EPSILON / 2)
    here, there = slow(pixels), slow(x)
    p = here.softmax(1)
    apart = (p * (here.log_softmax(1) - there.log_softmax(1))).sum(1).mean()
    expected = F.cross_entropy(here, labels) + 2.5 * apart
    assert float(apart.detach()) > 1e-4
    assert found.objective.item() == pytest.approx(expected.item(), rel=1e-5)
    assert found.loss.item() == pytest.approx(F.cross_entropy(here, labels).item(), rel=1e-6)
    found.objective.backward()
    expected.backward()
    for a, b in zip(model.parameters(), slow.parameters(), strict=True):
        assert torch.allclose(a.grad, b.grad, rtol=1e-3, atol=1e-6)


def test_trades_without_weight_is_the_plain_loss() -> None:
    model, (pixels, labels) = network(drop=False), batch()
    found = adversary("trades", Threat(EPSILON, beta=0.0))(
        model, pixels, labels, losses.cross_entropy, 0
    )
    plain = as_given(model, pixels, labels, losses.cross_entropy)
    assert torch.equal(found.objective, plain.objective)
    ours = torch.autograd.grad(found.objective, list(model.parameters()))
    theirs = torch.autograd.grad(plain.objective, list(model.parameters()))
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


def test_the_divergence_of_a_distribution_by_hand() -> None:
    p, q = torch.tensor([[0.5, 0.25, 0.25]]), torch.tensor([[0.25, 0.25, 0.5]])
    expected = 0.5 * torch.tensor(2.0).log() + 0.25 * torch.tensor(0.5).log()
    assert float(divergence(p.log(), q.log())) == pytest.approx(float(expected), rel=1e-5)
    assert float(divergence(p.log() + 3, p.log())) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("name", ADVERSARIES)
def test_what_is_left_as_found(name: str) -> None:
    model, (pixels, labels) = network(), batch()
    model.train()
    model[4].eval()
    before, state = pixels.clone(), torch.get_rng_state()
    with torch.inference_mode():
        fixed = torch.ones(1)
    found = adversary(name, Threat(EPSILON, 2))(model, pixels, labels, losses.cross_entropy, 0)
    assert model[1].training
    assert not model[4].training
    assert all(p.grad is None and p.requires_grad for p in model.parameters())
    assert torch.equal(pixels, before)
    assert torch.equal(torch.get_rng_state(), state)  # dropout is off here: nothing else draws
    assert found.objective.requires_grad
    assert fixed.is_inference()


class Headed(nn.Module):
    """A network with one auxiliary head while it trains."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.main, self.beside = nn.Linear(64, 4), nn.Linear(64, 4)

    def forward(self, x: Tensor) -> Tensor | Heads:
        logits: Tensor = self.main(x.flatten(1))
        return Heads(logits, (self.beside(x.flatten(1)),), 0.5) if self.training else logits


@pytest.mark.parametrize("name", ADVERSARIES)
def test_auxiliary_heads_learn_too(name: str) -> None:
    model, (pixels, labels) = Headed().train(), batch()
    found = adversary(name, Threat(EPSILON, 2))(model, pixels, labels, losses.cross_entropy, 0)
    found.objective.backward()
    assert model.beside.weight.grad is not None
    assert found.objective.item() > found.loss.item()


@pytest.mark.parametrize("name", ADVERSARIES)
def test_in_mixed_precision_the_loss_is_of_float32(name: str) -> None:
    model, (pixels, labels) = network(), batch()
    with torch.autocast("cpu", torch.bfloat16):
        found = adversary(name, Threat(EPSILON, 2))(
            model.train(), pixels, labels, losses.cross_entropy, 0
        )
    assert found.logits.dtype == torch.float32
    assert found.objective.dtype == torch.float32
    found.objective.backward()


def trained(data: Pictures, name: str, *, stop: int = 0) -> Classifier:
    """A small network; stop: saved, and gone on with in another, after so many events."""

    def make() -> tuple[Classifier, optimisers.Optimiser]:
        torch.manual_seed(0)
        built = nn.Sequential(
            nn.Conv2d(1, 8, 5, stride=2), nn.ReLU(), nn.Conv2d(8, 16, 3, stride=2), nn.ReLU(),
            nn.Flatten(), nn.Linear(64, 10),
        )  # fmt: skip
        classifier = Classifier(built, classes=data.classes, pixels=data.spec)
        kind = optimisers.build(built.named_parameters(), kind="adam", lr=0.005)
        return classifier, kind

    def events(model: nn.Module, optimiser: optimisers.Optimiser, state: TrainingState) -> object:
        batches = Batches(data.train, data.train_labels, batch_size=100, seed=1)
        threat = Threat(EPSILON, 3, seed=2)
        objective = as_given if name == "none" else adversary(name, threat)
        return fit(
            model, batches, loss=losses.cross_entropy, optimiser=optimiser, state=state,
            schedule=schedule("one-cycle"), epochs=6, seed=1, objective=objective,
        )  # fmt: skip

    (model, optimiser), state = make(), TrainingState()
    for n, _ in enumerate(events(model, optimiser, state), 1):  # type: ignore[call-overload]
        if n == stop:
            files = checkpoint.save(model, optimiser, state)
            model, optimiser = make()
            state = checkpoint.restore(files, model, optimiser)
            torch.rand(3)
            list(events(model, optimiser, state))  # type: ignore[call-overload]
            break
    return model.eval()


def faint_and_plain(n: int, seed: int) -> tuple[Tensor, Tensor]:
    """Pictures (n, 1, 4, 4) of two classes, told apart by one plain pixel and fifteen faint ones.

    The plain pixel differs by 0.6, and is wrong in one picture of eight; the faint ones together
    are never wrong, but differ by 0.08, less than what an adversary of ε = 0.1 may change. (The
    trade of Tsipras et al. 2019, "Robustness may be at odds with accuracy", section 2.1.)
    """
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % 2
    side = labels.float() * 2 - 1
    noise = 0.02 * torch.randn(n, 16, generator=generator)
    pixels = 0.5 + 0.04 * side[:, None] + noise
    wrong = torch.rand(n, generator=generator) < 1 / 8
    pixels[:, 0] = 0.5 + 0.3 * torch.where(wrong, -side, side)
    return pixels.clamp(0, 1).reshape(n, 1, 4, 4), labels


@pytest.mark.parametrize("name", ADVERSARIES)
def test_it_buys_robustness(name: str) -> None:
    """Where what is robust is known: plain training goes by the faint pixels, this by the plain."""
    images, labels = faint_and_plain(800, 0)
    x, truth = faint_and_plain(400, 1)
    as_levels = (images * 255).round().to(torch.uint8)
    robust, clean = {}, {}
    for kind in ("none", name):
        torch.manual_seed(0)
        model = Classifier(
            nn.Sequential(nn.Flatten(), nn.Linear(16, 2)),
            classes=("a", "b"), pixels=PixelSpec((4, 4), 1),
        )  # fmt: skip
        events = fit(
            model, Batches(as_levels, labels, batch_size=100, seed=1), loss=losses.cross_entropy,
            optimiser=optimisers.build(model.named_parameters(), kind="adam", lr=0.05),
            schedule=schedule("constant"), state=TrainingState(), epochs=10, seed=1,
            objective=as_given if kind == "none" else adversary(kind, Threat(EPSILON, 3, seed=2)),
        )  # fmt: skip
        assert list(events)
        robust[kind] = robust_accuracy(model.eval(), x, truth, epsilon=EPSILON)
        clean[kind] = float((model(x).argmax(1) == truth).double().mean())
    assert clean["none"] > 0.97
    assert robust["none"] < 0.3
    assert robust[name] > 0.8


@pytest.mark.parametrize("name", ["fast", "trades"])
def test_stopped_and_resumed_is_bit_equal(data: Pictures, name: str) -> None:
    few = Pictures(
        data.train[:300], data.train_labels[:300], data.test, data.test_labels, data.classes, ""
    )
    whole, resumed = trained(few, name), trained(few, name, stop=5)
    for key, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[key]), key


def test_robust_accuracy_counts_what_pgd_does_not_fool(data: Pictures) -> None:
    model = trained(data, "none")
    x, labels = data.test[:300].float() / 255, data.test_labels[:300]
    with evaluating(model) as own:
        moved = pgd(own, x, labels, epsilon=0.03, steps=10, drop=True, seed=0)
        expected = float((own(moved).argmax(1) == labels).double().mean())
    assert 0.05 < expected < 0.95
    assert robust_accuracy(model, x, labels, epsilon=0.03) == pytest.approx(expected, abs=1e-9)


def test_what_cannot_be_asked() -> None:
    with pytest.raises(Mistake, match="trades"):
        adversary("trade", Threat(0.1))
    with pytest.raises(Mistake, match="1 step or more"):
        adversary("pgd", Threat(0.1, steps=0))
    pixels, labels = batch()
    with pytest.raises(Mistake, match=r"from 0 to 1, not 8"):
        adversary("fast", Threat(8))(network(), pixels, labels, losses.cross_entropy, 0)
