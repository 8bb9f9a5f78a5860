"""hubel break: an attack that is too weak says so, and a stronger one goes on; built by hand."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import hubel
from hubel.model import Classifier
from hubel.pixels import PixelSpec


class Hiding(nn.Module):
    """Names pictures of mean 1/2 "middle", and dark ones; by t, the mean less 1/2.

    Within |t| ≤ 0.1 the seven likeliest wrong classes of a middle picture are out of reach by 0.1;
    the eighth is not, but neither the slope of the cross-entropy nor that of the best leads there.
    """

    def forward(self, x: Tensor) -> Tensor:
        t = x.mean((1, 2, 3)) - 0.5
        near = [-1 - k / 10 - 9 * t for k in range(7)]
        return torch.stack((60 * (-0.2 - t), 0 * t, *near, 55 * t - 5), 1)


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
