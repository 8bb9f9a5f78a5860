"""hubel break: an attack that is too weak says so, and a stronger one goes on; built by hand.

Of a target and of the models that it is compared with, too.
"""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import hubel
from hubel.mistakes import Failure, Mistake
from hubel.model import Classifier
from hubel.pixels import PixelSpec
from hubel.verbs.watch import Watch
from tests.conftest import paint


class Hiding(nn.Module):
    """Names pictures of mean 1/2 "middle", and dark ones; by t, the mean less 1/2.

    Within |t| ≤ 0.1 the seven likeliest wrong classes of a middle picture are out of reach by 0.1;
    the eighth is not, but neither the slope of the cross-entropy nor that of the best leads there.
    """

    def forward(self, x: Tensor) -> Tensor:
        t = x.mean((1, 2, 3)) - 0.5
        near = [-1 - k / 10 - 9 * t for k in range(7)]
        return torch.stack((60 * (-0.2 - t), 0 * t, *near, 55 * t - 5), 1)


@pytest.mark.slow
def test_an_attack_that_fails_its_checks_says_so_and_a_stronger_one_goes_on(
    tmp_path: Path,
) -> None:
    for name, level in (("dark", 0), ("middle", 127)):
        (tmp_path / "two" / name).mkdir(parents=True)
        for n in range(6):
            picture = np.full((12, 12, 3), level, np.uint8)
            picture[n, n] = 3 * n  # no two are alike
            picture[n, 0] = 2 * level - picture[n, n] if level else 0
            Image.fromarray(picture).save(tmp_path / "two" / name / f"{n}.png")
    spec = PixelSpec((12, 12), 3, mean=(0.0,) * 3, std=(1.0,) * 3)
    classes = ("dark", "middle", *(f"other {n}" for n in range(8)))
    model = Classifier(Hiding(), classes=classes, pixels=spec)
    within = 0.1 * (12 * 12 * 3) ** 0.5  # in L2, what moves the mean by 0.1: 2.08
    found = hubel.attack(
        model, tmp_path / "two", attacks=["pgd-l2"], epsilons=[within, within / 4], steps=10,
        threads=1, out=tmp_path / "b",
    )  # fmt: skip
    fooled = {(row.attack, row.epsilon): row.success.part for row in found.found.rows}
    assert fooled == {
        ("pgd-l2", within): 0, ("pgd-l2", within / 4): 0,
        ("apgd-l2", within): 6, ("apgd-l2", within / 4): 0,
    }  # fmt: skip
    assert found.lines[0].startswith("pgd-l2 fails the checks of a sound attack")
    assert "apgd-l2 turns 6 of 12 right answers" in found.lines[0]
    told = json.loads((tmp_path / "b" / "attack.json").read_text())
    (failed,) = (each for each in told["checks"] if not each["passed"])
    assert failed["name"] == "a stronger attack finds no more"
    assert failed["found"] == "of 12 pictures 12 resist pgd-l2, and 6 of them apgd-l2, too"
    assert {(each["norm"], each["epsilon"]) for each in told["checks"]} == {("l2", within)}
    assert told["sound"]
    assert found.found.failed == ["pgd-l2"]
    assert "apgd-l2 goes on where pgd-l2 is too weak." in found.found.lines
    assert "pgd-l2 fails the checks" in found.page.read_text()


class Stairs(nn.Module):
    """Sees the mean in levels; its gradient is of another thing altogether."""

    def forward(self, x: Tensor) -> Tensor:
        level = (x.detach().mean((1, 2, 3)) * 50).round() / 50 + 1e-6 * x.std((1, 2, 3))
        return torch.stack((0.5 - level, level - 0.5), 1) * 20


@pytest.mark.slow
def test_where_nothing_by_gradient_is_sound_the_search_goes_on(tmp_path: Path) -> None:
    for name, level in (("dark", 120), ("light", 136)):
        (tmp_path / "two" / name).mkdir(parents=True)
        for n in range(4):
            picture = np.full((12, 12, 3), level + n, np.uint8)
            picture[::2, ::2] += 9  # has a spread for a gradient
            Image.fromarray(picture).save(tmp_path / "two" / name / f"{n}.png")
    spec = PixelSpec((12, 12), 3, mean=(0.0,) * 3, std=(1.0,) * 3)
    model = Classifier(Stairs(), classes=("dark", "light"), pixels=spec)
    found = hubel.attack(
        model, tmp_path / "two", attacks=["pgd"], epsilons=[0.1], steps=3, threads=1,
        out=tmp_path / "b",
    ).found  # fmt: skip
    assert [row.attack for row in found.rows] == ["pgd", "apgd", "search"]
    assert found.rows[-1].success.part > max(row.success.part for row in found.rows[:-1])
    assert found.failed[:2] == ["pgd", "apgd"]
    assert found.headline.startswith("pgd and apgd fail")


