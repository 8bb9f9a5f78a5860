"""Through a real network, layer by layer: what each gives for a picture, and the gradient there."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from hubel.labs.lab import Drawing, Setting, Shown
from hubel.labs.subject import subject
from hubel.model import Classifier, evaluating
from hubel.report.drawing import INK, panels, png, style
from hubel.twins import around

MOST_LAYERS, ACROSS = 12, 6  # in the picture: of more, some spread evenly; side by side
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
    default is a test picture of the data that the network was trained on.
    """
    classifier, picture, label, what = subject(setting, network, image)
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
                _picture(found),
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
    """The picture (C, H, W), then all layers' outputs; the cross-entropy's gradient along each.

    Layers in the order in which they answer, reused ones as often as they do; those that give
    something else than one tensor of numbers, or nothing that the loss depends on, are left out.
    In evaluation mode; modes, gradients and hooks are left as found, frozen weights frozen.
    """
    given = picture[None].detach().clone().requires_grad_()
    with evaluating(classifier) as classifier, torch.enable_grad():
        with _kept(classifier.network) as kept:
            logits = classifier(given)
        loss = nn.functional.cross_entropy(logits, torch.tensor([label]))
        rows = [("picture", "", given), *kept]
        outputs = [output for _, _, output in rows]
        gradients = torch.autograd.grad(loss, outputs, allow_unused=True)
    return [
        Layer(name, kind, output.detach()[0], gradient[0])
        for (name, kind, output), gradient in zip(rows, gradients, strict=True)
        if gradient is not None
    ]


@contextmanager
def _kept(network: nn.Module) -> Iterator[list[tuple[str, str, Tensor]]]:
    """Inside, all layers' outputs are kept; copies go on, which in-place layers may change."""
    found: list[tuple[str, str, Tensor]] = []

    def keep(name: str, kind: str, output: object) -> object:
        if not isinstance(output, Tensor) or not output.requires_grad:
            return output
        found.append((name or kind, kind, output))
        return output.clone()

    after = [
        (module, partial(keep, name, type(module).__name__))
        for name, module in network.named_modules()
        if next(module.children(), None) is None and not isinstance(module, SILENT)
    ]
    with around([], after):
        yield found


def _picture(found: list[Layer]) -> bytes:
    spread = torch.linspace(0, len(found) - 1, min(MOST_LAYERS, len(found))).round().int()
    shown = [found[int(i)] for i in spread]
    columns = min(ACROSS, len(shown))
    bands = -(-len(shown) // columns)
    with style():
        figure, axes = panels(2 * bands, columns, width=118, height=124)
        for one in axes:
            one.set_axis_off()
        for i, layer in enumerate(shown):
            place = 2 * columns * (i // columns) + i % columns
            above, below = axes[place], axes[place + columns]
            output, gradient = _strongest(layer)
            if i == 0:
                output = _colours(layer.output)
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
