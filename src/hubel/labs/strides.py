"""What the stride of the first convolution costs and saves: time, memory, accuracy (claim L22)."""

import statistics
import time
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from hubel import draws
from hubel.figures import percent
from hubel.labs.lab import Drawing, Finding, Setting, Shown
from hubel.labs.learning import Pictures, grey_pictures, learn, spread
from hubel.model import Classifier
from hubel.report.drawing import ACCENT, MUTED, in_percent, panels, png, style
from hubel.training.initialisation import initialise

STRIDES = (1, 2, 3, 4)
BATCH = 128


def strides(setting: Setting) -> Shown:
    """The same network with a larger first stride, trained alike, and its stages on a picture."""
    data = grey_pictures(setting.pick(300, 6000, 20000), setting.pick(200, 2000, 10000))
    starts, epochs = setting.pick(1, 3, 5), setting.pick(1, 3, 6)
    right: dict[int, list[float]] = {stride: [] for stride in STRIDES}
    shown: list[Drawing] = []
    for n in range(starts * len(STRIDES)):
        start, stride = n // len(STRIDES), STRIDES[n % len(STRIDES)]
        net, seed = network(stride, data), draws.integer(setting.seed, "stride", start)
        initialise(net, "he", seed=seed)

        def progress(done: int, total: int, before: int = n) -> None:
            setting.watch.progress("train", before * total + done, starts * len(STRIDES) * total)

        learned = learn(net, data, epochs=epochs, lr=0.03, seed=seed, on_train=0, progress=progress)
        right[stride].append(learned.history[-1]["test_accuracy"] if learned.finite else 0.0)
        if n == 0:
            shown.append(_stages(learned.classifier, net, data.test[:1]))
    memory, ms = _cost(setting, data)
    mean = {stride: statistics.fmean(values) for stride, values in right.items()}
    first, last = STRIDES[0], STRIDES[-1]
    cheaper = all(ms[a] > ms[b] and memory[a] > memory[b] for a, b in pairwise(STRIDES))
    finding = Finding(
        "L22",
        f"From stride {first} to {last} a training step of {BATCH} takes {ms[first]:.3g} → "
        f"{ms[last]:.3g} ms, the maps of a picture {memory[first]:.0f} → {memory[last]:.0f} KiB; "
        f"{percent(mean[first])} → {percent(mean[last])} of the test pictures are answered "
        "rightly.",
        cheaper,
        f"{len(data.train)} {data.what} pictures, {epochs} epochs, {starts} starts",
        f"accuracy {spread(100 * v for v in right[first])} % at stride {first}, "
        f"{spread(100 * v for v in right[last])} % at {last}",
    )
    numbers: dict[str, Mapping[int, Any]] = {
        "milliseconds": ms,
        "kibibytes": memory,
        "accuracy": right,
    }
    return Shown(
        (finding,),
        (*shown, _chart(ms, memory, right)),
        {name: {str(s): value for s, value in row.items()} for name, row in numbers.items()},
    )


def network(stride: int, data: Pictures) -> nn.Sequential:
    """A convolution of that stride, ReLU, pooling; the same once more at stride 1; linear."""
    _, channels, height, width = data.train.shape
    net = nn.Sequential(
        nn.Conv2d(channels, 16, 5, stride, padding=2), nn.ReLU(), nn.MaxPool2d(2, ceil_mode=True),
        nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2, ceil_mode=True), nn.Flatten(),
    )  # fmt: skip
    with torch.no_grad():
        features = net(torch.zeros(1, channels, height, width)).shape[1]
    return net.append(nn.Linear(features, len(data.classes)))


def maps(net: nn.Sequential, x: Tensor) -> Iterator[Tensor]:
    """What each layer makes of x, one after the other."""
    for layer in net:
        x = layer(x)
        yield x


def _cost(setting: Setting, data: Pictures) -> tuple[dict[int, float], dict[int, float]]:
    """By stride: KiB of all maps of one picture, and the median ms of a training step."""
    batch = data.train[:BATCH].float() / 255
    nets = {stride: network(stride, data) for stride in STRIDES}
    memory = {s: sum(x.nbytes for x in maps(net, batch[:1])) / 1024 for s, net in nets.items()}
    times: dict[int, list[float]] = {stride: [] for stride in STRIDES}
    for _ in range(setting.pick(5, 60, 200)):  # in turn, so that a slow moment meets all of them
        for stride, net in nets.items():
            start = time.perf_counter()
            net(batch).square().mean().backward()
            times[stride].append(1000 * (time.perf_counter() - start))
    return memory, {stride: statistics.median(values) for stride, values in times.items()}


def _stages(classifier: Classifier, net: nn.Sequential, image: Tensor) -> Drawing:
    """A picture, its maps after the first convolution, after ReLU, and after pooling."""
    x = (image.float() / 255 - classifier.mean) / classifier.std
    with torch.no_grad():
        made = [stage[0] for stage, _ in zip(maps(net, x), range(3), strict=False)]
    with style():
        figure, axes = panels(1, 4, width=190, height=215)
        axes[0].imshow(image[0, 0].numpy(), cmap="gray_r")
        top = max(float(stage.abs().max()) for stage in made)
        for place, stage, name in zip(
            axes[1:], made, ("convolution", "ReLU", "pooling"), strict=True
        ):
            tiles = nn.functional.pad(stage, (1, 1, 1, 1), value=top)  # lines between the maps
            rows = (
                tiles.reshape(4, 4, *tiles.shape[1:]).permute(0, 2, 1, 3).flatten(2).flatten(0, 1)
            )
            place.imshow(rows.numpy(), cmap="gray", vmin=-top, vmax=top)
            place.set_title(f"{name}: {stage.shape[1]}×{stage.shape[2]}×{len(stage)}", fontsize=9)
        axes[0].set_title(f"a picture: {image.shape[2]}×{image.shape[3]}", fontsize=9)
        for place in axes:
            place.set(xticks=[], yticks=[])
            place.spines[:].set_visible(False)
        text = "The stages of a network: sixteen maps of one picture after each. Grey is 0."
        return Drawing("stages", png(figure), text)


def _chart(
    ms: dict[int, float], memory: dict[int, float], right: dict[int, list[float]]
) -> Drawing:
    with style():
        figure, (time_of, memory_of, accuracy_of) = panels(1, 3, width=210, height=190)
        time_of.plot(list(ms), list(ms.values()), "o-", color=ACCENT)
        memory_of.plot(list(memory), list(memory.values()), "o-", color=ACCENT)
        for stride, values in right.items():
            accuracy_of.plot([stride] * len(values), [100 * v for v in values], "o", color=MUTED)
        means = [100 * statistics.fmean(values) for values in right.values()]
        accuracy_of.plot(list(right), means, "-", color=ACCENT)
        time_of.set(ylabel=f"ms a step of {BATCH}", ylim=(0, None))
        memory_of.set(ylabel="KiB of maps a picture", ylim=(0, None))
        accuracy_of.set(ylabel="right on test pictures")
        in_percent(accuracy_of.yaxis, whole=100)
        for axes in (time_of, memory_of, accuracy_of):
            axes.set_xticks(STRIDES)
            axes.set_xlabel("stride of the first convolution")
        text = "Time, memory and accuracy against the stride; dots are single starts."
        return Drawing("stride", png(figure), text)
