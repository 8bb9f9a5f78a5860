"""What objectives make of their images in a network, and the way up from there."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from hubel.mistakes import Failure
from hubel.understanding.objectives import Objective, measured
from hubel.understanding.prefix import up_to
from hubel.understanding.probes import recording
from hubel.understanding.rectifying import rectifying


def slope_of(scores: Tensor, images: Tensor) -> Tensor:
    """The gradient of each score by its image; 0 where nothing depends on it."""
    if not scores.requires_grad:
        return torch.zeros_like(images)
    return torch.autograd.grad(scores.sum(), images, materialize_grads=True)[0]


def woken(network: nn.Module, images: Tensor, objectives: Sequence[Objective]) -> Tensor:
    """A way for images that have no gradient, because ReLUs are off: the deconvnet's, which asks no
    ReLU whether it is on."""
    leaf = images.detach().requires_grad_()
    with rectifying(network, "deconvnet"):
        return slope_of(looked(network, leaf, objectives)[0], leaf)


def looked(
    network: nn.Module, images: Tensor, objectives: Sequence[Objective]
) -> tuple[Tensor, Tensor]:
    """Each objective's measure of its own image, and the measure its goal is in: both (n,)."""
    layers = list(dict.fromkeys(o.layer for o in objectives if o.layer is not None))
    values: dict[str | None, Tensor] = {}
    if not layers:
        values[None] = network(images)
    elif any(o.layer is None for o in objectives):
        with recording(network, layers) as recorded:
            values[None] = network(images)
        values.update(recorded)
    else:
        values.update(up_to(network, images, layers))
    scores = measured(values, objectives, [o.measure for o in objectives])
    goals = scores.detach()
    if any(o.judged != o.measure for o in objectives):
        with torch.no_grad():
            goals = measured(values, objectives, [o.judged for o in objectives])
    if not bool(scores.isfinite().all()):
        wrong = next(o for o, s in zip(objectives, scores.tolist(), strict=True) if s - s != 0)
        raise Failure(f"The score of {wrong} is not finite: the network cannot be climbed there.")
    return scores.to(images.dtype), goals.to(images.dtype)
