"""The recipe's adversary: what a training under attack minimises, and a watch over how it fares."""

from collections.abc import Mapping, Sequence

import torch

from hubel import draws
from hubel.breaking.adversarial_training import Threat, adversary, robust_accuracy
from hubel.figures import percent
from hubel.model import Classifier
from hubel.training.loop import Objective, as_given
from hubel.training.recipe import Recipe
from hubel.verbs.prepare import Prepared
from hubel.verbs.watch import Watch

ATTACKED = 500  # validation pictures, after every epoch
COLLAPSED = 0.5  # of the best accuracy under attack so far: below it, something has gone wrong


def objective_of(recipe: Recipe) -> Objective:
    """What a step minimises: the loss of its pictures, or what an adversary makes of them."""
    if recipe.adversary == "none":
        return as_given
    threat = Threat(recipe.epsilon, recipe.adversary_steps, recipe.trades_beta, recipe.drawn_from)
    return adversary(recipe.adversary, threat)


def robust(
    recipe: Recipe,
    prepared: Prepared,
    classifier: Classifier,
    history: Sequence[Mapping[str, float]],
    where: torch.device,
    watch: Watch,
) -> dict[str, float]:
    """{"robust": accuracy under attack} on validation pictures; {} for a recipe without adversary.

    history: the epochs before. That it collapsed, of which an adversary of one step is in danger,
    is told.
    """
    if recipe.adversary == "none":
        return {}
    validation = prepared.validation
    chosen = draws.order(recipe.seed, 0, len(validation.labels), "attacked")[:ATTACKED]
    pixels = torch.from_numpy(validation.images[chosen]).to(where).float() / 255
    labels = torch.from_numpy(validation.labels[chosen]).to(where)
    found = robust_accuracy(classifier, pixels, labels, epsilon=recipe.epsilon)
    best = max((row.get("validation_robust", 0.0) for row in history), default=0.0)
    if found < COLLAPSED * best:
        watch.notice(
            f"Accuracy under attack fell from {percent(best)} to {percent(found)}: what was "
            "learned to withstand is lost (catastrophic overfitting, if the adversary is fast). "
            "The weights of the best epoch are kept; adversary=pgd, a lower lr or a smaller "
            "epsilon may help."
        )
    return {"robust": found}
