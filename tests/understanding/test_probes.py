"""Probes see what modules hand on, and leave nothing behind."""

import threading

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hubel.mistakes import Mistake
from hubel.model import Classifier
from hubel.pixels import PixelSpec
from hubel.understanding.probes import differentiate, recording, replacing, tapping


class Net(nn.Module):
    """A module used twice, an in-place ReLU, and a module that is never called."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 3, 3, padding=1)
        self.again = nn.Conv2d(3, 3, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.norm = nn.BatchNorm2d(3)
        self.idle = nn.Linear(3, 3)
        self.score = nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.first(x))
        x = self.relu(self.again(x))
        x = F.relu(self.norm(self.again(x)), inplace=True)
        logits: Tensor = self.score(x.mean((2, 3)))
        return logits


@pytest.fixture
def net() -> Net:
    torch.manual_seed(0)
    return Net()


X = torch.randn(2, 1, 5, 5, generator=torch.Generator().manual_seed(1))


def hooks(network: nn.Module) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in network.modules())


def test_records_what_stood_there_before_an_in_place_operation(net: Net) -> None:
    net.eval()
    expected = net(X)
    with torch.no_grad(), recording(net, ["first", "again", "again#2", "relu#2"]) as found:
        output = net(X)
    assert torch.equal(output, expected)
    assert torch.equal(found["first"], net.first(X))
    assert found["first"].min() < 0
    assert torch.equal(found["again"], net.again(F.relu(net.first(X))))
    assert torch.equal(found["relu#2"], F.relu(found["again"]))
    assert torch.equal(found["again#2"], net.again(found["relu#2"]))
    assert hooks(net) == 0


def test_replaces_by_a_tensor_or_a_function(net: Net) -> None:
    net.eval()
    with torch.no_grad():
        with replacing(net, {"score": lambda y: -y, "again#2": torch.zeros(2, 3, 5, 5)}):
            output = net(X)
        expected = -net.score(F.relu(net.norm(torch.zeros(2, 3, 5, 5))).mean((2, 3)))
    assert torch.allclose(output, expected)
    with (
        pytest.raises(Mistake, match=r"first hands on \(2, 3, 5, 5\), and \(3,\) cannot"),
        replacing(net, {"first": torch.zeros(3)}),
    ):
        net(X)
    assert hooks(net) == 0


@pytest.mark.parametrize("off", [torch.no_grad, torch.inference_mode])
def test_differentiates_with_gradients_off_and_leaves_all_as_found(net: Net, off: type) -> None:
    net.norm.eval()
    modes = [m.training for m in net.modules()]
    with off():
        found = differentiate(net, X, lambda y: y[:, 1], at=["first", "relu#2"])
    assert [m.training for m in net.modules()] == modes
    assert all(p.grad is None for p in net.parameters())
    assert not found.pixels.requires_grad
    net.eval()
    x = X.clone().requires_grad_()
    a = net.first(x)
    b = F.relu(net.again(F.relu(a)))
    y = net.score(F.relu(net.norm(net.again(b))).mean((2, 3)))
    expected = torch.autograd.grad(y[:, 1].sum(), [x, a, b])
    for ours, theirs in zip((found.pixels, *found.gradients.values()), expected, strict=True):
        assert torch.allclose(ours, theirs, atol=1e-7)
    assert torch.allclose(found.score, y[:, 1])


def test_a_score_that_does_not_depend_on_it_has_no_slope(net: Net) -> None:
    found = differentiate(net, X, lambda y: torch.ones(len(y)), at=["first"])
    assert found.pixels.count_nonzero() == found.gradients["first"].count_nonzero() == 0
    with pytest.raises(ValueError, match="one number a picture"):
        differentiate(net, X, lambda y: y.sum())


def test_of_a_model_the_names_are_its_networks(net: Net) -> None:
    model = Classifier(net, classes=("a", "b"), pixels=PixelSpec((5, 5), 1))
    with recording(model, ["first"]) as found:
        model.eval()(X)
    assert torch.equal(found["first"], net.first((X - model.mean) / model.std))


def test_one_picture_is_one_of_many(net: Net) -> None:
    many = differentiate(net, X, lambda y: y[:, 0])
    one = differentiate(net, X[1:], lambda y: y[:, 0])
    assert torch.allclose(many.pixels[1:], one.pixels, atol=1e-7)
    assert differentiate(net, X[:0], lambda y: y[:, 0]).pixels.shape == (0, 1, 5, 5)


def test_names_that_are_not_there(net: Net) -> None:
    with pytest.raises(Mistake, match=r"no layer 'frist'\. Did you mean 'first'"):
        recording(net, ["frist"]).__enter__()
    for name in ("idle", "first#2"):
        with pytest.raises(Mistake, match=f"did not pass through {name}"), recording(net, [name]):
            net(X)
    with recording(net, ["idle"]):
        pass  # nothing was run
    assert hooks(net) == 0


def test_nothing_stays_behind_an_exception(net: Net) -> None:
    with pytest.raises(KeyError), tapping(net, {"first": lambda y: {}[0]}):  # type: ignore[index]
        net(X)
    with pytest.raises(RuntimeError), recording(net, ["first"]):
        net(torch.zeros(1, 2, 5, 5))
    assert hooks(net) == 0


def test_another_thread_notices_nothing(net: Net) -> None:
    net.eval()
    expected = net(X)
    seen: list[Tensor] = []
    with replacing(net, {"first": torch.zeros_like}), recording(net, ["relu"]) as found:
        thread = threading.Thread(target=lambda: seen.append(net(X)))
        thread.start()
        thread.join()
        assert not found
        assert not torch.equal(net(X), expected)
    assert torch.equal(seen[0], expected)
