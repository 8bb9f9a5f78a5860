"""L-BFGS's memory as tensors, there and back."""

import torch
from torch import Tensor, nn

from hubel.understanding.lbfgs import packed, unpacked


def test_lbfgs_memory_is_there_and_back() -> None:
    x = nn.Parameter(torch.tensor([3.0, -2.0]))
    optimiser = torch.optim.LBFGS([x], max_iter=4, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = (x - 1).pow(4).sum()
        loss.backward()
        return loss

    optimiser.step(closure)
    kept = {k: v for k, v in optimiser.state[x].items() if k != "al"}
    found = unpacked(packed(kept) | {"parameters": x, "number": torch.tensor(3)})
    assert found.keys() == kept.keys()
    for name, value in kept.items():
        assert type(found[name]) is type(value), name
        assert str(found[name]) == str(value), name
    assert unpacked({"parameters": x}) == {}
