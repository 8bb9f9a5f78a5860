"""Embeddings by the triplet loss (FaceNet: Schroff, Kalenichenko & Philbin 2015), and retrieval.

An embedding has unit norm; the nearer two are, the more alike the pictures should be.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from hubel.mistakes import Mistake

MARGIN = 0.2  # α, as in section 3.1
BATCH = 500  # queries at a time where all are compared with all


class Triplets(NamedTuple):
    """Indices int64 (T,) into a batch: an anchor, one of its class, and one of another."""

    anchor: Tensor
    positive: Tensor
    negative: Tensor


class Retrieval(NamedTuple):
    """How well nearest neighbours are of the same class, from 0 to 1, on average over the queries.

    recall_at_1: the nearest is. precision_at_k: the share of the k nearest. mean_average_precision:
    of the ranking of all others. queries: those with another of their class to be found; lonely:
    those without, which are not counted.
    """

    recall_at_1: float
    precision_at_k: float
    mean_average_precision: float
    queries: int
    lonely: int


def triplet_loss(
    anchors: Tensor, positives: Tensor, negatives: Tensor, *, margin: float = MARGIN
) -> Tensor:
    """Σ max(0, ‖f(a) − f(p)‖² − ‖f(a) − f(n)‖² + α), a sum over triplets as in equation 3.

    Three times (T, D), of unit norm; no triplets give 0. Raises Mistake for other shapes, another
    norm, or a margin below 0.

    >>> a, p, n = torch.tensor([[[1.0, 0.0]], [[0.6, 0.8]], [[0.0, 1.0]]])
    >>> round(float(triplet_loss(a, p, n)), 6), round(float(triplet_loss(a, n, p)), 6)
    (0.0, 1.4)
    """
    if not anchors.shape == positives.shape == negatives.shape:
        shapes = ", ".join(str(tuple(x.shape)) for x in (anchors, positives, negatives))
        raise Mistake(f"Anchors, positives and negatives have one shape (T, D), not {shapes}.")
    for embeddings in (anchors, positives, negatives):
        _check(embeddings, margin)
    near = (anchors - positives).square().sum(1)  # (T,)
    far = (anchors - negatives).square().sum(1)
    return (near - far + margin).clamp(min=0).sum()


def semi_hard_loss(embeddings: Tensor, labels: Tensor, *, margin: float = MARGIN) -> Tensor:
    """The triplet loss of a batch (N, D) with labels int64 (N,), its semi-hard triplets mined.

    The mean over the triplets, not the paper's sum: so it is a loss to `fit`, and a learning rate
    does not depend on how many triplets a batch has. A batch without any (one class only, or no
    two of a class) gives 0, with gradients of 0.
    """
    anchor, positive, negative = semi_hard(embeddings, labels)
    chosen = embeddings[anchor], embeddings[positive], embeddings[negative]
    return triplet_loss(*chosen, margin=margin) / max(1, len(anchor))


@torch.no_grad()
def semi_hard(embeddings: Tensor, labels: Tensor) -> Triplets:
    """All pairs of a class in the batch, each with its semi-hard negative (section 3.2).

    That is the nearest of the negatives that are further from the anchor than the positive is. It
    lies inside the margin or, if none does, gives no loss. Where every negative is nearer than the
    positive there is none: the paper does not say what to do then, and we take the furthest of
    them, the least hard, as is widely done. Embeddings (N, D), labels int64 (N,).
    """
    _check(embeddings, 0.0)
    if labels.shape != embeddings.shape[:1]:
        raise Mistake(
            "Embeddings (N, D) have labels (N,), "
            f"not {tuple(embeddings.shape)} and {tuple(labels.shape)}."
        )
    same = labels[:, None] == labels  # (N, N)
    others = ~torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    has_negative = ~same.all(1, keepdim=True)
    anchor, positive = torch.nonzero(same & others & has_negative, as_tuple=True)  # (T,) each
    if len(anchor) == 0:
        return Triplets(anchor, positive, anchor)
    distances = _distances(embeddings, embeddings)  # (N, N)
    # of each anchor: its negatives from the nearest to the furthest, then its own class at ∞
    ranked, who = distances.masked_fill(same, torch.inf).sort(dim=1, stable=True)
    nearer = torch.searchsorted(ranked, distances, right=True)  # (N, N): how many are not further
    last = (~same).sum(1)[:, None] - 1  # (N, 1): where the furthest negative stands
    negative = who.gather(1, torch.minimum(nearer, last))  # (N, N)
    return Triplets(anchor, positive, negative[anchor, positive])


def retrieval(embeddings: Tensor, labels: Tensor, *, k: int = 10) -> Retrieval:
    """Every embedding (N, D) as a query for those of its class among the others, labels (N,).

    By Euclidean distance; the query itself is not among what it finds. Where several are equally
    far, the figures are expectations over their orders (McSherry & Najork 2008): embeddings that
    are all the same retrieve as chance does. Raises Mistake for a k that is not from 1 to N − 1,
    and where no class has two members.
    """
    n = len(embeddings)
    if embeddings.ndim != 2 or labels.shape != (n,):
        raise Mistake(
            "Embeddings (N, D) have labels (N,), "
            f"not {tuple(embeddings.shape)} and {tuple(labels.shape)}."
        )
    if not bool(embeddings.isfinite().all()):
        raise Mistake("Embeddings to retrieve by are finite; these hold values that are not.")
    if not 1 <= k <= n - 1:
        raise Mistake(f"Of {n} pictures a query can find 1 to {n - 1}, not {k}.")
    sums, queries = torch.zeros(3, dtype=torch.float64), 0
    for start in range(0, n, BATCH):
        rows = torch.arange(start, min(n, start + BATCH), device=labels.device)
        others = torch.ones(len(rows), n, dtype=torch.bool, device=labels.device)
        others[rows - start, rows] = False
        distances = _distances(embeddings[rows], embeddings)[others].view(len(rows), n - 1)
        relevant = (labels[rows, None] == labels)[others].view(len(rows), n - 1)
        found = relevant.any(1)
        sums += _ranking(distances[found], relevant[found], k).cpu()
        queries += int(found.sum())
    if queries == 0:
        raise Mistake("No class has two pictures, so that there is nothing to retrieve.")
    first, precision, average = (sums / queries).tolist()
    return Retrieval(first, precision, average, queries, n - queries)


def _ranking(distances: Tensor, relevant: Tensor, k: int) -> Tensor:
    """Sums over the rows (Q, M) of recall at 1, precision at k and average precision: (3,)."""
    distances, order = distances.sort(dim=1, stable=True)
    hits = relevant.gather(1, order).double()  # (Q, M), from the nearest
    new = torch.ones_like(hits, dtype=torch.bool)  # where a distance differs from the one before
    new[:, 1:] = distances[:, 1:] != distances[:, :-1]
    tie = new.cumsum(1) - 1  # which group of equals each stands in, from 0
    place = torch.arange(hits.shape[1], device=hits.device).expand_as(tie)
    none = torch.zeros_like(hits)
    size = none.scatter_add(1, tie, torch.ones_like(hits)).gather(1, tie)
    inside = none.scatter_add(1, tie, hits).gather(1, tie)  # the group's hits
    share = inside / size  # the probability of a hit at each place
    start = torch.where(new, place, 0).cummax(1).values  # where the group begins
    total = hits.cumsum(1)
    before = torch.where(start > 0, total.gather(1, (start - 1).clamp(min=0)), none)
    # of a hit at this place: the hits before the group, those of the group before it, and itself
    earlier = (place - start) * (inside - 1) / (size - 1).clamp(min=1)
    precise = (before + earlier + 1) / (place + 1)
    average = (share * precise).sum(1) / hits.sum(1)
    return torch.stack((share[:, 0].sum(), share[:, :k].mean(1).sum(), average.sum()))


def _distances(a: Tensor, b: Tensor) -> Tensor:
    """Euclidean, (N, M), by differences: equal ones are exactly equal, and one's own is 0."""
    return torch.cdist(a.detach(), b.detach(), compute_mode="donot_use_mm_for_euclid_dist")


def _check(embeddings: Tensor, margin: float) -> None:
    if embeddings.ndim != 2 or not embeddings.is_floating_point():
        raise Mistake(f"Embeddings are real numbers (N, D), not {tuple(embeddings.shape)}.")
    if margin < 0:
        raise Mistake(f"The margin is 0 or more, not {margin}.")
    if embeddings.numel() and embeddings.device.type == "cpu":  # elsewhere looking would stall it
        norm = embeddings.detach().norm(dim=1)
        off = float((norm - 1).abs().max())
        if off > 1e-3:
            raise Mistake(
                f"Embeddings have a norm of 1; found {float(norm.min()):.3g} to "
                f"{float(norm.max()):.3g}: divide each by its norm."
            )
