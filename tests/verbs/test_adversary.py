"""Recipes with an adversary: from the settings to a run, stopped and gone on with."""

import tomllib
from pathlib import Path

import pytest

import hubel
from hubel.mistakes import Mistake
from hubel.model import WEIGHTS
from hubel.training import recipe as recipes
from hubel.training.loop import as_given
from hubel.training.presets import RECIPES
from hubel.verbs import adversary
from hubel.verbs.adversary import objective_of
from hubel.verbs.train import Trained
from tests.conftest import Heard

SETTINGS = {
    "network": "mlp", "arguments": {"hidden": [24], "dropout": 0.2}, "epochs": 2,
    "batch_size": 200, "epsilon": 0.1, "adversary_steps": 3, "seed": 4,
}  # fmt: skip


def train(out: Path, **changes: object) -> Trained:
    return hubel.train("digits", out=out, threads=1, **(SETTINGS | changes))


@pytest.mark.parametrize("name", ["fast", "trades"])
def test_a_run_stopped_and_resumed_is_bit_equal(name: str, tmp_path: Path) -> None:
    whole = train(tmp_path / "whole", adversary=name)
    part = train(tmp_path / "part", adversary=name, minutes=1e-9)
    assert part.stopped == "time limit"
    hubel.train(resume=part.run, threads=1)
    weights = [(run / "model" / WEIGHTS).read_bytes() for run in (whole.run, part.run)]
    assert weights[0] == weights[1]
    assert all(0 <= row["validation_robust"] <= row["validation_accuracy"] for row in whole.history)
    best = max(row["validation_robust"] for row in whole.history)
    assert whole.history[whole.best_epoch - 1]["validation_robust"] == best
    told = tomllib.loads((whole.run / "recipe.toml").read_text())
    assert (told["adversary"], told["epsilon"]) == (name, 0.1)


def test_without_an_adversary_nothing_is_attacked(tmp_path: Path) -> None:
    found = train(tmp_path / "run", epochs=1)
    assert "validation_robust" not in found.history[0]
    assert objective_of(recipes.resolve("fast", {})) is as_given


def test_a_collapse_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    accuracies = iter([0.6, 0.2])
    monkeypatch.setattr(adversary, "robust_accuracy", lambda *_, **__: next(accuracies))
    heard = Heard()
    found = hubel.train(
        "digits", out=tmp_path / "run", threads=1, watch=heard, **(SETTINGS | {"adversary": "fast"})
    )
    assert found.best_epoch == 1
    [told] = [each for each in heard.notices if "under attack fell" in each]
    assert "from 60.0 % to 20.0 %" in told


@pytest.mark.parametrize("name", [name for name in RECIPES if name.startswith("adversarial")])
def test_the_named_recipes(name: str) -> None:
    found = recipes.resolve(name, {})
    assert found.adversary == name.partition("-")[2]
    assert found.epsilon == pytest.approx(8 / 255)
    assert recipes.resolve(name, {"epsilon": 0.1}).epsilon == 0.1
    assert objective_of(found) is not as_given


def test_what_cannot_be_asked() -> None:
    with pytest.raises(Mistake, match=r"epsilon: is in units of pixels from 0 to 1; of 255 levels"):
        recipes.resolve("adversarial-fast", {"epsilon": 8.0})
    with pytest.raises(Mistake, match="epsilon"):
        recipes.resolve("adversarial-fast", {"epsilon": 0.0})
    with pytest.raises(Mistake, match="adversary"):
        recipes.resolve("fast", {"adversary": "pdg"})
    with pytest.raises(Mistake, match="pictures of one class"):
        recipes.resolve("adversarial-fast", {"mixup": 0.2})
    with pytest.raises(Mistake, match="pictures of one class"):
        recipes.resolve("adversarial-pgd", {"loss": "hinge"})
