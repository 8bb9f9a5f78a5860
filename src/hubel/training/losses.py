"""Losses: pure functions of logits (N, K) and labels int64 (N,) to the mean over the batch.

Any callable of that form is a loss to `fit`. Penalties (L1, L2) are functions of parameters.
"""

from collections.abc import Callable, Iterable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from hubel.mistakes import Mistake, unknown

Loss = Callable[[Tensor, Tensor], Tensor]


def cross_entropy(
    logits: Tensor, labels: Tensor, *, smoothing: float = 0.0, weights: Tensor | None = None
) -> Tensor:
    """Softmax cross-entropy: −ln of the probability of the right class, in nats.

    smoothing: the share of the target spread over all classes (Szegedy et al. 2016, section 7).
    weights (K,): one for each class; the mean is then weighted, too, but over labels that are
    shares of the classes, (N, K), as of pictures that were mixed.

    >>> scores = torch.tensor([[3.2, 5.1, -1.7]])
    >>> round(float(cross_entropy(scores, torch.tensor([0]))), 2)
    2.04
    """
    if not (labels.is_floating_point() and labels.shape == logits.shape):
        _check(logits, labels)
    if not 0 <= smoothing <= 1:
        raise Mistake(f"Smoothing is a share, from 0 to 1, not {smoothing}.")
    if weights is not None and weights.shape != logits.shape[1:]:
        raise Mistake(
            f"There is one weight for each of the {logits.shape[1]} classes; "
            f"found weights of shape {tuple(weights.shape)}."
        )
    return F.cross_entropy(logits, labels, weight=weights, label_smoothing=smoothing)


def binary_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of sigmoid outputs, from logits, in nats.

    logits (N,) or (N, 1) with labels 0 and 1; or (N, K), each class against the rest.
    """
    if logits.ndim == 1:
        logits = logits[:, None]
    k = logits.shape[1]
    _check(logits if k > 1 else logits.expand(-1, 2), labels)
    targets = labels[:, None].to(logits) if k == 1 else F.one_hot(labels, k).to(logits)
    return F.binary_cross_entropy_with_logits(logits, targets)


def hinge(logits: Tensor, labels: Tensor, *, margin: float = 1.0) -> Tensor:
    """Multiclass hinge loss: Σ over wrong classes of max(0, s_j − s_y + margin).

    Weston & Watkins 1999; the sum over classes, where torch's own divides by K.

    >>> scores = torch.tensor([[3.2, 5.1, -1.7], [1.3, 4.9, 2.0], [2.2, 2.5, -3.1]])
    >>> round(float(hinge(scores, torch.tensor([0, 1, 2]))), 2)
    5.27
    """
    _check(logits, labels)
    right = logits.gather(1, labels[:, None])
    excess = (logits - right + margin).clamp(min=0)
    # the right class gives exactly the margin: masked rather than subtracted, to be exact
    return excess.masked_fill(F.one_hot(labels, logits.shape[1]).bool(), 0.0).sum(1).mean()


def map_criterion(logits: Tensor, labels: Tensor, *, j: float = 1.0) -> Tensor:
    """LeNet-5's criterion for logits that are minus squared distances to the classes' codes.

    LeCun et al. 1998, equation 9: the distance to the right code, and ln(e^−j + Σ_i e^−y_i), in
    which the positive constant j keeps codes that are far away already from being pushed further.
    """
    _check(logits, labels)
    right = logits.gather(1, labels[:, None])[:, 0]
    rubbish = logits.new_full((len(logits), 1), -j)
    return (torch.logsumexp(torch.cat((rubbish, logits), 1), 1) - right).mean()


def l1(parameters: Iterable[Tensor]) -> Tensor:
    """Σ|W| over weights; biases and norms' scales, which have one dimension, are left out."""
    return _total([p.abs().sum() for p in parameters if p.ndim >= 2])


def l2(parameters: Iterable[Tensor]) -> Tensor:
    """ΣW² over weights; biases and norms' scales, which have one dimension, are left out."""
    return _total([p.square().sum() for p in parameters if p.ndim >= 2])


def _total(terms: list[Tensor]) -> Tensor:
    return torch.stack(terms).sum() if terms else torch.zeros(())


LOSSES: dict[str, Loss] = {
    "cross-entropy": cross_entropy,
    "binary-cross-entropy": binary_cross_entropy,
    "hinge": hinge,
    "map": map_criterion,
}


def loss(name: str, *, smoothing: float = 0.0, weights: Tensor | None = None) -> Loss:
    """The loss called `name`. Raises Mistake if it is unknown, or does not take the settings."""
    if name not in LOSSES:
        raise unknown("loss", name, LOSSES)
    if name == "cross-entropy":
        return partial(cross_entropy, smoothing=smoothing, weights=weights)
    if smoothing or weights is not None:
        raise Mistake(f"Smoothing and class weights are for cross-entropy, not for {name}.")
    return LOSSES[name]


def _check(logits: Tensor, labels: Tensor) -> None:
    if logits.ndim != 2 or labels.shape != logits.shape[:1]:
        raise Mistake(
            "A loss takes logits (N, K) and labels (N,), "
            f"not {tuple(logits.shape)} and {tuple(labels.shape)}."
        )
    if labels.dtype != torch.int64:
        raise Mistake(f"Labels are of type torch.int64, not {labels.dtype}: use labels.long().")
    if len(labels) == 0:
        raise Mistake("The loss is a mean over the batch, and this batch is empty.")
    if labels.device.type == "cpu":  # elsewhere looking would stall the device
        low, high = int(labels.min()), int(labels.max())
        if low < 0 or high >= logits.shape[1]:
            wrong = low if low < 0 else high
            raise Mistake(f"Labels are 0 to {logits.shape[1] - 1}; found {wrong}.")
