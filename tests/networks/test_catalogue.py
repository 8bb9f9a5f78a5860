"""Every network of the catalogue: it builds, answers, and keeps the house's rules."""

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

import pytest
import torch
from _pytest.mark import ParameterSet
from torch import Tensor, nn

from hubel.mistakes import Mistake
from hubel.model import Heads
from hubel.networks import catalogue
from hubel.networks.catalogue import CATALOGUE

# A family's members that differ in number of layers alone: the others stand for them.
DEEP = re.compile(r"(resnet|plain)(32|44|56|110|34|101|152)|vgg(13|16|19)(-bn)?$")
# Those that stand for their variants in `make test`.
USUAL = re.compile(
    r"linear|mlp|small|lenet5|alexnet-2014|vgg11|googlenet-bn|(resnet|plain)(18|20)|resnet50"
)


def some(names: Iterable[str]) -> list[ParameterSet]:
    """All of them; the variants of a family in `make slow`."""
    return [pytest.param(n, marks=() if USUAL.fullmatch(n) else pytest.mark.slow) for n in names]


NAMES = [name for name in CATALOGUE if not DEEP.match(name)]
SHALLOW = some(NAMES)
# Networks for photographs are tried on the smallest ones that they take, or a little larger.
SMALLER = {"alexnet": 79, "vgg": 32, "googlenet": 95, "resnet": 48, "plain": 48}


def size(name: str) -> tuple[int, int]:
    row = CATALOGUE[name]
    family = re.sub(r"\d.*|-.*", "", name)
    side = SMALLER.get(family) if row.classes == 1000 else None
    return (side, side) if side else row.usual_size


def built(name: str, **changes: Any) -> nn.Module:
    row = CATALOGUE[name]
    torch.manual_seed(0)
    arguments = {"classes": min(row.classes, 10), "channels": row.channels, "size": size(name)}
    return catalogue.build(name, **{**arguments, **changes})


def pixels(name: str, n: int = 2, channels: int | None = None) -> Tensor:
    row = CATALOGUE[name]
    generator = torch.Generator().manual_seed(0)
    return torch.randn(n, channels or row.channels, *size(name), generator=generator)


@pytest.mark.parametrize("name", CATALOGUE)
def test_as_published_it_gives_a_score_for_each_class(name: str) -> None:
    row = CATALOGUE[name]
    with torch.device("meta"):  # shapes alone, at the published size
        network = built(name, classes=row.classes, size=row.usual_size).eval()
        batch = torch.empty(2, row.channels, *row.usual_size)
    assert network(batch).shape == (2, row.classes)


@pytest.mark.parametrize("name", SHALLOW)
def test_answers_are_finite_and_a_batch_is_its_singles(name: str) -> None:
    network = built(name).eval()
    with torch.no_grad():
        batch = network(pixels(name))
        singles = torch.cat([network(x[None]) for x in pixels(name)])
        assert batch.shape == (2, 10)
        assert torch.isfinite(batch).all()
        scale = float(batch.abs().max())
        assert torch.allclose(batch, singles, rtol=0, atol=1e-5 * max(scale, 1.0))
        assert network(pixels(name)[:0]).shape == (0, 10)


@pytest.mark.parametrize("name", some(CATALOGUE))
def test_no_module_is_used_twice_and_every_relu_is_one(name: str) -> None:
    with torch.device("meta"):
        network = built(name).train()  # auxiliary heads are used in training only
    calls: Counter[str] = Counter()
    handles = [
        module.register_forward_hook(lambda *_, key=key: calls.update([key]))
        for key, module in network.named_modules()
    ]
    with torch.no_grad():
        network(pixels(name).to("meta"))
    for handle in handles:
        handle.remove()
    assert max(calls.values()) == 1
    leaves = {key for key, module in network.named_modules() if not list(module.children())}
    assert leaves <= calls.keys(), "a module that forward does not use"


