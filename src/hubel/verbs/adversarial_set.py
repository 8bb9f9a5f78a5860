"""Pictures that an attack made, written as a data set."""

from pathlib import Path

import torch

from hubel.breaking.attacks import ATTACKS, Budget
from hubel.breaking.eight_bit import png
from hubel.breaking.robustness import robustness, taken
from hubel.output import Output
from hubel.verbs.attack_subject import Subject
from hubel.verbs.labelled import class_folder

STEM = 60  # letters of a picture's name that its changed copy is called by


def adversarial_set(
    at: Subject, budget: Budget, name: str, epsilon: float, folder: Output, inside: str
) -> str:
    """What an attack at full strength makes within ε, in folders by right class.

    inside: its folder in that one. Returns a sentence: how many fool when they are read again.
    """
    (found,) = robustness(
        at.network, at.pixels, at.wanted, ATTACKS[name], [epsilon],
        budget=budget._replace(drop=False), batch=at.batch,
    )  # fmt: skip
    again = []
    for place, (number, label) in enumerate(
        zip(at.numbers.tolist(), at.labels.tolist(), strict=True)
    ):
        content = png(found.lasts[place])
        stem = Path(at.names[number]).stem[:STEM]
        kind = class_folder(at.classifier.classes[label])
        folder.write(f"{inside}/{kind}/{number:05d}-{stem}.png", content)
        again.append(at.classifier.read(content))
    read = torch.stack(again).to(at.pixels)
    targeted = budget.targeted
    fools = taken(at.classifier, read, at.wanted, targeted=targeted, batch=at.batch)
    return (
        f"{len(again)} pictures made by {name} are in {inside}/; read from there, "
        f"{int(fools.sum())} of them fool."
    )
