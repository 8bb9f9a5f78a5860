"""Through a real network, layer by layer: what each gives for a picture, and the gradient there."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from hubel.labs.lab import Drawing, Setting, Shown
from hubel.labs.learning import grey_pictures, learn
from hubel.mistakes import Mistake, unknown
from hubel.model import Classifier
from hubel.networks import catalogue, weights
from hubel.report.drawing import INK, panels, png, style
from hubel.verbs.load import load

MOST_LAYERS, ACROSS = 11, 6  # in the picture: of more, some spread evenly; side by side
MOST_PARAMETERS = 5_000_000  # of what is trained here for a moment
SILENT = (nn.Flatten, nn.Dropout, nn.Identity)  # they change nothing that could be seen


class Layer(NamedTuple):
    """A layer's output for one picture, and the loss's gradient along it, both without batch."""

    name: str
    kind: str
    output: Tensor
    gradient: Tensor


def through(setting: Setting, network: str, image: str | os.PathLike[str] | None = None) -> Shown:
    """A picture forward through a network, and the gradient of its loss back.

    network: of the catalogue, trained for a moment, or a run or model folder. image: a file; the
    default is a test picture of the data that the network was trained on here.
    """
    classifier, picture, label, what = _opened(setting, network, image)
    found = layers(classifier, picture, label)
    lines = [what, f"{'layer':24} {'output':>14} {'mean |output|':>14} {'mean |gradient|':>16}"]
    lines += [
        f"{layer.name:24} {_sides(layer.output):>14} {_mean(layer.output):>14.3g} "
        f"{_mean(layer.gradient):>16.3g}"
        for layer in found
    ]
    return Shown(
        findings=(),
        drawings=(
            Drawing(
                "layers",
                _picture(picture, found),
                f"{what} Each layer's strongest map, and the gradient of the loss along it: light "
                "where more would raise the loss, dark where it would lower it, grey is none.",
            ),
        ),
        numbers={
            layer.name: {
                "shape": list(layer.output.shape),
                "output": _mean(layer.output),
                "gradient": _mean(layer.gradient),
            }
            for layer in found
        },
        lines=tuple(lines),
    )


def layers(classifier: Classifier, picture: Tensor, label: int) -> list[Layer]:
    """Every layer's output for a picture (C, H, W), and the cross-entropy's gradient along it.

    In evaluation mode; modes, gradients and hooks are left as found.
    """
    modes = [(module, module.training) for module in classifier.modules()]
    classifier.eval()
    try:
        with torch.enable_grad(), _kept(classifier.network) as kept:
            logits = classifier(picture[None])
            loss = nn.functional.cross_entropy(logits, torch.tensor([label]))
            outputs = [output for _, _, output in kept]
            gradients = torch.autograd.grad(loss, outputs)
    finally:
        for module, mode in modes:
            module.training = mode
    return [
        Layer(name, kind, output.detach()[0], gradient[0])
        for (name, kind, output), gradient in zip(kept, gradients, strict=True)
    ]


@contextmanager
def _kept(network: nn.Module) -> Iterator[list[tuple[str, str, Tensor]]]:
    """Inside, all layers' outputs are kept; copies go on, which in-place layers may change."""
    found: list[tuple[str, str, Tensor]] = []
    handles = []
    for name, module in network.named_modules():
        if next(module.children(), None) is not None or isinstance(module, SILENT):
            continue

        def keep(module: nn.Module, _inputs: object, output: Tensor, name: str = name) -> Tensor:
            found.append((name, type(module).__name__, output))
            return output.clone()

        handles.append(module.register_forward_hook(keep))
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