@pytest.mark.parametrize("name", some(n for n in NAMES if n != "lenet5-1998"))
def test_other_classes_and_channels(name: str) -> None:
    network = built(name, classes=7, channels=2).eval()
    with torch.no_grad():
        assert network(pixels(name, channels=2)).shape == (2, 7)


@pytest.mark.parametrize("name", SHALLOW)
def test_gradients_reach_every_parameter(name: str) -> None:
    network = built(name).train()
    made = network(pixels(name))
    outputs = (made.logits, *made.auxiliary) if isinstance(made, Heads) else (made,)
    torch.stack([output.square().sum() for output in outputs]).sum().backward()
    assert not [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()]


@pytest.mark.parametrize(
    "name",
    [
        "small",
        "resnet20",
        "efficientnet-lite0",
        "lenet5",
        "vgg16",
        "alexnet-2014",
        "googlenet-2014",
    ],
)
def test_too_small_is_a_mistake_with_the_size(name: str) -> None:
    with pytest.raises(Mistake, match="2×2"):
        built(name, size=(2, 2))


def test_small_takes_every_small_size() -> None:
    for side in (4, 8, 15, 16, 28, 64):
        network = catalogue.build("small", classes=3, channels=3, size=(side, side + 1))
        assert network(torch.randn(2, 3, side, side + 1)).shape == (2, 3)


@pytest.mark.parametrize("name", CATALOGUE)
@pytest.mark.parametrize(
    "wrong", [{"classes": 0}, {"channels": -1}, {"classes": 2.5}, {"size": (0, 32)}, {"size": 32}]
)
def test_counts_that_are_none(name: str, wrong: dict[str, Any]) -> None:
    [(key, value)] = wrong.items()
    with pytest.raises(Mistake, match=rf"^{key} is .*{re.escape(repr(value))}\.$"):
        built(name, **wrong)


def test_unknown_names_and_arguments() -> None:
    with pytest.raises(Mistake, match="'resnet20'"):
        catalogue.build("resnet-20", classes=2, channels=3, size=(32, 32))
    with pytest.raises(Mistake, match="'depht'"):
        built("mlp", depht=3)
    with pytest.raises(Mistake, match="relu"):
        built("mlp", activation="rellu")


@pytest.mark.parametrize(
    ("name", "wrong", "said"),
    [
        *((name, {"dropout": 1.5}, r"not 1\.5") for name in ("mlp", "small", "lenet5")),
        ("efficientnet-lite0", {"dropout": -0.1}, r"not -0\.1"),
        ("mlp", {"hidden": (0,)}, r"not \(0,\)"),
        ("mlp", {"hidden": [2.5]}, r"not \[2\.5\]"),
        ("small", {"widths": (16, 32)}, r"not \(16, 32\)"),
        ("small", {"widths": [1, 2.5, 3]}, r"not \[1, 2\.5, 3\]"),
    ],
)
def test_values_that_a_family_refuses(name: str, wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(Mistake, match=said):
        built(name, **wrong)


def test_mlp_with_every_activation_and_dropout() -> None:
    for activation in ("sigmoid", "tanh", "relu", "leaky-relu", "elu", "maxout"):
        network = built("mlp", activation=activation, hidden=(16, 8), dropout=0.1)
        assert network(pixels("mlp")).shape == (2, 10)
    assert "dropout2" in dict(network.named_children())


def test_linear_is_a_matrix() -> None:
    network = built("linear")
    x = pixels("linear")
    weight, bias = network.get_parameter("score.weight"), network.get_parameter("score.bias")
    assert weight.shape == (10, 3072)
    assert torch.allclose(network(x), x.flatten(1) @ weight.T + bias, atol=1e-5)


def test_what_is_kept_of_a_network_has_its_defaults() -> None:
    kept = catalogue.complete("small", classes=3, channels=1, size=(8, 8))
    assert kept["widths"] == (16, 32, 64)  # a later default must not change a saved model
    assert kept["dropout"] == 0.0
    assert catalogue.complete("resnet20", classes=3, channels=1, size=(8, 8)) == {
        "classes": 3,
        "channels": 1,
        "size": (8, 8),
    }
