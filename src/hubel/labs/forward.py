"""Signals fed forward: one neuron, then a two-layer network, number by number on a real picture."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from hubel.labs.lab import Drawing, Finding, Setting, Shown
from hubel.labs.learning import Pictures, accuracy, grey_pictures, learn
from hubel.model import Classifier
from hubel.networks import catalogue
from hubel.report.drawing import ACCENT, INK, MUTED, panels, png, style

HIDDEN = 32


class Neuron(NamedTuple):
    """One unit: the class it is for, its weights (H, W), its sums on test pictures and which of
    these are of its class, the share it is right on, and a line to print."""

    name: str
    weights: Tensor
    sums: Tensor
    wanted: Tensor
    accuracy: float
    line: str


def forward(setting: Setting) -> Shown:
    """A neuron with a threshold, and a network with softmax outputs, computed by hand."""
    n = setting.pick(600, 6000, 60000)
    data = grey_pictures(n, setting.pick(200, 2000, 10000), seed=setting.seed)
    network = _trained(setting, data)
    steps = by_hand(network, data.test[0])
    with torch.no_grad():
        logits = network(data.test[:1].float() / 255)
        probabilities = logits.softmax(1)[0]
    off = float((torch.tensor(steps["scores"]) - logits[0]).abs().max())
    extreme = torch.softmax(torch.tensor([1e4, -1e4, 0.0]), 0)
    right = accuracy(network, data.test, data.test_labels)
    neuron, one = _neuron(setting, data)
    told = ", ".join(f"{x:.2f}" for x in steps["hidden"][:6])
    scores = ", ".join(f"{x:.1f}".replace("-", "−") for x in steps["scores"])
    first = data.classes[int(data.test_labels[0])]
    return Shown(
        findings=(
            Finding(
                "L5",
                f"A picture's {data.test[0].numel()} numbers, {HIDDEN} hidden units and "
                f"{len(data.classes)} outputs, added up one by one, differ from the network's "
                f"answer by at most {off:.1g}; the probabilities sum to "
                f"{float(probabilities.sum()):.6f}, and stay finite for scores of ±10,000. The "
                f"network names {right:.1%} of the test pictures.",
                off < 1e-3
                and abs(float(probabilities.sum()) - 1) < 1e-6
                and bool(torch.isfinite(extreme).all()),
                f"{len(data.test):,} test pictures of {data.what}",
            ),
            neuron,
        ),
        drawings=(
            Drawing(
                "forward",
                _picture(data, steps, one),
                f"A test picture ({first}), the hidden units' outputs, the probabilities; right, "
                "the weights of one neuron that tells one class from all others (light: for it), "
                "and its weighted sums on test pictures, with the threshold at 0.",
            ),
        ),
        numbers={"off": off, "accuracy": right, "neuron": one.accuracy},
        lines=(
            f"a test picture x ({first}) → {HIDDEN} hidden z = relu(W1 x + b1) = ({told}, …)",
            f"scores W2 z + b2 = ({scores})",
            "softmax = (" + ", ".join(f"{x:.3f}" for x in probabilities.tolist()) + ")",
            one.line,
        ),
    )


def _trained(setting: Setting, data: Pictures) -> Classifier:
    torch.manual_seed(setting.seed)
    size = tuple(data.train.shape[2:])
    made = catalogue.build(
        "mlp", classes=len(data.classes), channels=1, size=size, hidden=(HIDDEN,)
    )
    return learn(
        made, data, epochs=setting.pick(3, 5, 10), lr=0.02, seed=setting.seed, on_train=0,
        progress=lambda done, total: setting.watch.progress("train", done, total),
    ).classifier  # fmt: skip


def by_hand(classifier: Classifier, image: Tensor) -> dict[str, list[float]]:
    """The hidden units and scores of an mlp with one hidden layer of ReLUs, by plain sums.

    image: uint8 (1, H, W). Nothing of torch's arithmetic is used.
    """
    mean, std = classifier.pixels.mean[0], classifier.pixels.std[0]
    x = [(value / 255 - mean) / std for value in image.flatten().tolist()]

    def layer(name: str, given: list[float]) -> list[float]:
        weights = classifier.network.get_parameter(f"{name}.weight").tolist()
        biases = classifier.network.get_parameter(f"{name}.bias").tolist()
        return [
            sum(w * value for w, value in zip(row, given, strict=True)) + b
            for row, b in zip(weights, biases, strict=True)
        ]

    hidden = [max(0.0, value) for value in layer("fc1", x)]
    return {"hidden": hidden, "scores": layer("score", hidden)}


def _neuron(setting: Setting, data: Pictures) -> tuple[Finding, Neuron]:
    """One unit with a threshold: is it the first test picture's class, or another?"""
    target = int(data.test_labels[0])
    x, test = (part.flatten(1).float() / 255 for part in (data.train, data.test))
    y, wanted = data.train_labels == target, data.test_labels == target
    unit = nn.Linear(x.shape[1], 1)
    nn.init.zeros_(unit.weight)
    nn.init.zeros_(unit.bias)
    optimiser = torch.optim.SGD(unit.parameters(), lr=0.1, momentum=0.9)
    for _ in range(setting.pick(60, 200, 1000)):
        optimiser.zero_grad()
        loss = nn.functional.binary_cross_entropy_with_logits(unit(x)[:, 0], y.float())
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    with torch.no_grad():
        sums = unit(test)[:, 0]
        weighted = sum(
            w * value for w, value in zip(unit.weight[0].tolist(), test[0].tolist(), strict=True)
        )
        total = weighted + float(unit.bias)
    right = float(((sums > 0) == wanted).double().mean())
    never = float((~wanted).double().mean())
    name = data.classes[target]
    finding = Finding(
        "L8",
        f"One unit with a threshold at 0 tells {name!r} from all other classes on {right:.1%} of "
        f"the test pictures ({never:.1%} would be right by always saying no); its weighted sum, "
        f"added up by hand, is {total:.4g}, the layer's is {float(sums[0]):.4g}.",
        right > never and abs(total - float(sums[0])) < 1e-3,
        f"{len(test):,} test pictures",
    )
    answer = "yes" if total > 0 else "no"
    return finding, Neuron(
        name=name,
        weights=unit.weight.detach().view(data.train.shape[2:]),
        sums=sums,
        wanted=wanted,
        accuracy=right,
        line=f"one neuron for {name!r}: Σ w x + b = {total:.3g}, above 0? {answer}",
    )


