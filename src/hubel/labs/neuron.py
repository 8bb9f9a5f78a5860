"""One neuron on real pixels: a weighted sum, and a threshold at 0 (Rosenblatt 1958)."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from hubel.figures import percent
from hubel.labs.lab import Finding, Setting
from hubel.labs.learning import Pictures


class Neuron(NamedTuple):
    """One unit: the class it is for, its weights (H, W), its sums on test pictures and which of
    these are of its class, the share it is right on, and lines to print."""

    name: str
    weights: Tensor
    sums: Tensor
    wanted: Tensor
    accuracy: float
    lines: tuple[str, ...]


def neuron(setting: Setting, data: Pictures) -> tuple[Finding, Neuron]:
    """One unit that learned: is a picture of the first test picture's class, or of another?"""
    target = int(data.test_labels[0])
    x, test = (part.flatten(1).float() / 255 for part in (data.train, data.test))
    wanted = data.test_labels == target
    unit = _learned(x, (data.train_labels == target).float(), setting.pick(60, 200, 1000))
    with torch.no_grad():
        sums = unit(test)[:, 0]
    weights, pixels, bias = unit.weight[0].tolist(), test[0].tolist(), unit.bias.item()
    terms = [w * pixel for w, pixel in zip(weights, pixels, strict=True)]
    total = sum(terms) + bias  # by hand
    right = float(((sums > 0) == wanted).double().mean())
    never = float((~wanted).double().mean())
    name = data.classes[target]
    finding = Finding(
        "L8",
        f"One unit with a threshold at 0 tells {name!r} from all other classes on {percent(right)} "
        f"of the test pictures ({percent(never)} would be right by always saying no); its weighted "
        f"sum, added up by hand, is {_signed(total)}, the layer's is {_signed(float(sums[0]))}.",
        right > never and abs(total - float(sums[0])) < 1e-4,
        f"{len(test):,} test pictures of {data.what}",
    )
    lines = (
        f"one neuron for {name!r}, on the same picture: {len(terms)} weights, one for each pixel",
        f"  Σ w x = {_largest(weights, pixels, terms)}",
        f"  Σ w x + b = {_signed(sum(terms))} + ({_signed(bias)}) = {_signed(total)}, "
        f"{'above' if total > 0 else 'not above'} 0: {'yes' if total > 0 else 'no'}",
    )
    shown = unit.weight.detach().view(data.train.shape[2:])
    return finding, Neuron(name, shown, sums, wanted, right, lines)


def _learned(x: Tensor, y: Tensor, steps: int) -> nn.Linear:
    """A unit from 0 on, by gradient descent on all pictures; y: 1 for its class, else 0."""
    unit = nn.Linear(x.shape[1], 1)
    nn.init.zeros_(unit.weight)
    nn.init.zeros_(unit.bias)
    optimiser = torch.optim.SGD(unit.parameters(), lr=0.1, momentum=0.9)
    for _ in range(steps):
        optimiser.zero_grad()
        loss = nn.functional.binary_cross_entropy_with_logits(unit(x)[:, 0], y)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return unit


def _largest(weights: list[float], pixels: list[float], terms: list[float], most: int = 3) -> str:
    """The largest terms of the sum written out, and what the others come to."""
    order = sorted(range(len(terms)), key=lambda i: -abs(terms[i]))[:most]
    written = " + ".join(f"({_signed(weights[i])})·{pixels[i]:.2f}" for i in order)
    rest = sum(terms) - sum(terms[i] for i in order)
    others = len(terms) - len(order)
    return f"{written} + ({_signed(rest)} of {others} others) = {_signed(sum(terms))}"


def _signed(value: float) -> str:
    return f"{value:.3f}".replace("-", "−")
