"""The 16 entry-level categories that networks with ImageNet's 1,000 classes are compared on.

Geirhos et al. 2018 ("Generalisation in humans and deep neural networks", 16-class-ImageNet) and
2019: a category's probability is the mean of those of the ImageNet classes that belong to it, by
the WordNet hierarchy, and the decision is the category with the highest. The indices are those of
github.com/rgeirhos/texture-vs-shape, code/helper/human_categories.py; the mean is what its README
recommends (and the appendix of the 2018 paper derives). The 2019 paper itself aggregated
otherwise and averaged over categories: of ResNet-50 it reports a shape bias of 22.1 %, by the mean
and over all images it is 21.4 %.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from hubel.mistakes import Mistake


def _between(first: int, last: int, *out: int) -> tuple[int, ...]:
    """From first to last, both included, without those left out."""
    return tuple(i for i in range(first, last + 1) if i not in out)


# ImageNet indices in the usual order (tench 0 … toilet tissue 999). The authors took some classes
# of a category out by hand (cock, ostrich, jay, kite, peacock, quail and more of the birds).
INDICES: Mapping[str, tuple[int, ...]] = {
    "airplane": (404,),
    "bear": _between(294, 297),
    "bicycle": (444, 671),
    "bird": (
        *(8, *_between(10, 24, 17, 21), *_between(80, 100, 84, 85, 86, 97)),
        *_between(127, 145, 134),
    ),
    "boat": (472, 554, 625, 814, 914),
    "bottle": (440, 720, 737, 898, 899, 901, 907),
    "car": (436, 511, 817),
    "cat": _between(281, 286),
    "chair": (423, 559, 765, 857),
    "clock": (409, 530, 892),
    "dog": _between(152, 268, 192, 204, 227, 242, 251, 258, 260, 264),
    "elephant": (385, 386),
    "keyboard": (508, 878),
    "knife": (499,),
    "oven": (766,),
    "truck": (555, 569, 656, 675, 717, 734, 864, 867),
}
CATEGORIES = tuple(INDICES)
CLASSES = 1000


def categories(probabilities: Tensor) -> Tensor:
    """Probabilities (N, 1000), in ImageNet's order → means of the 16 categories (N, 16).

    In the order of CATEGORIES; their argmax is the decision. They do not sum to 1. Departure: where
    two are equal the first counts, as in the authors' program. Raises Mistake for another shape.

    >>> one = torch.zeros(1, 1000)
    >>> one[0, 285] = 0.6  # Egyptian cat
    >>> CATEGORIES[int(categories(one).argmax())], round(float(categories(one).max()), 3)
    ('cat', 0.1)
    """
    if probabilities.ndim != 2 or probabilities.shape[1] != CLASSES:
        raise Mistake(
            f"The 16 categories are made of probabilities (N, {CLASSES}) of ImageNet's classes; "
            f"found {tuple(probabilities.shape)}."
        )
    return torch.stack([probabilities[:, list(INDICES[c])].mean(1) for c in CATEGORIES], dim=1)


def known(classes: Sequence[str]) -> bool:
    """Whether these names of classes are some of the 16 categories, and nothing else."""
    return bool(classes) and set(classes) <= set(CATEGORIES)
