"""A search without gradients within a ball: squares that are kept where they help.

After Andriushchenko et al. 2020 ("Square Attack: a query-efficient black-box adversarial attack via
random search", algorithms 1 and 2). It asks the network for logits and nothing else, so that it
checks the attacks that follow the gradient: where it finds what these do not, the gradient is
masked (Athalye et al. 2018, "Obfuscated gradients give a false sense of security"), and what they
measured is no robustness.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hubel import draws
from hubel.breaking.gradient import check, check_labels, merits
from hubel.breaking.norms import L2, LINF, Norm
from hubel.logits import answered
from hubel.mistakes import Mistake, unknown
from hubel.model import evaluating

SHARE = 0.8  # of the picture's area, at first, for a square
# and it is halved at each of these shares of the queries (the paper's 10, 50, … of 10,000)
HALVED = (0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)
BUMP = 0.5  # of ε, the length of what is added in L2
AT_ONCE = 100  # pictures


# (change (n, C, H, W), inside (n, 1, H, W): whether a pixel is in the square, signs (n, C, 1, 1),
# ε) → the change that is tried. "linf": the square's pixels are at the ball's border, as in the
# paper; "l2": a square is added, and the whole made no longer than ε (the paper's moves energy
# between two windows; this is plainer).
Proposal = Callable[[Tensor, Tensor, Tensor, float], Tensor]


def _replaced(change: Tensor, inside: Tensor, signs: Tensor, epsilon: float) -> Tensor:
    return torch.where(inside, epsilon * signs, change)


def _added(change: Tensor, inside: Tensor, signs: Tensor, epsilon: float) -> Tensor:
    bump = inside * signs
    length = bump.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
    return L2.project(change + BUMP * epsilon * bump / length, epsilon)


PROPOSALS: dict[str, Proposal] = {LINF.name: _replaced, L2.name: _added}


def search(
    network: nn.Module,
    pixels: Tensor,
    labels: Tensor,
    *,
    epsilon: float,
    norm: Norm = LINF,
    queries: int = 1000,
    targeted: bool = False,
    seed: int = 0,
    indices: Sequence[int] | None = None,
) -> Tensor:
    """Pictures within ε of the given ones that the network gets wrong, where a search finds any.

    network, pixels, labels, epsilon, targeted and indices are as for `hubel.breaking.gradient.pgd`,
    and so is what comes back. queries: the most that the network is asked about a picture: as it
    is, with stripes of ±ε, and from then on with a square of one random sign a channel somewhere,
    smaller as the queries go by, that is kept if the right class's logit falls against the highest
    other one, or a target's rises. A picture is left alone once it fools the network; one that does
    so as it is, is not changed. What is drawn for a picture depends on the seed and its number
    alone.

    Mode, gradients and hooks are left as found. Raises Mistake for what cannot be asked.
    """
    check(pixels, labels, epsilon, norm)
    if norm.name not in PROPOSALS:
        raise unknown("norm of a search", norm.name, PROPOSALS)
    if queries < 1:
        raise Mistake(f"A search asks the network once or more, not {queries} times.")
    numbers = np.asarray(range(len(pixels)) if indices is None else indices, np.int64)
    if len(numbers) != len(pixels):
        raise Mistake(f"There are {len(numbers)} numbers for {len(pixels)} pictures.")
    images = pixels.detach().clone()
    with evaluating(network) as network:
        for start in range(0, len(pixels), AT_ONCE):
            part = slice(start, start + AT_ONCE)
            _search(network, images[part], labels[part], epsilon, norm, queries, seed,
                    numbers[part], targeted=targeted)  # fmt: skip
    return images


def _search(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    epsilon: float,
    norm: Norm,
    queries: int,
    seed: int,
    numbers: NDArray[np.int64],
    *,
    targeted: bool,
) -> None:
    """Search for some pictures, in place."""

    def merit(images: Tensor, labels: Tensor) -> Tensor:
        logits = answered(network, images.clone())  # a network may write over what it is given
        check_labels(logits, labels)
        return merits(logits, labels, targeted=targeted)

    pixels = images.clone()
    best = merit(pixels, labels)
    for query in range(1, queries):
        left = (~(best > 0)).nonzero()[:, 0]
        if not len(left):
            return
        here, origin = numbers[left.cpu().numpy()], pixels[left]
        change = images[left] - origin
        if query == 1:
            change = _stripes(change, norm, epsilon, seed, here)
        else:
            inside, signs = _squares(change, query / queries, seed, query, here)
            change = PROPOSALS[norm.name](change, inside, signs, epsilon)
        tried = (origin + change).clamp_(0, 1)
        found = merit(tried, labels[left])
        # with the stripes it begins, for better or worse
        better = (found > best[left]) | (query == 1)
        images[left[better]], best[left[better]] = tried[better], found[better]


def _stripes(
    change: Tensor, norm: Norm, epsilon: float, seed: int, numbers: NDArray[np.int64]
) -> Tensor:
    """A change of size ε, of a random sign for each column and channel; for each picture."""
    made = []
    for number in numbers.tolist():
        generator = torch.Generator().manual_seed(draws.integer(seed, "stripes", number))
        drawn = torch.randint(0, 2, (change.shape[1], 1, change.shape[3]), generator=generator)
        made.append(2 * drawn - 1)
    found = torch.stack(made).to(change).expand_as(change)
    return epsilon * found / norm.size(found).view(-1, 1, 1, 1)


def _squares(
    change: Tensor, share: float, seed: int, query: int, numbers: NDArray[np.int64]
) -> tuple[Tensor, Tensor]:
    """Where each picture's square is, bool (n, 1, H, W), and its signs (n, C, 1, 1).

    share: of the queries that are used up.
    """
    _, channels, height, width = change.shape
    area = SHARE * height * width / 2 ** sum(share > each for each in HALVED)
    side = min(max(round(area**0.5), 1), height, width)

    def drawn(what: str, below: int) -> Tensor:
        found = (draws.uniform(seed, query, numbers, f"square {what}") * below).astype(np.int64)
        return torch.from_numpy(found).to(change.device).view(-1, 1)

    down = torch.arange(height, device=change.device) - drawn("down", height - side + 1)
    across = torch.arange(width, device=change.device) - drawn("across", width - side + 1)
    rows, columns = ((part >= 0) & (part < side) for part in (down, across))
    signs = 2 * torch.cat([drawn(f"sign {c}", 2) for c in range(channels)], 1) - 1
    return rows[:, None, :, None] & columns[:, None, None, :], signs[..., None, None].to(change)
