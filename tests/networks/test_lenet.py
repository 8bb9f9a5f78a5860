"""LeNet-5 as published: counts by layer, the partial connections, the codes."""

import pytest
import torch
from torch import nn

from hubel.mistakes import Mistake
from hubel.networks.lenet import CONNECTIONS, RBF, PartialConv2d, Subsampling, codes, lenet5

GOLDEN = {"C1": 156, "S2": 12, "C3": 1516, "S4": 32, "C5": 48120, "F6": 10164, "output": 0}
SHAPES = {
    "C1": (6, 28, 28),
    "S2": (6, 14, 14),
    "C3": (16, 10, 10),
    "S4": (16, 5, 5),
    "C5": (120, 1, 1),
    "F6": (84,),
    "output": (10,),
}


def count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters() if p.requires_grad)


def test_parameters_by_layer() -> None:
    network = lenet5("1998")
    assert {n: count(c) for n, c in network.named_children() if n in GOLDEN} == GOLDEN
    assert count(network) == 60_000
    assert count(lenet5("softmax")) == 60_850


def test_shapes_by_layer() -> None:
    x = torch.randn(1, 1, 32, 32)
    for name, layer in lenet5("1998").named_children():
        x = layer(x)
        if name in SHAPES:
            assert x.shape[1:] == SHAPES[name], name


# The paper's picture of table I: a row for each map of S2, a column for each map of C3.
TABLE_1 = """
X...XXX..XXXX.XX
XX...XXX..XXXX.X
XXX...XXX..X.XXX
.XXX..XXXX..X.XX
..XXX..XXXX.XX.X
...XXX..XXXX.XXX
"""


def test_table_1() -> None:
    rows = TABLE_1.split()
    columns = [tuple(i for i in range(6) if rows[i][o] == "X") for o in range(16)]
    assert list(CONNECTIONS) == columns
    assert sum(map(len, CONNECTIONS)) == 60


def test_partial_convolution_is_one_convolution_for_each_map() -> None:
    layer = PartialConv2d(6, CONNECTIONS, 5)
    x = torch.randn(2, 6, 14, 14)
    start = 0
    maps = []
    for o, seen in enumerate(CONNECTIONS):
        kernel = layer.weight[start : start + len(seen)][None]
        maps.append(nn.functional.conv2d(x[:, list(seen)], kernel, layer.bias[o : o + 1]))
        start += len(seen)
    assert torch.allclose(layer(x), torch.cat(maps, 1), rtol=0, atol=1e-6)


def test_subsampling_sums_four_and_scales() -> None:
    layer = Subsampling(1)
    x = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    expected = 10 * layer.weight.item() + layer.bias.item()
    assert layer(x).item() == pytest.approx(expected, rel=1e-6)


def test_codes_are_ten_different_pictures_of_plus_and_minus_one() -> None:
    found = codes()
    assert found.shape == (10, 84)
    assert set(found.flatten().tolist()) == {-1.0, 1.0}
    distances = (found[:, None] - found[None]).square().sum(2)
    # no two digits nearer than seven pixels: 4 per pixel
    assert int((distances + 1e9 * torch.eye(10)).min()) >= 28


def test_rbf_logits_are_minus_squared_distances() -> None:
    layer = RBF(codes())
    x = torch.randn(3, 84)
    slow = [[-float(((row - code) ** 2).sum()) for code in codes()] for row in x]
    assert torch.allclose(layer(x), torch.tensor(slow), rtol=1e-5)
    assert layer(codes()).argmax(1).tolist() == list(range(10))


def test_what_the_paper_did_not_have() -> None:
    for wrong in ({"classes": 11}, {"channels": 3}, {"size": (28, 28)}, {"dropout": 0.5}):
        with pytest.raises(Mistake):
            lenet5("1998", **wrong)
    with pytest.raises(Mistake, match="1989"):
        lenet5("1989")
    assert lenet5("modern", size=(28, 28))(torch.randn(1, 1, 28, 28)).shape == (1, 10)
