"""x + αw: what is measured, in a lab of seconds, and that the verdict can fail."""

import numpy as np
import pytest
import torch

from hubel.breaking.linear import LinearFooling, Sizes
from hubel.labs import along_w
from hubel.labs import fooling_linear as lab
from hubel.labs.lab import Setting
from hubel.labs.learning import Pictures
from hubel.model import Classifier
from hubel.networks.linear import linear
from hubel.networks.small import small

GENERATOR = torch.Generator().manual_seed(0)
DATA = Pictures(
    torch.randint(0, 256, (30, 1, 8, 8), generator=GENERATOR, dtype=torch.uint8),
    torch.randint(0, 3, (30,), generator=GENERATOR),
    torch.randint(0, 256, (30, 1, 8, 8), generator=GENERATOR, dtype=torch.uint8),
    torch.randint(0, 3, (30,), generator=GENERATOR),
    ("a", "b", "c"), "noise",
)  # fmt: skip


@pytest.fixture(scope="module")
def runs() -> dict[str, along_w.Fooled]:
    torch.manual_seed(0)
    networks = {
        "grey": linear(classes=3, channels=1, size=(8, 8)),
        "features": small(classes=3, channels=1, size=(8, 8), widths=(4, 4, 4)),
    }
    return {
        kind: along_w.fooled(
            Setting("quick"), kind,
            Classifier(network, classes=DATA.classes, pixels=DATA.spec).eval(), DATA, 0,
        )
        for kind, network in networks.items()
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["grey", "features"])
def test_the_least_change_is_less_than_any_other(
    runs: dict[str, along_w.Fooled], kind: str
) -> None:
    run = runs[kind]
    n = len(run.pictures)
    assert 0 < n <= 6
    for least, other in ((run.least.linf, run.least.random), (run.least.l2, run.least.random_l2)):
        assert least.shape == (n,)
        assert (least > 0).all()
        assert (least <= other).all()
    # x + αw is one of the changes: it is no smaller
    moved = run.template.passing.linf.amin(1).numpy()
    assert (run.least.linf <= moved * (1 + 1e-9)).all()
    assert bool((run.named <= run.template.alpha.isfinite()).all())
    assert 0 < along_w.pairs([run]) <= 1
    assert along_w.pairs([run]) == pytest.approx(int(run.named.sum()) / (2 * n))


def test_runs_are_put_together(runs: dict[str, along_w.Fooled]) -> None:
    both = along_w.together([runs["grey"], runs["features"]])
    assert len(both.linf) == len(both.random_l2) == sum(len(r.pictures) for r in runs.values())
    assert both.l2[: len(runs["grey"].pictures)].tolist() == runs["grey"].least.l2.tolist()


def made(linf: float, random: float, named: int, n: int = 20) -> along_w.Fooled:
    """n pictures of class 0; `named` of them reach class 1, none class 2."""
    alpha = torch.full((n, 3), torch.inf, dtype=torch.float64)
    alpha[:named, 1] = 0.5
    answers = torch.zeros(n, 3, dtype=torch.int64)
    answers[:named, 1] = 1
    template = LinearFooling(
        torch.zeros(n, dtype=torch.int64), alpha, alpha, Sizes(alpha, alpha), Sizes(alpha, alpha),
        torch.zeros(n, 3, 1, 8, 8), answers,
    )  # fmt: skip
    least = along_w.Least(*(np.full(n, value) for value in (linf, random, 0.02, 0.5)))
    return along_w.Fooled(template, least, torch.zeros(n, 1, 8, 8), 0.8)


@pytest.mark.parametrize(
    ("colour", "holds"),
    [
        (made(0.01, 0.5, 20), True),
        (made(0.01, np.inf, 19), True),
        (made(0.01, 0.5, 18), False),  # 90 % reach another class: too few
        (made(20 / 255, 0.5, 20), True),  # of how small it is the claim says nothing
        (made(0.01, 0.01, 20), False),  # random signs do as well
        (made(0.01, 0.5, 3, n=3), False),  # three of three are no proof
    ],
)
def test_the_claim_has_to_hold_of_both_kinds(colour: along_w.Fooled, holds: bool) -> None:
    grey = made(0.02, 0.5, 20)
    data = {"grey": DATA, "colour": DATA}
    finding = lab._finding({"grey": [grey, grey], "colour": [colour], "features": [grey]}, data)
    assert finding.id == "L49"
    assert finding.holds is holds
    assert ("Against the claim: " in finding.measured) is not holds
    assert "40 grey ones (noise, 80 to 80 % of all are named rightly)" in finding.n
    other = lab._finding({"grey": [colour], "colour": [grey], "features": [grey]}, data)
    assert other.holds is holds


def test_the_table_has_a_line_for_every_wrong_class() -> None:
    lines = lab._lines("grey", DATA, [made(0.01, 0.5, 15)])
    assert lines == [
        "grey, x + αw for b: named so are 75 % of 20; in the median α = 0.5, and the largest "
        "change of a pixel 128/255.",
        "grey, x + αw for c: named so are 0 % of 20; in the median never.",
    ]


def test_pictures_are_drawn(runs: dict[str, along_w.Fooled]) -> None:
    torch.manual_seed(0)
    network = linear(classes=3, channels=1, size=(8, 8))
    classifier = Classifier(network, classes=DATA.classes, pixels=DATA.spec).eval()
    drawings = (
        lab._pictures("grey", classifier, DATA, runs["grey"]),
        lab._templates("grey", classifier, DATA),
        lab._curves({"grey": [runs["grey"]], "features": [runs["features"]]}),
    )
    assert [drawing.name for drawing in drawings] == [
        "grey-x-plus-w", "grey-templates", "share-fooled",
    ]  # fmt: skip
    assert all(drawing.png.startswith(b"\x89PNG") for drawing in drawings)
