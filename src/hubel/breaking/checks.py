"""Whether a network is strong, or only its gradients are weak: what a sound attack must show.

Carlini et al. 2019, section 5, and Athalye et al. 2018 ("Obfuscated gradients give a false sense of
security", section 3.1): a network that hides its gradients looks robust and is not.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from hubel.breaking.gradient import LOSSES, pulled
from hubel.breaking.robustness import ATTACKS, BATCH, STEPS, Attack, Budget, robustness, taken
from hubel.breaking.search import search
from hubel.model import evaluating

RESTARTS = 5
QUERIES = 500  # of the search, a picture


class Check(NamedTuple):
    """One thing that must hold. passed: whether it does; found: in words, with the figures."""

    name: str
    passed: bool
    found: str


def checks(
    network: nn.Module,
    pixels: Tensor,
    labels: Tensor,
    *,
    epsilon: float,
    attack: Attack = ATTACKS["pgd"],
    steps: int = STEPS,
    seed: int = 0,
    batch: int = BATCH,
    on_batch: Callable[[], bool] = lambda: False,
) -> Iterator[Check]:
    """Put PGD within ε on trial, on pictures (N, C, H, W) that the network gets right, N > 0.

    attack: a row of ATTACKS that looks within a ball. A difference of up to one picture in fifty is
    let pass: PGD ends in another place from another start. Yields as they are done; ends early
    where on_batch, called after each batch, says True.
    """
    everything = attack.norm.everything(pixels[0].numel())
    n, slack = len(pixels), max(1, len(pixels) // 50)
    stopped: list[bool] = []

    def survivors(within: float, restarts: int = 1) -> int:
        budget = Budget(steps, restarts, seed=seed)
        done = robustness(
            network, pixels, labels, attack, [within], budget=budget, batch=batch, on_batch=stop
        )
        found = next(done, None)
        return n if found is None else n - int(found.fooled.sum())

    def stop() -> bool:
        if on_batch():
            stopped.append(True)
        return bool(stopped)

    own = survivors(epsilon)
    if stopped:
        return
    yield _gradients(network, pixels[:batch], labels[:batch])
    many = survivors(epsilon, RESTARTS)
    if stopped:
        return
    yield Check(
        "random starts change nothing",
        abs(own - many) <= slack,
        f"of {n} pictures {own} resist one ascent from the picture itself, {many} resist "
        f"{RESTARTS} from random starts",
    )
    larger = survivors(min(2 * epsilon, everything))
    whole = survivors(everything)
    if stopped:
        return
    yield Check(
        "a larger ε always wins",
        larger <= own + slack and whole == 0,
        f"{own} resist within ε, {larger} within 2ε, {whole} where every picture is allowed",
    )
    found = search(
        network, pixels, labels, epsilon=epsilon, norm=attack.norm, queries=QUERIES, seed=seed
    )
    blind = n - int(taken(network, found, labels, batch=batch).sum())
    yield Check(
        "a search without gradients does not beat PGD",
        blind >= own - slack,
        f"{blind} resist a random search of {QUERIES} queries a picture, {own} resist PGD",
    )


def _gradients(network: nn.Module, pixels: Tensor, labels: Tensor) -> Check:
    with evaluating(network) as network, torch.inference_mode(False), torch.enable_grad():
        _, slope = pulled(network, pixels.clone(), labels, LOSSES["cross-entropy"])
    none = int((slope.flatten(1) == 0).all(1).sum())
    return Check(
        "every picture has a gradient",
        none == 0,
        f"of {len(pixels)} pictures {none} have none: the loss is flat to the last bit"
        if none
        else f"all of {len(pixels)} have one",
    )
