"""The attacks by name: rows of `ATTACKS`, each a way to look for pictures that fool a network."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from hubel.breaking.apgd import apgd
from hubel.breaking.carlini_wagner import carlini_wagner
from hubel.breaking.ddn import ddn
from hubel.breaking.gradient import merits, pgd
from hubel.breaking.minimal import Minimal, deepfool
from hubel.breaking.norms import L2, LINF, Norm
from hubel.breaking.search import search
from hubel.breaking.szegedy import box_lbfgs
from hubel.logits import answered
from hubel.model import evaluating

STEPS = 40  # of PGD, each time
FEW = 20  # pictures


class Stage(NamedTuple):
    """A part of PGD: ascents towards so many wrong classes; 0: one, by cross-entropy.

    share: of the pictures that resist, those that are nearest to being fooled, take part in it; FEW
    of them do in any case. So what is found for one depends on its company.
    longer: how many times the budget's steps an ascent takes.
    """

    share: float
    rivals: int
    longer: float


# By norm, some 160 looks at each picture that resists, where THOROUGH, with AutoAttack's figures,
# takes 1,000. Chosen on networks that were trained under attack: in L∞ long ascents find most; in
# L2 ever more of them find less than DDN, which goes along the boundary: so it has the last word,
# with NEAREST times the budget's steps.
QUICK = {
    LINF.name: (Stage(1, 0, 0.5), Stage(1, 1, 0.875), Stage(0.5, 3, 0.875), Stage(0.25, 4, 1.25)),
    L2.name: (Stage(1, 0, 0.5), Stage(1, 2, 0.6)),
}
THOROUGH = (Stage(1, 0, 2.5), Stage(1, 9, 2.5))
NEAREST = 2.25
QUERIES = 1000  # of the search, a picture


class Budget(NamedTuple):
    """What an attack may spend, and what it is after.

    steps and restarts: of PGD alone. targets: whether labels are those to be reached. seed: of what
    is drawn. drop: whether a picture is left alone once it fools.
    """

    steps: int = STEPS
    restarts: int = 1
    targeted: bool = False
    seed: int = 0
    drop: bool = True


# Within a ball: (network, pixels, labels, ε, numbers of the pictures, budget) → pictures.
Within = Callable[[nn.Module, Tensor, Tensor, float, Sequence[int], Budget], Tensor]
# As near as can be: (network, pixels, labels, whether these are targets) → pictures.
Nearest = Callable[[nn.Module, Tensor, Tensor, bool], Tensor]


class Attack(NamedTuple):
    """One attack: the norm that its changes are measured in, and one of two ways to go about it.

    within: looks for a picture that fools in a ball; nearest: for the nearest that does, and so
    answers for every ε at once. nested: what fools within some ε is not attacked again within a
    larger one. aims: whether it can be given targets. what: in words. stronger: the attack in the
    same norm that finds more where this one does not find all.
    """

    norm: Norm
    what: str
    stronger: str
    within: Within | None = None
    nearest: Nearest | None = None
    nested: bool = True
    aims: bool = True


def _pgd(norm: Norm, stages: Sequence[Stage]) -> Within:
    """By cross-entropy, and of what resists again towards each of the likeliest wrong classes.

    Every time from another random start, by Auto-PGD. Cross-entropy pulls towards all of the wrong
    classes at once, and misses the nearest now and then. (Croce & Hein 2020, "Reliable evaluation
    of adversarial robustness", section 4: with 100 steps and nine classes these are the two of
    AutoAttack's four attacks that find nearly all.) Likeliest: in the best picture so far, not, as
    there, in the picture itself: so the first of them nearly always suffices. With a target all
    ascents go there. In L2 the nearest picture that fools is looked for in the end.
    """

    def run(
        network: nn.Module, pixels: Tensor, labels: Tensor, epsilon: float,
        numbers: Sequence[int], budget: Budget,
    ) -> Tensor:  # fmt: skip
        found, merit = pixels.clone(), pixels.new_full((len(pixels),), -torch.inf)
        start = 0

        def keep(which: Tensor, made: Tensor) -> None:
            with evaluating(network) as still:
                gain = merits(answered(still, made), labels[which], targeted=budget.targeted)
            better = gain > merit[which]
            found[which[better]], merit[which[better]] = made[better], gain[better]

        for stage in [*stages] * budget.restarts:
            resist = (~(merit > 0)).nonzero()[:, 0]
            if not len(resist):
                break
            near = merit[resist].argsort(descending=True, stable=True)
            many = max(FEW, math.ceil(stage.share * len(resist)))
            chosen = resist[near[:many].sort().values]
            order = _likeliest_wrong(network, found[chosen], labels[chosen])
            for turn in range(max(1, stage.rivals)):
                left = ~(merit[chosen] > 0)
                which = chosen[left]
                if not len(which):
                    break
                to_one = stage.rivals and not budget.targeted
                made = apgd(
                    network, pixels[which], labels[which], epsilon=epsilon, norm=norm,
                    rivals=order[left, turn % order.shape[1]] if to_one else None,
                    steps=max(1, round(stage.longer * budget.steps)), targeted=budget.targeted,
                    drop=budget.drop, seed=budget.seed, start=start,
                    indices=[numbers[i] for i in which.tolist()],
                )  # fmt: skip
                start += 1
                keep(which, made)
        resist = (~(merit > 0)).nonzero()[:, 0]
        if norm is L2 and len(resist):
            steps = max(1, round(NEAREST * budget.steps))
            nearest = _smallest(partial(ddn, steps=steps))
            made = nearest(network, pixels[resist], labels[resist], budget.targeted)
            inside = norm.size(made - pixels[resist]) <= epsilon
            keep(resist[inside], made[inside])
        return found

    return run


def _likeliest_wrong(network: nn.Module, pixels: Tensor, labels: Tensor) -> Tensor:
    """The classes but the label's, from the likeliest on, (N, K − 1)."""
    with evaluating(network) as network:
        order = answered(network, pixels).argsort(dim=1, descending=True, stable=True)
    wrong: Tensor = order[order != labels[:, None]].view(len(labels), -1)
    return wrong


def _fgsm(
    network: nn.Module, pixels: Tensor, labels: Tensor, epsilon: float,
    _numbers: Sequence[int], budget: Budget,
) -> Tensor:  # fmt: skip
    return pgd(
        network, pixels, labels, epsilon=epsilon, step=epsilon, steps=1, targeted=budget.targeted
    )


def _search(norm: Norm) -> Within:
    def run(
        network: nn.Module, pixels: Tensor, labels: Tensor, epsilon: float,
        numbers: Sequence[int], budget: Budget,
    ) -> Tensor:  # fmt: skip
        return search(
            network, pixels, labels, epsilon=epsilon, norm=norm, queries=QUERIES,
            targeted=budget.targeted, seed=budget.seed, indices=numbers,
        )  # fmt: skip

    return run


def _deepfool(network: nn.Module, pixels: Tensor, labels: Tensor, _targeted: bool) -> Tensor:
    return deepfool(network, pixels, labels=labels).images


def _smallest(attack: Callable[..., Minimal]) -> Nearest:
    def run(network: nn.Module, pixels: Tensor, labels: Tensor, targeted: bool) -> Tensor:
        if not targeted:
            return attack(network, pixels, labels).images
        with evaluating(network) as still:
            named = answered(still, pixels).argmax(1)  # what is to be left
        found, away = pixels.clone(), named != labels
        found[away] = attack(network, pixels[away], named[away], targets=labels[away]).images
        return found

    return run


ATTACKS: dict[str, Attack] = {
    "fgsm": Attack(
        LINF, "one step along the gradient's sign", within=_fgsm, nested=False, stronger="pgd"
    ),
    "pgd": Attack(
        LINF, "many steps along the gradient, then towards the likeliest wrong classes",
        within=_pgd(LINF, QUICK[LINF.name]), stronger="apgd",
    ),
    "pgd-l2": Attack(
        L2, "many steps along the gradient, towards the two likeliest wrong classes, then as ddn",
        within=_pgd(L2, QUICK[L2.name]), stronger="apgd-l2",
    ),
    "apgd": Attack(
        LINF, "the same with more steps and nine classes, as AutoAttack has it",
        within=_pgd(LINF, THOROUGH), stronger="search",
    ),
    "apgd-l2": Attack(
        L2, "the same with more steps and nine classes, as AutoAttack has it, then as ddn",
        within=_pgd(L2, THOROUGH), stronger="search-l2",
    ),
    "search": Attack(
        LINF, "squares at random, without gradients", within=_search(LINF), stronger="apgd"
    ),
    "search-l2": Attack(
        L2, "squares at random, without gradients", within=_search(L2), stronger="apgd-l2"
    ),
    "deepfool": Attack(
        L2, "to the nearest boundary, as if it were flat", nearest=_deepfool, aims=False,
        stronger="ddn",
    ),
    "lbfgs": Attack(
        L2, "the smallest change, by box-constrained L-BFGS", nearest=_smallest(box_lbfgs),
        stronger="ddn",
    ),
    "cw": Attack(
        L2, "the smallest change, by Adam behind a tanh", nearest=_smallest(carlini_wagner),
        stronger="ddn",
    ),
    "ddn": Attack(
        L2, "the smallest change, along the boundary", nearest=_smallest(ddn), stronger="apgd-l2"
    ),
}  # fmt: skip
SEARCHES = {LINF.name: "search", L2.name: "search-l2"}  # those without gradients, by norm
