"""What an attack leaves of a run's answers on test pictures of clothing, by hubel or AutoAttack.

AutoAttack is taken from its peer's environment into this process, so that both attack the very same
network on the very same torch, and what they ask of it is counted in one place.
"""

import json
import logging
import sys
from collections import Counter
from collections.abc import Callable

import clothes
import torch
from torch import Tensor, nn

import hubel
from hubel.breaking.attacks import ATTACKS, Budget
from hubel.breaking.gradient import pgd
from hubel.breaking.norms import L2, LINF
from hubel.breaking.ready import ready

Attack = Callable[[nn.Module, Tensor, Tensor], Tensor]  # network, pixels, labels → pixels

told = json.loads(sys.argv[1])
norm = {"linf": LINF, "l2": L2}[told["norm"]]
asked: Counter[str] = Counter()


class Counted(nn.Module):
    """A network that counts the pictures it is asked about, with a gradient and without."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Tensor) -> Tensor:
        slope = torch.is_grad_enabled() and pixels.requires_grad
        asked["looks" if slope else "queries"] += len(pixels)
        return self.network(pixels)


def now(network: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    within = ATTACKS["pgd" if norm is LINF else "pgd-l2"].within
    return within(network, x, y, told["epsilon"], range(len(x)), Budget())


def before(network: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    found = x.clone()
    for loss in ("cross-entropy", "margin"):
        left = _named(network, found) == y
        if bool(left.any()):
            found[left] = pgd(
                network, x[left], y[left], epsilon=told["epsilon"], norm=norm, loss=loss, drop=True
            )
    return found


def autoattack(network: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    sys.path.append(told["packages"])
    from pyautoattack.autoattack import AutoAttack

    logging.disable(logging.CRITICAL)
    name = "Linf" if norm is LINF else "L2"
    attack = AutoAttack(network, norm=name, eps=told["epsilon"], seed=0, device="cpu")
    if told["side"] == "auto-pgd":
        attack.attacks_to_run = ["apgd-ce", "apgd-t"]
    return attack.run_standard_evaluation(x, y, batch_size=250)[0]


def minimal(name: str) -> Attack:
    return lambda network, x, y: ATTACKS[name].nearest(network, x, y, False)


def _named(network: nn.Module, x: Tensor) -> Tensor:
    with torch.no_grad():
        return network(x).argmax(1)


SIDES: dict[str, Attack] = {"hubel": now, "hubel before": before}
SIDES |= dict.fromkeys(("auto-pgd", "autoattack"), autoattack)
SIDES |= {name: minimal(name) for name, each in ATTACKS.items() if each.nearest is not None}

classifier = hubel.load(told["run"]).eval()
part = slice(told["first"], told["first"] + told["images"])
pixels = torch.from_numpy(clothes.images("t10k")[part])[:, None].float().div_(255)
labels = torch.from_numpy(clothes.labels("t10k")[part])
network = ready(classifier, pixels)
right = _named(classifier, pixels) == labels
x, y = pixels[right], labels[right]
images = SIDES[told["side"]](Counted(network), x.clone(), y.clone()).detach()
away = norm.size(images - x)
if told["epsilon"] is not None:
    images = torch.where((away <= told["epsilon"] + 1e-5).view(-1, 1, 1, 1), images, x)
resist = _named(classifier, images.clamp(0, 1)) == y
print(json.dumps({
    "looks": asked["looks"],
    "queries": asked["queries"],
    "most": float(away.max()),
    # of each picture that was right; none where it resists
    "away": [str(float(far)) for far in torch.where(resist, torch.inf, away)],
}))  # fmt: skip