def test_attacks_at_a_target_are_put_on_trial(tmp_path: Path) -> None:
    """The slope leads away from the target that a search without gradients finds."""
    for name, level in (("dark", 120), ("light", 136)):
        for n in range(4):
            paint(tmp_path / "two" / name / f"{n}.png", n, level)
    spec = PixelSpec((12, 12), 3, mean=(0.0,) * 3, std=(1.0,) * 3)
    model = Classifier(Stairs(), classes=("dark", "light"), pixels=spec)
    found = hubel.attack(
        model, tmp_path / "two", attacks=["pgd"], epsilons=[0.1], steps=3, threads=1,
        target="light", out=tmp_path / "b",
    ).found  # fmt: skip
    assert [row.attack for row in found.rows] == ["pgd", "apgd", "search"]
    assert {row.success.of for row in found.rows} == {4}
    assert found.failed[:2] == ["pgd", "apgd"]
    assert found.rows[-1].success.part > max(row.success.part for row in found.rows[:-1])


class Mean(nn.Module):
    """Three classes by the mean; `then` is what is made of their logits."""

    def __init__(self, then: Callable[[Tensor], object] = lambda x: x) -> None:
        super().__init__()
        self.then = then

    def forward(self, x: Tensor) -> object:
        t = 20 * (x.mean((1, 2, 3)) - 0.5)
        return self.then(torch.stack((-t, t, -9 + 0 * t), 1))


def by_mean(
    then: Callable[[Tensor], object] = lambda x: x, classes: str = "dark light grey"
) -> Classifier:
    spec = PixelSpec((12, 12), 3, mean=(0.0,) * 3, std=(1.0,) * 3)
    return Classifier(Mean(then), classes=tuple(classes.split()), pixels=spec).eval()


@pytest.fixture
def two(tmp_path: Path) -> Path:
    for name, level in (("dark", 60), ("light", 196)):
        for n in range(4):
            paint(tmp_path / "two" / name / f"{n}.png", n, level)
    return tmp_path / "two"


OTHERS: dict[str, tuple[Callable[[], Classifier], type[Exception], str]] = {
    "one logit": (lambda: by_mean(lambda x: x[:, :1]), Mistake, "one number for each image"),
    "a tuple": (lambda: by_mean(lambda x: (x,)), Mistake, "a tuple of 1"),
    "too many": (lambda: by_mean(lambda x: torch.cat((x, x), 1)), Mistake, r"float32 \(8, 6\)"),
    "NaN": (lambda: by_mean(lambda x: x * torch.nan), Failure, "answers are not finite"),
    "other classes": (lambda: by_mean(classes="a b c"), Mistake, "does not know: dark, light"),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_a_model_to_compare_with_is_held_to_the_same_and_named(
    kind: str, two: Path, tmp_path: Path
) -> None:
    other, wrong, said = OTHERS[kind]
    how = {"threads": 1, "out": tmp_path / "b"}
    with pytest.raises(wrong, match=f"^network 2: .*{said}"):
        hubel.attack(by_mean(), two, against=[other()], **how)  # type: ignore[arg-type]
    with pytest.raises(wrong, match=f"^the reference: .*{said}"):
        hubel.corrupt(by_mean(), two, against=other(), **how)  # type: ignore[arg-type]
    with pytest.raises(wrong, match=f"^the other model: .*{said}"):
        hubel.evaluate(by_mean(), two, against=other())
    assert not (tmp_path / "b").exists()


def test_what_it_is_compared_with_is_put_on_trial(tmp_path: Path) -> None:
    for name, level in (("dark", 120), ("light", 136)):
        for n in range(4):
            paint(tmp_path / "two" / name / f"{n}.png", n, level)
    stairs = Classifier(Stairs(), classes=("dark", "light"), pixels=by_mean().pixels)
    found = hubel.attack(
        by_mean(), tmp_path / "two", attacks=["pgd"], epsilons=[0.1], steps=3, threads=1,
        out=tmp_path / "b", against=[stairs],
    ).found  # fmt: skip
    assert {check.model for check in found.checks if check.passed} >= {"", "network 2"}
    assert found.failed[:2] == ["pgd on network 2", "apgd on network 2"]
    assert found.headline.startswith("pgd on network 2 and apgd on network 2 fail")
    assert [check.model for check in found.checks] == sorted(check.model for check in found.checks)


def test_a_class_that_the_other_does_not_know_matters_where_there_are_pictures_of_it(
    two: Path, tmp_path: Path
) -> None:
    other = by_mean(lambda x: x[:, [1, 0]], classes="light dark")
    found = hubel.attack(
        by_mean(), two, attacks=["pgd"], epsilons=[0.5], steps=3, threads=1, out=tmp_path / "b",
        against=[other], checks=False,
    ).found  # fmt: skip
    assert found.transfer is not None
    assert found.transfer.shares == [[1.0, 1.0], [1.0, 1.0]]


def test_another_run_that_learned_from_the_pictures_is_told_of(
    folder: Path, tmp_path: Path
) -> None:
    settings = {"network": "linear", "epochs": 2, "size": 12, "threads": 1, "recipe": "fast"}
    hubel.train(folder, out=tmp_path / "run", **settings)  # type: ignore[arg-type]
    watch, told = Watch(), list[str]()
    watch.notice = told.append  # type: ignore[method-assign]
    hubel.attack(
        by_mean(), folder, attacks=["fgsm"], epsilons=[0.1], threads=1, out=tmp_path / "b",
        against=[tmp_path / "run"], checks=False, watch=watch,
    )  # fmt: skip
    assert any(each.startswith("run learned from ") for each in told)
