"""Pictures that fool, to be shown."""

import numpy as np
import torch
from torch import Tensor

from hubel import draws
from hubel.breaking.attacks import Attack, Budget
from hubel.breaking.robustness import Fooled
from hubel.model import Classifier, evaluating
from hubel.report.attack import Example
from hubel.verbs.attack_subject import Subject

SHOWN = 8  # pictures of an attack


def shown(at: Subject, budget: Budget, attack: Attack, found: Fooled) -> list[Example]:
    """Some that an attack found, of as many classes as there are; none where none fools."""
    which = found.fooled.nonzero()[:, 0]
    if not len(which):
        return []
    order = draws.order(budget.seed, 0, len(which), "shown")
    which = which[torch.from_numpy(order).to(which.device)]
    firsts = dict[int, int]()
    for i in which.tolist():
        firsts.setdefault(int(at.labels[i]), i)
    chosen = list(dict.fromkeys([*firsts.values(), *which.tolist()]))[:SHOWN]
    originals, made = at.pixels[chosen], found.images[chosen]
    if attack.within is not None:  # to the end, not only across the boundary
        full = budget._replace(drop=False)
        made = attack.within(at.network, originals, at.wanted[chosen], found.epsilon, chosen, full)
    with evaluating(at.classifier) as classifier:
        before, after = (classifier.probabilities(x).cpu() for x in (originals, made))
    sizes = attack.norm.size(made - originals).tolist()
    return [
        Example(
            _array(originals[k]), _array(made[k]), _best(at.classifier, before[k]),
            _best(at.classifier, after[k]), sizes[k], attack.norm.name,
        )
        for k in range(len(chosen))
    ]  # fmt: skip


def _array(picture: Tensor) -> "np.ndarray[tuple[int, ...], np.dtype[np.float32]]":
    return picture.permute(1, 2, 0).cpu().numpy()


def _best(classifier: Classifier, probabilities: Tensor) -> tuple[str, float]:
    best = int(probabilities.argmax())
    return classifier.classes[best], float(probabilities[best])
