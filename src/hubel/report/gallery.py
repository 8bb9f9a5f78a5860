"""predict.html: pictures under the classes that a model names them, the surest first."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hubel.report.html import HERE, Onward, render


class Answered(NamedTuple):
    """A picture by name, uint8 (H, W, C), and the probability of the class that it is under.

    unlike: why it is strange to the model, in words; of others nothing.
    """

    name: str
    image: NDArray[np.uint8]
    probability: float
    unlike: str = ""


class Answers(NamedTuple):
    """A class, how many pictures are named so, and those of them that are shown."""

    name: str
    n: int
    pictures: Sequence[Answered]


def gallery_page(
    classes: Sequence[Answers],
    unreadable: Sequence[tuple[str, str]],
    facts: Mapping[str, Any],
    strange: int | None = None,
    onward: Onward = HERE,
) -> str:
    """The whole page as HTML. unreadable: (name, reason). facts: date, hubel, torch, model.

    strange: how many of the answered pictures are unlike the training pictures; None: unknown.
    """
    return render(
        "gallery.html",
        onward=onward,
        classes=classes,
        answered=sum(each.n for each in classes),
        unreadable=unreadable,
        strange=strange,
        facts=facts,
    )
