"""Pooling by maximum or sum, overlapping or not: small shifts, and how much a unit sees."""

import statistics
from collections import OrderedDict
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hubel import draws
from hubel.basics.arithmetic import receptive_field
from hubel.figures import percent
from hubel.labs.lab import Drawing, Finding, Setting, Shown
from hubel.labs.learning import Pictures, answers, grey_pictures, learn, spread
from hubel.report.drawing import (
    ACCENT,
    INK,
    MUTED,
    in_percent,
    legend_below,
    panels,
    png,
    style,
)
from hubel.training.initialisation import initialise

# What follows each convolution: the layer, and its (filter, stride). The sums are averages: times a
# constant, without which each would make the signal four or nine times larger for the next layer.
POOLINGS: dict[str, tuple[Callable[[], nn.Module], tuple[int, int]]] = {
    "none": (nn.Identity, (1, 1)),
    "every second": (lambda: nn.MaxPool2d(1, 2), (1, 2)),  # smaller, but nothing is pooled
    "maximum": (lambda: nn.MaxPool2d(2), (2, 2)),
    "sum": (lambda: nn.AvgPool2d(2), (2, 2)),
    "overlapping maximum": (lambda: nn.MaxPool2d(3, 2, padding=1), (3, 2)),
    "overlapping sum": (lambda: nn.AvgPool2d(3, 2, padding=1), (3, 2)),
}
SHIFTS = (1, 2, 3)
LOOK = {  # how each is drawn
    "none": (INK, "-"), "every second": (INK, ":"), "maximum": (ACCENT, "-"), "sum": (MUTED, "-"),
    "overlapping maximum": (ACCENT, "--"), "overlapping sum": (MUTED, "--"),
}  # fmt: skip


def pooling(setting: Setting) -> Shown:
    """The same network with each pooling, trained alike on pictures that are never shifted."""
    data = grey_pictures(setting.pick(300, 5000, 20000), setting.pick(100, 1000, 10000))
    starts, epochs = setting.pick(1, 3, 5), setting.pick(1, 4, 8)
    plan = [(start, name) for start in range(starts) for name in POOLINGS]
    kept: dict[str, list[list[float]]] = {name: [] for name in POOLINGS}
    right: dict[str, list[float]] = {name: [] for name in POOLINGS}
    for n, (start, name) in enumerate(plan):

        def progress(done: int, total: int, before: int = n, name: str = name) -> None:
            setting.watch.progress("train", before * total + done, len(plan) * total, name)

        net, seed = network(name, data), draws.integer(setting.seed, "pooling", start)
        initialise(net, "he", seed=seed)
        learned = learn(net, data, epochs=epochs, lr=0.02, seed=seed, on_train=0, progress=progress)
        right[name].append(learned.history[-1]["test_accuracy"] if learned.finite else 0.0)
        kept[name].append(unmoved(learned.classifier, data.test, data.test_labels))
    seen = {
        name: receptive_field([(3, 1), size, (3, 1), size]) for name, (_, size) in POOLINGS.items()
    }
    extents = {name: extent(name, data) for name in POOLINGS}
    by_one = {name: [curve[0] for curve in curves] for name, curves in kept.items()}
    mean = {name: statistics.fmean(values) for name, values in by_one.items()}
    pooled = [name for name, (_, (filter, _)) in POOLINGS.items() if filter > 1]
    told = "; ".join(f"{name} {percent(mean[name])}, {seen[name]} pixels" for name in POOLINGS)
    finding = Finding(
        "L24",
        "So many right answers stay right when the picture moves by one pixel, and so wide is "
        f"what a unit sees: {told}.",
        all(min(by_one[p]) > max(by_one[q]) for p in pooled for q in ("none", "every second"))
        and seen == extents
        and all(seen[p] > seen["none"] for p in pooled),
        f"{len(data.train)} {data.what} pictures, {epochs} epochs, {starts} starts, 4 directions",
        "; ".join(f"{name} {spread(values)}" for name, values in by_one.items()),
    )
    return Shown(
        (finding,),
        (_chart(kept, right), _fields(data.test[0, 0], seen)),
        {"kept": kept, "accuracy": right, "receptive_field": seen, "measured_field": extents},
        tuple(f"{name}: {percent(statistics.fmean(right[name]))} right" for name in POOLINGS),
    )


