"""The backprop lab: expressions and their mistakes, the update, a network's layers."""

from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import nn

import hubel
from hubel.labs.backprop import backprop
from hubel.labs.lab import Setting
from hubel.labs.through import layers
from hubel.mistakes import Mistake
from hubel.model import Classifier
from hubel.pixels import PixelSpec
from hubel.report import graph as drawn
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
    assert "a frame each step" in shown.drawings[1].caption


def test_a_long_computation_says_which_frames_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawn, "MOST_FRAMES", 3)
    shown = backprop(QUICK, expression="+".join(["x"] * 10), values=["x=1"])
    assert len(shown.lines) == 1 + 9 + 1 + 8 + 10
    assert "the last 3 of 29 steps" in shown.drawings[1].caption


@pytest.mark.parametrize("text", ["2", "1 / 2", "x", "x - -2"])
def test_numbers_get_no_box_but_a_picture_is_made(text: str) -> None:
    values = ["x=1"] if "x" in text else []
    assert all(drawing.png for drawing in backprop(QUICK, expression=text, values=values).drawings)


def test_the_update_is_shown_and_checked_where_it_is_asked_for() -> None:
    shown = backprop(QUICK, network="mlp")
    assert [drawing.name for drawing in shown.drawings] == ["update"]
    assert any("torch's SGD: differs by at most" in line for line in shown.lines)
    assert max(shown.numbers["differences"].values()) == shown.numbers["largest difference"]
    assert sum(shown.numbers["output errors"]) == pytest.approx(0, abs=1e-12)  # p and y sum to 1


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


def _difference(classifier: Classifier, picture: torch.Tensor, h: float = 1e-3) -> float:
    """The loss's slope along the pixel at (1, 2)."""
    losses = []
    for step in (h, -h):
        moved = picture.clone()
        moved[0, 1, 2] += step
        with torch.no_grad():
            losses.append(nn.functional.cross_entropy(classifier(moved[None]), torch.tensor([1])))
    return float(losses[0] - losses[1]) / (2 * h)


def test_layers_against_gradients_written_out() -> None:
    torch.manual_seed(0)
    network = Odd()
    classifier = Classifier(network, classes=("a", "b", "c"), pixels=PixelSpec((4, 4), 1)).train()
    picture = torch.rand(1, 4, 4)
    found = layers(classifier, picture, 1)
    assert [layer.name for layer in found] == ["picture", "conv", "relu", "relu", "head"]
    scores = found[-1].output
    expected = scores.softmax(0) - torch.tensor([0.0, 1.0, 0.0])
    assert torch.allclose(found[-1].gradient, expected, atol=1e-6)
    back = (expected @ network.head.weight).view(2, 4, 4)
    assert torch.allclose(found[3].gradient, back, atol=1e-6)
    assert torch.equal(found[0].output, picture)
    numeric = _difference(classifier, picture)
    assert float(found[0].gradient[0, 1, 2]) == pytest.approx(numeric, rel=0.02, abs=1e-4)
    assert network.training  # as it was found
    assert not any(module._forward_hooks for module in network.modules())
    assert all(p.grad is None for p in network.parameters())
    with pytest.raises(RuntimeError):
        layers(classifier, torch.rand(1, 5, 5), 1)
    assert not any(module._forward_hooks for module in network.modules())


class Strange(nn.Module):
    """A layer that gives two tensors, one whose answer nobody uses, and frozen weights."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.unused, self.head = nn.LSTM(4, 5), nn.Linear(4, 2), nn.Linear(5, 3)
        self.requires_grad_(False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.unused(x)
        rows, _ = self.lstm(x[:, 0].transpose(0, 1))
        scores: torch.Tensor = self.head(rows[-1])
        return scores


def test_layers_of_frozen_and_strange_networks() -> None:
    classifier = Classifier(Strange(), classes=("a", "b", "c"), pixels=PixelSpec((4, 4), 1)).eval()
    found = layers(classifier, torch.rand(1, 4, 4), 0)
    assert [layer.name for layer in found] == ["picture", "head"]
    assert float(found[0].gradient.abs().sum()) > 0
    assert not any(p.requires_grad for p in classifier.network.parameters())


def test_a_run_shows_its_own_test_picture(tmp_path: Path) -> None:
    run = hubel.train("digits", network="linear", epochs=1, out=tmp_path / "run").run
    shown = backprop(QUICK, network=str(run))
    assert "as it is; a test picture" in shown.lines[0]
    assert shown.numbers["picture"]["shape"] == [1, 8, 8]
    with pytest.raises(Mistake, match="needs a picture"):
        backprop(QUICK, network=str(Path(run) / "model"))


@pytest.mark.slow
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