def _picture(data: Pictures, steps: dict[str, list[float]], one: Neuron) -> bytes:
    sums, wanted, weights = one.sums, one.wanted, one.weights
    with style():
        figure, axes = panels(1, 5, width=190, height=210)
        axes[0].imshow(data.test[0, 0].numpy(), cmap="gray")
        axes[0].set_title("x", size=10)
        axes[1].barh(range(len(steps["hidden"])), steps["hidden"], color=INK)
        axes[1].set_title("hidden z", size=10)
        axes[1].set_yticks([])
        shares = torch.tensor(steps["scores"]).softmax(0).tolist()
        axes[2].barh(range(len(shares)), shares, color=ACCENT)
        axes[2].set_yticks(range(len(shares)), data.classes, fontsize=8)
        axes[2].invert_yaxis()
        axes[2].set_title("probabilities", size=10)
        limit = float(weights.abs().max())
        axes[3].imshow(weights.numpy(), cmap="gray", vmin=-limit, vmax=limit)
        axes[3].set_title("a neuron's weights", size=10)
        for hidden in (axes[0], axes[3]):
            hidden.set_axis_off()
        bins = torch.linspace(float(sums.min()), float(sums.max()), 41).tolist()
        axes[4].hist(sums[~wanted].numpy(), bins, color=MUTED, alpha=0.8, label="others")
        axes[4].hist(sums[wanted].numpy(), bins, color=ACCENT, alpha=0.9, label=one.name)
        axes[4].axvline(0, color=INK, lw=0.8, ls=(0, (2, 3)))
        axes[4].set_yticks([])
        axes[4].set_title("its sums", size=10)
        axes[4].legend(frameon=False, fontsize=8)
        return png(figure)
