"""The backprop lab: expressions and their mistakes, the update, a network's layers."""

from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import nn

from hubel.labs.backprop import backprop
from hubel.labs.lab import Setting
from hubel.labs.through import layers
from hubel.mistakes import Mistake
from hubel.model import Classifier
from hubel.pixels import PixelSpec
from tests.conftest import Command

QUICK = Setting("quick")


def test_the_lectures_claims() -> None:
    shown = backprop(QUICK)
    assert [(finding.id, finding.holds) for finding in shown.findings] == [
        ("L20", True), ("L21", True),
    ]  # fmt: skip
    assert shown.numbers["f"]["value"] == -12
    assert shown.numbers["largest difference"] < 1e-12 < shown.numbers["if one after the other"]


def test_an_expression_of_ones_own() -> None:
    shown = backprop(QUICK, expression="relu(w * x) ^ 2", values=["w=3", "x = 2"])
    assert shown.numbers["w"] == {"value": 3.0, "gradient": 24.0}
    assert [drawing.name for drawing in shown.drawings] == ["graph", "steps"]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (["x=1", "x=2"], "x has two values"),
        (["x"], "NAME=NUMBER"),
        (["=3"], "NAME=NUMBER"),
        (["x=three"], "NAME=NUMBER"),
        (["x=inf"], "finite"),
        ([], "no value for x"),
    ],
)
def test_values_that_are_none(values: list[str], said: str) -> None:
    with pytest.raises(Mistake, match=said):
        backprop(QUICK, expression="x + 1", values=values)


class Odd(nn.Module):
    """In-place and reused layers, and a skip."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.relu = nn.Conv2d(1, 2, 3, padding=1), nn.ReLU(inplace=True)
        self.head = nn.Linear(2 * 16, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv(x)
        y = self.relu(y) + y.mean()
        scores: torch.Tensor = self.head(self.relu(y).flatten(1))
        return scores


def test_layers_against_gradients_written_out() -> None:
    torch.manual_seed(0)
    network = Odd()
    classifier = Classifier(network, classes=("a", "b", "c"), pixels=PixelSpec((4, 4), 1)).train()
    picture = torch.rand(1, 4, 4)
    found = layers(classifier, picture, 1)
    assert [layer.name for layer in found] == ["conv", "relu", "relu", "head"]
    scores = found[-1].output
    expected = scores.softmax(0) - torch.tensor([0.0, 1.0, 0.0])
    assert torch.allclose(found[-1].gradient, expected, atol=1e-6)
    back = (expected @ network.head.weight).view(2, 4, 4)
    assert torch.allclose(found[2].gradient, back, atol=1e-6)
    assert network.training  # as it was found
    assert not any(module._forward_hooks for module in network.modules())
    assert all(p.grad is None for p in network.parameters())
    with pytest.raises(RuntimeError):
        layers(classifier, torch.rand(1, 5, 5), 1)
    assert not any(module._forward_hooks for module in network.modules())


def test_a_network_on_a_picture(
    hubel_command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Image.new("L", (40, 30), 90).save("grey.png")
    answer = hubel_command("lab", "backprop", "--network", "lenet5", "grey.png", "--quick")
    assert answer.code == 0
    assert "its own answer" in answer.out
    assert "6×14×14" in answer.out
    assert (tmp_path / "labs" / "backprop" / "layers.png").is_file()
    for words, said in (
        (("--network", "lenet6"), "lenet5"),
        (("--network", "lenet5", "nothing.png"), "nothing.png"),
        (("--network", "efficientnet-lite0"), "needs a picture"),
        (("x +", "x=1"), "position 4"),
    ):
        refused = hubel_command("lab", "backprop", *words, "--quick")
        assert refused.code in (1, 2), words
        assert said in refused.err, words
