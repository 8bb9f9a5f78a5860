"""Signals fed forward: one neuron, then a two-layer network, number by number on a real picture."""

import math

import torch
from torch import Tensor

from hubel.figures import percent
from hubel.labs.lab import Drawing, Finding, Setting, Shown
from hubel.labs.learning import Pictures, accuracy, answers, grey_pictures, learn
from hubel.labs.neuron import Neuron, neuron
from hubel.model import Classifier
from hubel.networks import catalogue
from hubel.report.drawing import ACCENT, INK, MUTED, legend_under, panels, png, style

HIDDEN = 32
# the outputs → the loss they learn by, and its rate: the sigmoids' loss is a mean over classes
OUTPUTS = {"softmax": ("cross-entropy", 0.02), "sigmoid": ("binary-cross-entropy", 0.2)}


def forward(setting: Setting) -> Shown:
    """A two-layer network with softmax outputs, one with sigmoid outputs, and a neuron, by hand."""
    n = setting.pick(600, 6000, 60000)
    data = grey_pictures(n, setting.pick(200, 2000, 10000), seed=setting.seed)
    networks = {kind: _trained(setting, data, kind) for kind in OUTPUTS}
    steps = {kind: by_hand(network, data.test[0]) for kind, network in networks.items()}
    shares = {"softmax": softmax(steps["softmax"]["scores"]),
              "sigmoid": [sigmoid(score) for score in steps["sigmoid"]["scores"]]}  # fmt: skip
    off = {}
    for kind, function in (("softmax", lambda s: s.softmax(1)), ("sigmoid", torch.sigmoid)):
        by_network = function(answers(networks[kind], data.test[:1]))[0].tolist()
        off[kind] = max(abs(a - b) for a, b in zip(shares[kind], by_network, strict=True))
    right = {kind: accuracy(one, data.test, data.test_labels) for kind, one in networks.items()}
    extreme = [*softmax([1e4, -1e4, 0.0]), sigmoid(1e4), sigmoid(-1e4)]
    found, one = neuron(setting, data)
    total = {kind: sum(values) for kind, values in shares.items()}
    return Shown(
        findings=(
            Finding(
                "L5",
                f"A picture's {data.test[0].numel()} numbers, {HIDDEN} hidden units and "
                f"{len(data.classes)} outputs, added up one by one, give the network's "
                f"probabilities within {off['softmax']:.1g} (softmax, which sum to "
                f"{total['softmax']:.6f}) and {off['sigmoid']:.1g} (sigmoid, each class against "
                f"the rest, which need not: {total['sigmoid']:.3f}), finite for scores of ±10,000 "
                f"too. They name {percent(right['softmax'])} and {percent(right['sigmoid'])} of "
                "the test pictures.",
                max(off.values()) < 1e-5
                and abs(total["softmax"] - 1) < 1e-12
                and extreme == [1.0, 0.0, 0.0, 1.0, 0.0],
                f"{len(data.test):,} test pictures of {data.what}",
            ),
            found,
        ),
        drawings=(
            Drawing(
                "forward",
                _picture(data, steps["softmax"]["hidden"], shares, one),
                f"A test picture ({one.name}), the hidden units' outputs, the probabilities of a "
                "network with softmax and of one with sigmoid outputs; right, the weights of one "
                "neuron that tells one class from all others (light: for it), and its weighted "
                "sums on test pictures, with the threshold at 0.",
            ),
        ),
        numbers={"off": off, "sums": total, "accuracy": right, "neuron": one.accuracy},
        lines=(
            f"a test picture x ({one.name}) → {HIDDEN} hidden units z = relu(W1 x + b1)",
            *(line for kind in OUTPUTS for line in _told(kind, steps[kind], shares[kind])),
            *one.lines,
        ),
    )


def _told(kind: str, steps: dict[str, list[float]], shares: list[float]) -> list[str]:
    return [
        f"{kind} outputs: z = ({', '.join(f'{x:.2f}' for x in steps['hidden'][:6])}, …)",
        f"  scores s = W2 z + b2 = ({', '.join(f'{x:.1f}' for x in steps['scores'])})".replace(
            "-", "−"
        ),
        f"  {kind}(s) = ({', '.join(f'{x:.3f}' for x in shares)})",
    ]


def _trained(setting: Setting, data: Pictures, kind: str) -> Classifier:
    torch.manual_seed(setting.seed)
    size = tuple(data.train.shape[2:])
    made = catalogue.build(
        "mlp", classes=len(data.classes), channels=1, size=size, hidden=(HIDDEN,)
    )
    loss, lr = OUTPUTS[kind]
    return learn(
        made, data, epochs=setting.pick(12, 5, 10), lr=lr, loss=loss, seed=setting.seed, on_train=0,
        progress=lambda done, total: setting.watch.progress("train", done, total, kind),
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


def softmax(scores: list[float]) -> list[float]:
    """exp(s) over their sum, with the largest taken off first, so that none overflows."""
    powers = [math.exp(score - max(scores)) for score in scores]
    return [power / sum(powers) for power in powers]


def sigmoid(score: float) -> float:
    """1 / (1 + exp(−s)), of which exp never sees a number above 0."""
    power = math.exp(-abs(score))
    return (1 if score >= 0 else power) / (1 + power)


def _picture(
    data: Pictures, hidden: list[float], shares: dict[str, list[float]], one: Neuron
) -> bytes:
    sums, wanted, weights = one.sums, one.wanted, one.weights
    with style():
        figure, axes = panels(1, 5, width=190, height=220)
        axes[0].imshow(data.test[0, 0].numpy(), cmap="gray")
        axes[0].set_title("x", size=10)
        axes[1].barh(range(len(hidden)), hidden, color=INK)
        axes[1].set_title("hidden z", size=10)
        axes[1].invert_yaxis()
        axes[1].set_yticks([])
        for (kind, values), up, colour in zip(
            shares.items(), (-0.2, 0.2), (ACCENT, MUTED), strict=True
        ):
            at = [i + up for i in range(len(values))]
            axes[2].barh(at, values, height=0.4, color=colour, label=kind)
        axes[2].set_yticks(range(len(data.classes)), data.classes, fontsize=8)
        axes[2].invert_yaxis()
        legend_under(axes[2], columns=2)
        axes[2].set_title("probabilities", size=10)
        limit = float(weights.abs().max())
        axes[3].imshow(weights.numpy(), cmap="gray", vmin=-limit, vmax=limit)
        axes[3].set_title("a neuron's weights", size=10)
        for bare in (axes[0], axes[3]):
            bare.set_axis_off()
        bins = torch.linspace(float(sums.min()), float(sums.max()), 41).tolist()
        axes[4].hist(sums[~wanted].numpy(), bins, color=MUTED, alpha=0.8, label="others")
        axes[4].hist(sums[wanted].numpy(), bins, color=ACCENT, alpha=0.9, label=one.name)
        axes[4].axvline(0, color=INK, lw=0.8, ls=(0, (2, 3)))
        axes[4].set_yticks([])
        axes[4].set_title("its sums", size=10)
        legend_under(axes[4], columns=2)
        return png(figure)