def _opened(
    setting: Setting, name: str, image: str | os.PathLike[str] | None
) -> tuple[Classifier, Tensor, int, str]:
    """The classifier, a picture (C, H, W), the class the loss is of, and what all that is."""
    told = f"{name} as it is"
    own: tuple[Tensor, int] | None = None
    here = Path(name).exists() or name in weights.PUBLISHED
    if not here and name not in catalogue.CATALOGUE:
        raise unknown("network, run or model folder", name, catalogue.CATALOGUE)
    if not here:
        entry = catalogue.entry(name)
        side = entry.size[0] if entry.size else None
        data = grey_pictures(setting.pick(300, 4000, 20000), 20, seed=setting.seed, side=side)
        torch.manual_seed(setting.seed)
        made = catalogue.build(
            name, classes=len(data.classes), channels=1, size=tuple(data.train.shape[2:])
        )
        count = sum(p.numel() for p in made.parameters())
        if count > MOST_PARAMETERS:
            raise Mistake(
                f"{name} has {count:,} parameters, too many to be trained for a moment: take a "
                "smaller network, lenet5 for one, or a run of your own."
            )
        learned = learn(
            made, data, epochs=setting.pick(1, 3, 5), lr=0.02, seed=setting.seed,
            progress=lambda done, total: setting.watch.progress("train", done, total),
        )  # fmt: skip
        classifier = learned.classifier
        told = f"{name}, trained for a moment on {len(data.train):,} pictures of {data.what}"
        own = data.test[0].float() / 255, int(data.test_labels[0])
    else:
        classifier = load(name)
    if image is not None:
        picture = classifier.read(image)
        label = int(classifier.probabilities(picture[None]).argmax())
        what = f"{told}; the loss is that of its own answer, {classifier.classes[label]!r}."
        return classifier, picture, label, what
    if own is None:
        raise Mistake(f"{name} needs a picture: hubel lab backprop --network {name} PICTURE.")
    picture, label = own
    return classifier, picture, label, f"{told}; a test picture, {classifier.classes[label]!r}."


def _picture(picture: Tensor, found: list[Layer]) -> bytes:
    spread = torch.linspace(0, len(found) - 1, min(MOST_LAYERS, len(found))).round().int()
    shown = [found[int(i)] for i in spread]
    columns = min(ACROSS, len(shown) + 1)
    bands = -(-(len(shown) + 1) // columns)
    with style():
        figure, axes = panels(2 * bands, columns, width=118, height=124)
        for one in axes:
            one.set_axis_off()
        axes[0].imshow(_colours(picture).numpy(), cmap="gray", vmin=0, vmax=1)
        axes[0].set_title("picture", size=9, color=INK)
        for i, layer in enumerate(shown, 1):
            place = 2 * columns * (i // columns) + i % columns
            above, below = axes[place], axes[place + columns]
            output, gradient = _strongest(layer)
            above.imshow(output.numpy(), cmap="gray", interpolation="nearest")
            above.set_title(f"{layer.name}\n{_sides(layer.output)}", size=9, color=INK)
            limit = float(gradient.abs().max()) or 1.0
            below.imshow(
                gradient.numpy(), cmap="gray", vmin=-limit, vmax=limit, interpolation="nearest"
            )
            below.set_title(f"gradient ±{limit:.1g}", size=9, color=INK)
        return png(figure)


def _strongest(layer: Layer) -> tuple[Tensor, Tensor]:
    """The map with the largest mean output, and its gradient; a vector as a block of rows."""
    if layer.output.ndim == 3:
        best = int(layer.output.mean((1, 2)).argmax())
        return layer.output[best], layer.gradient[best]
    n = layer.output.numel()
    rows = next(r for r in range(int(n**0.5), 0, -1) if n % r == 0)
    return layer.output.reshape(rows, -1), layer.gradient.reshape(rows, -1)


def _colours(picture: Tensor) -> Tensor:
    return picture[0] if len(picture) == 1 else picture.permute(1, 2, 0)


def _sides(x: Tensor) -> str:
    return "×".join(map(str, x.shape))


def _mean(x: Tensor) -> float:
    return float(x.abs().mean())
