"""How many pictures a network still gets right when each may be changed by up to ε.

Carlini et al. 2019 ("On evaluating adversarial robustness") for what is counted and how. Success is
counted on pictures that were right to begin with, the others need no attack.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from hubel.breaking.attacks import Attack, Budget, Within
from hubel.breaking.eight_bit import rounded, saved
from hubel.breaking.gradient import check, fooled
from hubel.breaking.norms import Norm
from hubel.logits import answered
from hubel.model import evaluating

BATCH = 250  # pictures at a time


class Fooled(NamedTuple):
    """What an attack made within one ε of N pictures that were right.

    images (N, C, H, W): of those that fool, pictures that do; of the others what was tried last.
    fooled, reloaded, lasting (N,): whether it fools as float; as it comes out of a PNG file of 8
    bits; and so when it was rounded with care (`lasting`). lasts (N, C, H, W): the latter.
    """

    epsilon: float
    images: Tensor
    fooled: Tensor
    reloaded: Tensor
    lasting: Tensor
    lasts: Tensor
    nearest: Tensor | None = None


def robustness(
    network: nn.Module,
    pixels: Tensor,
    labels: Tensor,
    attack: Attack,
    epsilons: Sequence[float],
    *,
    budget: Budget | None = None,
    batch: int = BATCH,
    on_batch: Callable[[], bool] = lambda: False,
) -> Iterator[Fooled]:
    """Attack pictures that the network gets right within every ε, from the smallest on.

    pixels (N, C, H, W) and labels (N,): right, or if targeted to be taken for. on_batch: called
    after each batch; where it says True, no other is begun, and only what is whole is yielded.
    """
    budget = budget or Budget()
    nearest: Tensor | None = None
    stopped = False
    if attack.nearest is not None:
        parts = []
        for part in _parts(len(pixels), batch):
            if stopped:
                return
            parts.append(attack.nearest(network, pixels[part], labels[part], budget.targeted))
            stopped = on_batch()
        nearest = torch.cat(parts) if parts else pixels.clone()
    images, done = pixels.clone(), torch.zeros(len(pixels), dtype=torch.bool, device=pixels.device)
    for epsilon in sorted(epsilons):
        check(pixels, labels, epsilon, attack.norm)
        if nearest is not None:
            near = attack.norm.size(nearest - pixels) <= epsilon
            images = torch.where(near.view(-1, 1, 1, 1), nearest, pixels)
        else:
            left = (~done).nonzero()[:, 0]
            for part in _parts(len(left), batch):
                if stopped:
                    return
                chosen = left[part]
                images[chosen] = _within(attack)(
                    network, pixels[chosen], labels[chosen], epsilon, chosen.tolist(), budget
                )
                stopped = on_batch()
        found = taken(network, images, labels, targeted=budget.targeted, batch=batch)
        done = done | found if attack.nested else done
        through = taken(network, saved(images), labels, targeted=budget.targeted, batch=batch)
        lasts = lasting(
            network, images, pixels, labels, found, epsilon=epsilon, norm=attack.norm,
            targeted=budget.targeted, batch=batch,
        )  # fmt: skip
        yield Fooled(
            epsilon, images.clone(), found, found & through,
            found & taken(network, lasts, labels, targeted=budget.targeted, batch=batch), lasts,
            nearest,
        )  # fmt: skip


def _within(attack: Attack) -> Within:
    assert attack.within is not None  # noqa: S101 - a row has one of the two
    return attack.within


def taken(
    network: nn.Module, images: Tensor, labels: Tensor, *, targeted: bool = False,
    batch: int = BATCH,
) -> Tensor:  # fmt: skip
    """Of each picture whether it fools the network; bool (N,)."""
    with evaluating(network) as network:
        parts = [
            fooled(answered(network, images[part]), labels[part], targeted=targeted)
            for part in _parts(len(images), batch)
        ]
    return torch.cat(parts) if parts else labels.new_zeros(0, dtype=torch.bool)


# How far a change goes beyond what would do, so that rounding does not undo it.
FURTHER = (1.0, 1.1, 1.25, 1.5, 2.0, 3.0, 5.0, 8.0, 13.0, 21.0, 34.0, 55.0)


def lasting(
    network: nn.Module,
    images: Tensor,
    originals: Tensor,
    labels: Tensor,
    which: Tensor,
    *,
    epsilon: float,
    norm: Norm,
    targeted: bool = False,
    batch: int = BATCH,
) -> Tensor:
    """The pictures at levels of 8 bits, within ε, so that those of `which` still fool if they can.

    Rounded to the nearest level first; the change of those that no longer fool is made larger, as
    far as ε lets it, and rounded again.
    """
    found = rounded(images, originals, epsilon=epsilon, norm=norm)
    lost = which & ~taken(network, found, labels, targeted=targeted, batch=batch)
    for further in FURTHER[1:]:
        if not bool(lost.any()):
            break
        at = originals[lost]
        change = norm.project(further * (images[lost] - at), epsilon)
        again = rounded((at + change).clamp(0, 1), at, epsilon=epsilon, norm=norm)
        fools = taken(network, again, labels[lost], targeted=targeted, batch=batch)
        places = lost.nonzero()[:, 0][fools]
        found[places] = again[fools]
        lost[places] = False
    return found


def _parts(n: int, batch: int) -> Iterator[slice]:
    return (slice(start, start + batch) for start in range(0, n, batch))
