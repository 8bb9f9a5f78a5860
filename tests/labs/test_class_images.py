"""Class images: what is measured of them, and that the verdict can fail."""

import numpy as np
import pytest
import torch

from hubel.labs import class_images as lab
from hubel.labs import photo_classes
from hubel.labs.lab import Setting
from hubel.labs.learning import Pictures
from hubel.mistakes import Failure
from hubel.understanding.maximise import Maximised

DATA = Pictures(
    torch.zeros(4, 1, 8, 8, dtype=torch.uint8), torch.zeros(4, dtype=torch.long),
    torch.zeros(6, 1, 8, 8, dtype=torch.uint8), torch.zeros(6, dtype=torch.long),
    ("a", "b"), "nothing",
)  # fmt: skip


def made(gain: list[float]) -> lab.Made:
    n = len(gain)
    final = torch.tensor(gain) + 1
    found = Maximised((), torch.zeros(n, 1, 8, 8), torch.zeros(3, n), final, final,
                      torch.zeros(n, dtype=torch.bool), torch.full((n,), 3))  # fmt: skip
    return lab.Made(found, torch.tensor(gain), torch.full((n,), 0.9), 0.5, 2.0)


def test_the_best_picture_of_a_class_is_one_of_that_class() -> None:
    logits = torch.tensor([[1.0, 9.0], [3.0, 0.0], [8.0, 2.0], [2.0, -5.0]])
    found = lab._best(logits, torch.tensor([0, 0, 1, 1]), 2)
    assert found.values.tolist() == [3.0, 2.0]
    assert found.indices.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("gain", "holds"),
    [
        ([2.0] * 10 + [-1.0] * 10, True),  # in the mean of two starts
        ([2.0] * 10 + [-1.0] * 9 + [-3.0], False),  # nine of ten classes are not enough
        ([-1.0] * 20, False),
    ],
)
def test_the_claim_is_held_against_every_class(gain: list[float], holds: bool) -> None:
    rows = dict.fromkeys(lab.RECIPES, made([5.0] * 20)) | {"nothing": made(gain)}
    finding = lab._finding(
        rows, torch.linspace(1, 2, 10), {"plain": 0.8, "second": 0.7, "noisy": 0.6}, DATA
    )
    assert finding.holds is holds
    assert f"in {sum(g > 0 for g in gain)} of 20 images" in finding.measured
    assert finding.n.startswith("10 classes × 2 starts")


def test_roughness_is_the_difference_of_neighbours() -> None:
    stripes = torch.tensor([0.0, 0.5]).repeat(4).expand(2, 1, 8, 8)
    assert lab._roughness(stripes) == pytest.approx(0.5)
    assert lab._roughness(torch.full((1, 1, 8, 8), 0.7)) == 0


def test_noise_is_drawn_by_seed_epoch_and_batch_alone() -> None:
    pixels, where = torch.zeros(64, 1, 8, 8), np.arange(64)
    state = torch.random.get_rng_state()
    noise = lab._noisy(pixels, where, 3, 1)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(noise, lab._noisy(pixels, where, 3, 1))
    others = [lab._noisy(pixels, where, 3, 2), lab._noisy(pixels, where, 4, 1),
              lab._noisy(pixels, where + 1, 3, 1)]  # fmt: skip
    assert all(float((noise - other).abs().mean()) > 0.1 for other in others)
    assert float(noise.std()) == pytest.approx(lab.DEVIATION, rel=0.05)  # 4,096 draws: 1.1 %


def test_without_weights_a_line_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise Failure(f"The weights of {name} are not installed.")

    monkeypatch.setattr(photo_classes.weights, "load", missing)
    found = photo_classes.photo_classes(Setting("usual"))
    assert found.drawings == ()
    assert found.lines[0].endswith("The weights of efficientnet-lite0 are not installed.")
