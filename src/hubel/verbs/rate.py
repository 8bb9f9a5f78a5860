"""`lr=auto`: the learning rate that a range test proposes, in place of one that is named."""

from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import nn

from hubel.figures import counted, percent
from hubel.mistakes import Failure, Mistake
from hubel.model import Classifier
from hubel.training import range_test as ranges
from hubel.training.loop import training_mode
from hubel.training.range_test import RangeTest, range_test
from hubel.training.recipe import Recipe, read_toml
from hubel.transfer import finetune
from hubel.verbs import machine
from hubel.verbs.head import fit_head
from hubel.verbs.prepare import Prepared, make_classifier, prepare
from hubel.verbs.session import batches_of, loss_of, optimiser_of, penalty_of, place
from hubel.verbs.watch import Watch

AUTO = "auto"
STANDING_IN = 1.0  # of a recipe whose rate is to be found, until it is
MOST = 1024  # pictures in a batch of the test, where the training's is of all of them


def is_wanted(recipe: str | None, settings: Mapping[str, Any]) -> bool:
    """Whether the settings, or else the recipe's file, leave the rate to be found.

    Raises Mistake for a word that is neither a number nor auto.
    """
    said = settings.get("lr")
    if said is None and recipe is not None and recipe.endswith(".toml"):
        said = read_toml(Path(recipe)).get("lr")
    if not isinstance(said, str) or said == AUTO:
        return said == AUTO
    try:
        float(said)
    except ValueError:
        raise Mistake(f"lr is a number above 0, or auto for a range test, not {said!r}.") from None
    return False


def found(
    recipe: Recipe,
    start: Classifier | None,
    *,
    device: str = "auto",
    threads: int | None = None,
    workers: int = 0,
    watch: Watch | None = None,
) -> Recipe:
    """The recipe with the rate that suits its data and network, before there is any training.

    For several trainings of one recipe, which are to differ in their draws alone.
    """
    watch = watch or Watch()
    where = machine.device(device)
    with machine.threads(threads), machine.deterministic(recipe.deterministic):
        prepared = prepare(recipe, workers=workers, watch=watch, start=start)
        classifier = make_classifier(recipe, prepared, start)
        return settled(recipe, prepared, classifier, where, watch)[0]


def settled(
    recipe: Recipe, prepared: Prepared, classifier: Classifier, where: torch.device, watch: Watch
) -> tuple[Recipe, str]:
    """The recipe with the rate that a range test proposes, and a sentence that says why.

    The classifier is moved to the device and is otherwise left as it was. Of a start the head is
    fitted first, and as many layers learn as in the end of the training.
    Raises Failure where no rate makes the loss lower.
    """
    place(classifier, recipe, where)
    with ranges.as_found(classifier) if recipe.start else nullcontext():
        if recipe.start:
            fit_head(recipe, prepared, classifier, where, watch)
        test = _tested(recipe, prepared, classifier, where, watch)
    if test.proposed is None:
        raise Failure(
            f"No rate from {ranges.LOW:g} to {ranges.HIGH:g} made the loss any lower in "
            f"a range test of {counted(len(test.rates), 'step')}: name one with --lr."
        )
    sentence = why(test)
    watch.notice(sentence)
    return recipe.model_copy(update={"lr": test.proposed}), sentence


def why(test: RangeTest) -> str:
    """What the test found, in a sentence."""
    lowest = min(test.smoothed)
    end = (
        f"it diverged at {test.rates[-1]:.1e}"
        if test.diverged
        else f"it was {test.smoothed[-1]:.2f} at {test.rates[-1]:g}"
    )
    return (
        f"lr=auto: {test.proposed:g}, at which the loss had done {percent(ranges.FALLEN, 0)} of "
        f"its fall in a range test of {len(test.rates)} steps: from {test.smoothed[0]:.2f} to "
        f"{lowest:.2f} at {test.rates[test.smoothed.index(lowest)]:.1e}; {end}."
    )


def _tested(
    recipe: Recipe, prepared: Prepared, classifier: Classifier, where: torch.device, watch: Watch
) -> RangeTest:
    whole = recipe.batch_size == "all" and len(prepared.train.labels) > MOST
    batched = recipe.model_copy(update={"batch_size": MOST}) if whole else recipe

    def thawed(model: nn.Module, _epoch: int) -> None:
        finetune.train_mode(model)
        finetune.thaw(model, recipe.thaw)

    return range_test(
        classifier,
        batches_of(batched, prepared, where),
        loss=loss_of(recipe, prepared, where),
        optimiser=lambda lr: optimiser_of(recipe, classifier, lr),
        device=where,
        seed=recipe.drawn_from,
        penalty=penalty_of(recipe),
        autocast=machine.autocast(recipe.precision, where),
        mode=thawed if recipe.start else training_mode,
        progress=lambda done, total: watch.progress("rate", done, total),
    )