def network(name: str, data: Pictures) -> nn.Sequential:
    """Twice 3×3 convolution, ReLU and that pooling; a linear output."""
    _, channels, height, width = data.train.shape
    make, _ = POOLINGS[name]
    net = nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(channels, 8, 3, padding=1), relu1=nn.ReLU(), pool1=make(),
            conv2=nn.Conv2d(8, 16, 3, padding=1), relu2=nn.ReLU(), pool2=make(),
            flatten=nn.Flatten(),
        )
    )  # fmt: skip
    with torch.no_grad():
        features = net(torch.zeros(1, channels, height, width)).shape[1]
    net.add_module("output", nn.Linear(features, len(data.classes)))
    return net


def shifted(images: Tensor, down: int, across: int) -> Tensor:
    """Images (N, C, H, W) moved; what comes in is 0, as the background is."""
    _, _, height, width = images.shape
    padded = F.pad(images, (max(across, 0), max(-across, 0), max(down, 0), max(-down, 0)))
    top, left = max(-down, 0), max(-across, 0)
    return padded[:, :, top : top + height, left : left + width]


def unmoved(classifier: nn.Module, images: Tensor, labels: Tensor) -> list[float]:
    """By shift, in four directions: the share of right answers that stay right."""
    known = answers(classifier, images).argmax(1) == labels
    images, labels = images[known], labels[known]
    shares = []
    for by in SHIFTS if len(labels) else ():
        same = [
            float((answers(classifier, shifted(images, *way)).argmax(1) == labels).double().mean())
            for way in ((by, 0), (-by, 0), (0, by), (0, -by))
        ]
        shares.append(statistics.fmean(same))
    return shares or [0.0] * len(SHIFTS)


def extent(name: str, data: Pictures) -> int:
    """How wide the pixels are that a unit in the middle depends on: by its gradient, measured."""
    net = network(name, data)[:6].double()
    for parameter in net.parameters():
        nn.init.constant_(parameter, 1.0)  # nothing cancels, and every ReLU is on
    generator = torch.Generator().manual_seed(0)
    # a maximum passes its gradient to one pixel: many pictures, and all that any of them shows
    x = torch.rand(100, data.train.shape[1], 32, 32, dtype=torch.float64, generator=generator)
    y = net(x.requires_grad_())
    (slope,) = torch.autograd.grad(y[:, 0, y.shape[2] // 2, y.shape[3] // 2].sum(), x)
    columns = (slope != 0).any(0).any(0).any(0).nonzero()
    return int(columns.max() - columns.min()) + 1


def _chart(kept: dict[str, list[list[float]]], right: dict[str, list[float]]) -> Drawing:
    with style():
        figure, (left, middle) = panels(1, 2, width=340, height=280)
        for name, curves in kept.items():
            colour, dashes = LOOK[name]
            means = [100 * statistics.fmean(column) for column in zip(*curves, strict=True)]
            left.plot(SHIFTS, means, dashes, color=colour, marker="o", ms=3, label=name)
        left.set(xlabel="pixels moved", ylabel="of right answers, stay right", xticks=SHIFTS)
        legend_below(figure, columns=4)
        for axis in (left.yaxis, middle.xaxis):
            in_percent(axis, whole=100)
        for row, (name, values) in enumerate(right.items()):
            percent = [100 * value for value in values]
            middle.plot(percent, [row] * len(percent), "o", color=LOOK[name][0])
        middle.set_yticks(range(len(right)), list(right))
        middle.invert_yaxis()
        middle.set(xlabel="of test pictures, right; a dot a start")
        text = (
            "Test pictures moved: how many stay right of those that were; and accuracy, not moved."
        )
        return Drawing("shifts", png(figure), text)


def _fields(image: Tensor, seen: dict[str, int]) -> Drawing:
    """What a unit behind the second pooling sees of a picture."""
    from matplotlib.patches import Rectangle

    with style():
        figure, axes = panels(1, len(seen), width=120, height=140)
        middle = image.shape[0] / 2 - 0.5
        for place, (name, side) in zip(axes, seen.items(), strict=True):
            place.imshow(image.numpy(), cmap="gray_r", alpha=0.6)
            corner = (middle - side / 2, middle - side / 2)
            place.add_patch(Rectangle(corner, side, side, fill=False, ec=ACCENT, lw=1.8))
            place.set_title(f"{name}: {side}×{side}", fontsize=8)
            place.set(xticks=[], yticks=[])
            place.spines[:].set_visible(False)
        text = (
            "The pixels that one unit sees behind two convolutions of 3×3, each with its pooling."
        )
        return Drawing("receptive-fields", png(figure), text)
