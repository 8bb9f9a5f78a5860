"""What is no logits of the classes is refused in one sentence, by whoever sees an answer."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import hubel
from hubel.breaking.attacks import ATTACKS
from hubel.breaking.gradient import pgd
from hubel.breaking.minimal import deepfool
from hubel.breaking.norms import L2
from hubel.breaking.robustness import robustness
from hubel.breaking.search import search
from hubel.logits import answered, checked
from hubel.mistakes import Failure, Mistake
from hubel.model import Classifier, Heads
from hubel.pixels import PixelSpec
from hubel.training.loop import as_given
from hubel.understanding.occlusion import occlude
from hubel.understanding.perturbation import perturbation
from hubel.understanding.saliency import gradient, of_class

SIDE = 8
CLASSES = ("cat", "dog")


class Answering(nn.Module):
    """Two logits of a picture, and what `told` makes of them."""

    def __init__(self, told: Callable[[Tensor], Any] = lambda logits: logits) -> None:
        super().__init__()
        self.told = told
        self.conv, self.relu = nn.Conv2d(3, 2, 3), nn.ReLU()
        generator = torch.Generator().manual_seed(0)
        for parameter in self.parameters():
            parameter.data = torch.randn(parameter.shape, generator=generator)

    def forward(self, x: Tensor) -> Any:
        return self.told(self.relu(self.conv(x)).mean((2, 3)))


# what a network answers with → what is said of it
NONE: dict[str, tuple[Callable[[Tensor], Any], str]] = {
    "one logit": (lambda y: y[:, :1], r"one number for each image: let it return torch\.cat"),
    "one number": (lambda y: y[:, 0], r"one number for each image: let it return torch\.cat"),
    "three classes": (lambda y: torch.cat((y, y[:, :1]), 1), r"float32 \(\d+, 3\)"),
    "maps": (lambda y: y[:, :, None, None], r"float32 \(\d+, 2, 1, 1\)"),
    "numbers of classes": (lambda y: y.argmax(1), r"int64 \(\d+,\)"),
    "another batch": (lambda y: torch.cat((y, y)), r"float32 \(\d+, 2\) for a batch of \d+"),
    "tuple": (lambda y: (y, y), "a tuple of 2: wrap it"),
    "dict": (lambda y: {"logits": y, "loss": None}, "a dict of 'logits', 'loss': wrap it"),
    "nothing": (lambda _: None, "a NoneType: wrap it"),
}
NOT_FINITE = "The network's answers are not finite"


def classifier(told: Callable[[Tensor], Any]) -> Classifier:
    return Classifier(Answering(told), classes=CLASSES, pixels=PixelSpec((SIDE, SIDE), 3)).eval()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root, rng = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    for name in CLASSES:
        (root / name).mkdir()
        for i in range(3):
            pixels = rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / name / f"{i}.png")
    return root


VERBS: dict[str, Callable[[Classifier, Path, Path], object]] = {
    "predict": lambda model, data, _: hubel.predict(model, data),
    "evaluate": lambda model, data, _: hubel.evaluate(model, data),
    "look": lambda model, data, out: hubel.look(model, data / "cat" / "0.png", out=out),
    "attack": lambda model, data, out: hubel.attack(model, data, out=out),
    "corrupt": lambda model, data, out: hubel.corrupt(model, data, out=out),
    "fool": lambda model, _, out: hubel.fool(model, evaluations=4, offspring=4, out=out),
    "shape": lambda model, data, out: hubel.shape_bias(model, data, method="patch", out=out),
    "occlude": lambda model, *_: occlude(model, torch.rand(3, SIDE, SIDE)),
    "probabilities": lambda model, *_: model.probabilities(torch.rand(2, 3, SIDE, SIDE)),
}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("name", NONE)
def test_no_verb_takes_it_for_logits(name: str, verb: str, folder: Path, tmp_path: Path) -> None:
    told, said = NONE[name]
    sentence = f"answers with logits .N, K., one for each of its 2 classes; this one .*{said}"
    with pytest.raises(Mistake, match=sentence) as wrong:
        VERBS[verb](classifier(told), folder, tmp_path / "out")
    assert str(wrong.value).count("\n") == 0
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("verb", VERBS)
def test_no_verb_believes_what_is_not_finite(verb: str, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(Failure, match=NOT_FINITE):
        VERBS[verb](classifier(lambda y: y * torch.nan), folder, tmp_path / "out")


X, LABELS = torch.rand(2, 3, SIDE, SIDE), torch.tensor([0, 1])
# Any module, also one that no Classifier is built around: what is asked of it.
ASKED: dict[str, Callable[[nn.Module], object]] = {
    "pgd": lambda net: pgd(net, X, LABELS, epsilon=0.1, steps=2),
    "pgd, L2, restarts": lambda net: pgd(
        net, X, LABELS, epsilon=0.5, norm=L2, steps=2, restarts=2, seed=0
    ),
    "search": lambda net: search(net, X, LABELS, epsilon=0.1, queries=3),
    "deepfool": lambda net: deepfool(net, X),
    "occlude": lambda net: occlude(net, X[0]),
    "gradient": lambda net: gradient(net, X, of_class(0)),
    "perturbation": lambda net: perturbation(net, X, X[:, 0], kind="deletion"),
    "loss": lambda net: as_given(net, X, LABELS, nn.functional.cross_entropy),
    **{
        f"robustness, {name}": lambda net, row=row: list(  # type: ignore[misc]
            robustness(net, X, LABELS, row, [0.1])
        )
        for name, row in ATTACKS.items()
    },
}


@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize("name", [name for name in NONE if name != "three classes"])
def test_nothing_is_asked_of_any_network_that_does_not_answer_so(name: str, asked: str) -> None:
    told, said = NONE[name]
    with pytest.raises(Mistake, match=said):
        ASKED[asked](Answering(told))


@pytest.mark.parametrize("asked", [name for name in ASKED if name != "loss"])
def test_no_attack_counts_what_is_not_finite(asked: str) -> None:
    with pytest.raises(Failure, match="not finite"):
        ASKED[asked](Answering(lambda y: y * torch.nan))


def test_one_logit_as_two_is_what_the_sentence_says() -> None:
    """The network that is proposed gives the sigmoid's probability, and the same gradient."""
    alone = Answering(lambda y: y[:, :1])
    two = classifier(lambda y: torch.cat((torch.zeros_like(y[:, :1]), y[:, :1]), 1))
    x = torch.rand(5, 3, SIDE, SIDE)
    chance = torch.sigmoid(alone((x - two.mean) / two.std))
    torch.testing.assert_close(two.probabilities(x), torch.cat((1 - chance, chance), 1))


