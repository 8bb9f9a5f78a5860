"""The lab of saliency maps: what its methods give, its control, and that its verdicts can fail."""

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import nn

from hubel.labs import sanity as lab
from hubel.labs.lab import Setting
from hubel.model import Classifier
from hubel.networks.small import small
from hubel.pixels import PixelSpec
from hubel.understanding.saliency import of_class


@pytest.fixture
def classifier() -> Classifier:
    torch.manual_seed(0)
    return Classifier(
        small(classes=3, channels=3, size=(16, 16), widths=(4, 6, 8)).eval(),
        classes=("a", "b", "c"), pixels=PixelSpec((16, 16), 3),
    )  # fmt: skip


PIXELS = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(1))
LABELS = torch.tensor([2, 0])


@pytest.mark.parametrize("name", lab.METHODS)
def test_a_method_gives_maps_that_know_of_the_weights(classifier: Classifier, name: str) -> None:
    score = of_class(LABELS)
    maps = lab.METHODS[name](classifier, PIXELS, score)
    assert maps.shape == (2, 16, 16)
    assert float(maps.min()) >= 0
    for part in classifier.modules():
        if isinstance(part, nn.Conv2d):
            part.reset_parameters()
    again = lab.METHODS[name](classifier, PIXELS, score)
    assert torch.equal(again, maps) == (name == lab.CONTROL)


def test_fates_are_rank_correlations_with_the_trained_map(classifier: Classifier) -> None:
    fate = lab._fate("gradient", classifier, PIXELS, LABELS, 2, Setting("quick"))
    assert fate.layers[0] == "head"
    assert fate.rank.shape == (2, len(fate.layers), 2)
    assert len(fate.maps) == 1 + len(fate.layers)
    for point, maps in enumerate(fate.maps[1:]):
        expected = spearmanr(fate.maps[0].ravel(), maps.ravel()).statistic
        assert fate.rank[0, point, 0] == pytest.approx(expected, abs=1e-6)
    assert not np.array_equal(fate.rank[0], fate.rank[1])
    control = lab._fate(lab.CONTROL, classifier, PIXELS, LABELS, 1, Setting("quick"))
    assert (control.rank > 1 - 1e-6).all()


def fates(last: dict[str, float], n: int) -> dict[str, lab.Fate]:
    made = {}
    for name in lab.METHODS:
        rank = np.full((2, 3, n), last.get(name, 0.5))
        made[name] = lab.Fate(("head", "b", "c"), rank, [])
    return made


def test_adebayos_claim_holds_only_if_all_four_comparisons_are_sure() -> None:
    stay = {"guided backpropagation": 0.6, "deconvnet": 0.4, "gradient": 0.3, "Grad-CAM": 0.0}
    assert lab._random(fates(stay, 10), "x").holds is True
    assert lab._random(fates(stay, 5), "x").holds is False  # five of five are no proof
    finding = lab._random(fates(stay | {"gradient": 0.5}, 10), "x")
    assert finding.holds is False
    assert "in 3 of 4 comparisons, not: deconvnet and gradient." in finding.measured


def test_maps_matter_only_if_every_method_surely_beats_its_moved_self() -> None:
    sure = lab.Trial({"deletion": 18, "insertion": 20}, 20)
    half = lab.Trial({"deletion": 18, "insertion": 12}, 20)
    worse = lab.Trial({"deletion": 1, "insertion": 20}, 20)
    assert sure.p("deletion") == pytest.approx(2 * (1 + 20 + 190) / 2**20)
    assert [half.sure("insertion"), worse.sure("deletion")] == [False, False]
    rows = dict.fromkeys(lab.METHODS, sure)
    assert lab._matters(rows | {lab.CONTROL: worse}, "x").holds is True
    finding = lab._matters(rows | {"Grad-CAM": half}, "x")
    assert finding.holds is False
    assert "not for Grad-CAM (insertion)." in finding.measured
