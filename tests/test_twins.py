"""A twin answers as the network, with the same tensors, and nothing of it is changed."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import Tensor, nn

from hubel.twins import around, copied, evaluated, twin


class Odd(nn.Module):
    """What networks of strangers hold: modules in lists, bound methods, numbers that they keep."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.drop = nn.BatchNorm1d(3), nn.Dropout(0.9)
        self.order = [self.norm, self.drop]
        self.act = self.rectified
        self.scale = torch.tensor([1.0, 2.0, 3.0])
        self.calls = 0

    def rectified(self, x: Tensor) -> Tensor:
        assert not self.training
        return x.relu()

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        for part in self.order:
            x = part(x)
        return self.act(x * self.scale)


X = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))


def test_in_evaluation_mode_it_is_the_network_itself() -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.Dropout()).eval()
    assert evaluated(network) is network
    network[1].train()
    own = evaluated(network)
    assert own is not network
    assert not any(part.training for part in own.modules())
    assert [part.training for part in network.modules()] == [False, False, True]


def test_tensors_are_shared_and_what_a_forward_keeps_is_not() -> None:
    network = Odd()
    own = evaluated(network)
    with torch.no_grad():
        found = own(X)
    assert (own.calls, network.calls) == (1, 0)
    assert all(part.training for part in network.modules())
    assert all(a is b for a, b in zip(own.parameters(), network.parameters(), strict=True))
    assert all(a is b for a, b in zip(own.buffers(), network.buffers(), strict=True))
    assert own.scale is network.scale
    with torch.no_grad():
        network.norm.bias.add_(1)
        assert not torch.equal(own(X), found)  # it learned on, and so did the twin
    network.eval()
    assert torch.equal(own(X), network(X))


def test_gradients_reach_the_pixels() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Dropout())
    leaf = X.clone().requires_grad_()
    (ours,) = torch.autograd.grad(evaluated(network)(leaf).sin().sum(), leaf)
    network.eval()
    (theirs,) = torch.autograd.grad(network(leaf).sin().sum(), leaf)
    assert torch.equal(ours, theirs)


class Held(nn.Module):
    """What `copy.deepcopy` refuses: a lock, a tensor with a history."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.norm = nn.Sequential(nn.BatchNorm1d(3), nn.Dropout())
        self.held = threading.Lock() if kind == "lock" else self.norm[0].weight * 2

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.norm(x)
        return y


@pytest.mark.parametrize("kind", ["lock", "history"])
def test_what_cannot_be_copied_has_a_twin_all_the_same(kind: str) -> None:
    network = Held(kind)
    with pytest.raises((TypeError, RuntimeError)):
        copied(network)
    own = evaluated(network)
    assert own.held is network.held
    with torch.no_grad():
        found = own(X)
    assert all(part.training for part in network.modules())
    assert torch.equal(network.norm[0].running_mean, torch.zeros(3))
    assert torch.equal(found, network.eval()(X))


def test_hooks_are_the_networks() -> None:
    class Listener:
        def __init__(self) -> None:
            self.heard = 0

        def hook(self, *_given: object) -> None:
            self.heard += 1

    listener, network = Listener(), nn.Sequential(nn.Linear(3, 3))
    network[0].register_forward_hook(listener.hook)
    for made in (twin(network), copied(network)):
        made(X)
    assert listener.heard == 2
    made[0].register_forward_hook(lambda *_given: None)
    assert len(network[0]._forward_hooks) == 1


def test_parametrised_and_reused_modules() -> None:
    layer = nn.utils.parametrizations.weight_norm(nn.Linear(3, 3))
    network = nn.Sequential(layer, nn.BatchNorm1d(3), layer)
    own = evaluated(network)
    assert own[0] is own[2]
    assert own[0].parametrizations.weight.original1 is layer.parametrizations.weight.original1
    assert torch.equal(own(X), network.eval()(X))


def test_functions_are_called_in_this_thread_alone() -> None:
    network = nn.Sequential(nn.Identity())
    heard: list[str] = []
    with around(
        [(network, lambda _given, _options: heard.append("before"))],
        [(network[0], lambda output: output + 1)],
    ):
        found: list[Tensor] = []
        thread = threading.Thread(target=lambda: found.append(network(X)))
        thread.start()
        thread.join()
        assert torch.equal(found[0], X)
        assert not heard
        assert torch.equal(network(X), X + 1)
    assert heard == ["before"]
    assert not network._forward_pre_hooks
    assert not network[0]._forward_hooks
    with pytest.raises(ZeroDivisionError), around([], [(network, lambda _output: 1 / 0)]):
        network(X)
    assert not network._forward_hooks


def test_no_hook_is_lost_where_many_are_put_on_at_once() -> None:
    network, wrong = nn.Identity(), []
    barrier = threading.Barrier(4)

    def put() -> None:
        barrier.wait()
        for _ in range(300):
            heard: list[Tensor] = []
            with around([], [(network, heard.append)]):
                network(X)
            if len(heard) != 1:
                wrong.append(len(heard))

    threads = [threading.Thread(target=put) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert not network._forward_hooks


def test_another_threads_call_may_meet_a_hook_half_put_up() -> None:
    """torch lists the hook first, and notes after that that it takes keyword arguments."""
    layer = nn.Linear(2, 2)
    met: list[int] = []
    with around([(layer, lambda given, options: met.append(len(given)))], []):
        layer._forward_pre_hooks_with_kwargs.clear()
        with ThreadPoolExecutor(1) as threads:
            threads.submit(layer, torch.ones(1, 2)).result()
        assert met == []
        layer(torch.ones(1, 2))
    assert met == [1]
