"""How a deep perceptron's signal fares forward, layer by layer, and its gradient backward."""

import itertools

import torch
from torch import Tensor, nn

from hubel.model import Classifier
from hubel.twins import around


def spreads(classifier: Classifier, images: Tensor, labels: Tensor) -> dict[str, list[float]]:
    """The standard deviation of an `mlp`'s hidden signals and of the loss's gradient to them.

    images uint8 (N, C, H, W). "signal" and "gradient": one number a hidden layer, the first to
    last; the gradient is that of each picture's own loss.
    """
    kept: list[Tensor] = []

    def keep(output: Tensor) -> None:
        output.retain_grad()
        kept.append(output)

    children = list(classifier.network.children())
    behind = [b for a, b in itertools.pairwise(children) if isinstance(a, nn.Linear)]
    with around([], [(module, keep) for module in behind]):
        logits = classifier(images.float() / 255)
    loss = nn.functional.cross_entropy(logits, labels, reduction="sum")
    loss.backward()  # type: ignore[no-untyped-call]
    classifier.zero_grad()
    gradients = [torch.zeros_like(z) if z.grad is None else z.grad for z in kept]
    return {
        "signal": [float(z.detach().double().std()) for z in kept],
        "gradient": [float(gradient.double().std()) for gradient in gradients],
    }
