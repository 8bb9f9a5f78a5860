"""The labs that train: at their quick size they find what their claims are about."""

import math
from collections.abc import Callable
from itertools import pairwise

import pytest
import torch

from hubel.findings import Shown
from hubel.labs.activations import activations, reached
from hubel.labs.class_images import class_images
from hubel.labs.depth import depth
from hubel.labs.depth_and_data import depth_and_data
from hubel.labs.gradient_descent import Slope, gradient_descent
from hubel.labs.identity import identity
from hubel.labs.initialisation import initialisation
from hubel.labs.lab import Setting
from hubel.labs.learning import grey_pictures
from hubel.labs.learning_rate import learning_rate
from hubel.labs.linear_classifier import SCORES, by_hand, linear_classifier
from hubel.labs.occlusion import occlusion
from hubel.labs.regularisation import fitted, regularisation
from hubel.labs.sanity import sanity
from hubel.labs.shallow_and_deep import shallow_and_deep

QUICK = Setting("quick")
LABS: dict[Callable[..., Shown], list[str]] = {
    activations: ["L23"],
    class_images: ["L47"],
    depth: ["L31"],
    depth_and_data: ["L9", "L39"],
    gradient_descent: ["L18"],
    identity: ["L32"],
    initialisation: ["L35"],
    learning_rate: ["L19"],
    linear_classifier: ["L10", "L11"],
    occlusion: ["L46"],
    regularisation: ["L13"],
    sanity: ["X1", "X2"],
    shallow_and_deep: ["L4"],
}
HEAVY = {
    class_images,
    depth,
    identity,
    initialisation,
    learning_rate,
    occlusion,
    sanity,
    shallow_and_deep,
}


@pytest.mark.parametrize(
    "lab",
    [pytest.param(lab, marks=pytest.mark.slow if lab in HEAVY else ()) for lab in LABS],
    ids=lambda lab: lab.__name__,
)
def test_a_lab_measures_its_claims(lab: Callable[..., Shown]) -> None:
    torch.manual_seed(0)
    shown = lab(QUICK)
    assert [finding.id for finding in shown.findings] == LABS[lab]
    for finding in shown.findings:
        assert any(c.isdigit() for c in finding.measured)
        assert "nan" not in finding.measured
        assert finding.n
    assert all(drawing.png.startswith(b"\x89PNG") for drawing in shown.drawings)
    assert shown.numbers


def test_four_pixels_by_hand() -> None:
    assert by_hand() == pytest.approx(SCORES, abs=1e-9)
    assert SCORES == (-96.8, 437.9, 60.75)


def test_reached_is_the_first_epoch_at_the_goal() -> None:
    assert reached([0.5, 0.2, 0.1], 0.2) == 2
    assert reached([0.5, math.nan, 0.4], 0.2) is None


def test_full_batch_descent_is_downhill_and_the_slopes_loss_is_torchs() -> None:
    slope = Slope(grey_pictures(200, 10))
    losses = slope.losses(slope.path(0, 0))
    assert all(b < a for a, b in pairwise(losses))
    w = torch.tensor([0.3, -1.2])
    expected = torch.nn.functional.binary_cross_entropy_with_logits(slope.x @ w, slope.y)
    assert float(slope.loss(w)) == pytest.approx(float(expected), rel=1e-5)


def test_l1_stops_at_zero_and_l2_does_not() -> None:
    data = grey_pictures(200, 50)
    zeros = {kind: fitted(data, kind, 1e-2, 100, QUICK).zero for kind in ("none", "L2", "L1")}
    assert zeros["none"] == zeros["L2"] == 0
    assert zeros["L1"] > 0.3