def test_logits_are_as_exact_as_the_pixels() -> None:
    x = torch.rand(4, 3, SIDE, SIDE)
    for dtype in (torch.half, torch.bfloat16, torch.float32, torch.float64):
        model = classifier(lambda y: y).to(dtype)
        assert model(x).dtype == torch.float32
        assert model(x.double()).dtype == torch.float64
        assert model(x.half()).dtype == torch.float32
        assert answered(Answering().to(dtype), x.to(dtype)).dtype == dtype
    assert checked(torch.zeros(0, 2), 0, classes=2).shape == (0, 2)


def test_heads_beside_the_logits_are_asked_too() -> None:
    model = classifier(lambda y: Heads(y, (y.half(), y), 0.3)).train()
    found = model(torch.rand(2, 3, SIDE, SIDE))
    assert isinstance(found, Heads)
    assert [each.dtype for each in found.auxiliary] == [torch.float32] * 2
    with pytest.raises(Mistake, match="one number for each image"):
        classifier(lambda y: Heads(y, (y[:, 0],), 0.3))(torch.rand(2, 3, SIDE, SIDE))


def test_a_search_believes_no_answer_on_its_way() -> None:
    """What is finite at the picture, and NaN a step away from it, fools nobody."""
    clean = Answering()(X).detach()
    net = Answering(lambda y: y if torch.equal(y, clean) else y * torch.nan)
    with pytest.raises(Failure, match="not finite"):
        search(net, X, clean.argmax(1), epsilon=0.1, queries=5)
