"""What the grey curves are of: what is on in the recipe, and nothing else."""

import pytest

from hubel.data.augment.compose import EFFECTS
from hubel.report.training_loss import CHANGES, grey
from hubel.training.presets import RECIPES
from hubel.training.recipe import Recipe, resolve

WORDS = ("at random", "dropout", "smoothing", "rare classes", "attacked", "hinge", "first epoch")


@pytest.mark.parametrize(
    ("recipe", "said", "loss", "accuracy"),
    [
        ({}, (), "training", "training"),
        ({"smoothing": 0.1}, ("smoothing",), "training: smoothed", "training"),
        ({"flip": True}, ("at random",), "training: augmented", "training: augmented"),
        ({"flip": False, "rotate": 0.0}, (), "training", "training"),
        ({"class_weights": "balanced"}, ("rare classes",), "training", "training"),
        ({"adversary": "pgd"}, ("attacked",), "training: attacked", "training: attacked"),
        ({"adversary": "trades"}, (), "training", "training"),
        ({"loss": "hinge"}, ("hinge",), "training", "training"),
        ({"start": "a run"}, ("first epoch",), "training", "training"),
    ],
)
def test_only_what_is_on_is_named(
    recipe: dict[str, object], said: tuple[str, ...], loss: str, accuracy: str
) -> None:
    found = grey(Recipe().model_dump() | recipe)
    assert tuple(word for word in WORDS if word in found.sentence) == said
    assert found[:2] == (loss, accuracy)
    assert "as the epoch ran" in found.sentence
    assert ("None of that holds" in found.sentence) == bool(set(said) - {"first epoch"})


def test_a_start_of_one_epoch_changes_no_picture() -> None:
    found = grey({"start": "a run", "epochs": 1, "smoothing": 0.1, "rotate": 9.0})
    assert found == ("training", "training", found.sentence)
    assert "as they are" in found.sentence


def test_dropout_is_the_networks() -> None:
    assert "with dropout" in grey({}, dropout=True).sentence


def test_every_change_of_a_picture_has_its_word() -> None:
    others = {"margin", "stylised", "mixup", "cutmix"}
    assert set(CHANGES) == set(EFFECTS) | others
    assert set(CHANGES) <= set(Recipe.model_fields)


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_is_told(name: str) -> None:
    recipe = resolve(name, {})
    found = grey(recipe.model_dump())
    assert (f"{recipe.smoothing:g}" in found.sentence) == (recipe.smoothing > 0)
