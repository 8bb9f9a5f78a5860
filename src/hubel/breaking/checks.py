"""Whether a network is strong, or only the attack on it is weak: what a sound attack must show.

Carlini et al. 2019, section 5, and Athalye et al. 2018 ("Obfuscated gradients give a false sense of
security", section 3.1): a network that hides its gradients looks robust and is not.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from hubel.breaking.attacks import ATTACKS, SEARCHES, STEPS, Budget
from hubel.breaking.gradient import LOSSES, pulled
from hubel.breaking.robustness import BATCH, robustness, taken
from hubel.breaking.search import search
from hubel.model import evaluating

QUERIES = 500  # of the search, a picture
SHORTER = 4  # times as short, the ascents of the stronger attack: it makes many


class Check(NamedTuple):
    """One thing that must hold. passed: whether it does; found: in words, with the figures."""

    name: str
    passed: bool
    found: str


def checks(
    network: nn.Module,
    pixels: Tensor,
    labels: Tensor,
    resist: Tensor | None = None,
    *,
    name: str,
    epsilon: float,
    steps: int = STEPS,
    restarts: int = 1,
    targeted: bool = False,
    seed: int = 0,
    batch: int = BATCH,
    on_batch: Callable[[], bool] = lambda: False,
) -> Iterator[Check]:
    """Put an attack within ε on trial, on pictures (N, C, H, W) that the network gets right, N > 0.

    labels (N,): the right ones, or where it is targeted those to be reached. name: of ATTACKS; ε is
    in its norm. resist bool (N,): those that it did not turn; None: it is made once more. What
    should find no more than it did is shown these alone. A difference of up to one picture in fifty
    is let pass: an ascent ends elsewhere from another start. Yields as they are done; ends early
    where on_batch, called after each batch, says True.
    """
    attack = ATTACKS[name]
    everything = attack.norm.everything(pixels[0].numel())
    n, slack = len(pixels), max(1, len(pixels) // 50)
    stopped: list[bool] = []

    def stop() -> bool:
        if on_batch():
            stopped.append(True)
        return bool(stopped)

    def resisting(name: str, within: float, which: Tensor, steps: int, seed: int) -> Tensor:
        done = robustness(
            network, pixels[which], labels[which], ATTACKS[name], [within],
            budget=Budget(steps, restarts, targeted, seed), batch=batch, on_batch=stop,
        )  # fmt: skip
        found = next(done, None)
        return which if found is None else which[~found.fooled]

    everyone = torch.arange(n, device=pixels.device)
    left = resisting(name, epsilon, everyone, steps, seed) if resist is None else everyone[resist]
    own = len(left)
    if stopped:
        return
    blind = name == SEARCHES[attack.norm.name]
    if not blind:
        yield _gradients(network, pixels[:batch], labels[:batch])
    again = attack.stronger == SEARCHES[attack.norm.name]  # nothing else by gradient is stronger
    stronger = name if again else attack.stronger
    many = len(resisting(stronger, epsilon, left, max(2, steps // SHORTER), seed + 1))
    if stopped:
        return
    yield Check(
        "other random starts change nothing" if again else "a stronger attack finds no more",
        own - many <= slack,
        f"of {n} pictures {own} resist {name}, and {many} of them "
        + ("from other starts" if again else f"{stronger}, too"),
    )
    larger = len(resisting(name, min(2 * epsilon, everything), everyone, steps, seed))
    whole = len(resisting(name, everything, everyone, steps, seed))
    if stopped:
        return
    yield Check(
        "a larger ε always wins",
        larger <= own + slack and whole == 0,
        f"{own} resist within ε, {larger} within 2ε, {whole} where every picture is allowed",
    )
    if blind:
        return
    found = search(
        network, pixels[left], labels[left], epsilon=epsilon, norm=attack.norm, queries=QUERIES,
        targeted=targeted, seed=seed, indices=left.tolist(),
    )  # fmt: skip
    seen = own - int(taken(network, found, labels[left], targeted=targeted, batch=batch).sum())
    told = (
        f"{seen} of the {own} that resist {name} also resist a random search of {QUERIES} queries"
    )
    yield Check("a search without gradients finds no more", own - seen <= slack, f"{told} each")


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
