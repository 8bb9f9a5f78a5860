"""A network is run only as far as it is asked for."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hubel.mistakes import Mistake
from hubel.understanding.prefix import up_to


class Net(nn.Module):
    """In-place ReLUs behind what is recorded, dropout, and a last layer that wants 12×12 pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.second = nn.Conv2d(4, 5, 3, padding=1, stride=2)
        self.drop = nn.Dropout(0.5)
        self.score = nn.Linear(5 * 36, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.first(x))
        x = self.drop(F.elu(self.second(x), inplace=True))
        logits: Tensor = self.score(x.flatten(1))
        return logits


@pytest.fixture
def net() -> Net:
    torch.manual_seed(0)
    return Net().double().eval()


def test_a_network_is_run_only_as_far_as_asked(net: Net) -> None:
    ran: list[str] = []
    for name, part in net.named_children():
        part.register_forward_hook(lambda *_, name=name: ran.append(name))
    x = torch.rand(1, 3, 12, 12, dtype=torch.float64)
    found = up_to(net, x, ["first", "second"])
    assert ran == ["first", "relu", "second"]
    assert torch.equal(found["first"], net.first(x))  # not what the in-place ReLU made of it
    assert torch.equal(found["second"], net.second(net.first(x).relu()))
    assert not any(m._forward_pre_hooks for m in net.modules())
    net.add_module("idle", nn.Identity())
    with pytest.raises(Mistake, match="did not pass through idle"):
        up_to(net, x, ["first", "idle"])
