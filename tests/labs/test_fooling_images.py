"""Fooling images: what is measured of them, and that the verdict can fail."""

import pytest
import torch
from torch import Tensor

from hubel.breaking.fooling import Fooling
from hubel.figures import percent
from hubel.labs import fooling_images as lab
from hubel.labs import fooling_photos
from hubel.labs.lab import Setting
from hubel.labs.learning import Pictures
from hubel.mistakes import Failure

TEST = torch.arange(6, dtype=torch.uint8).view(6, 1, 1, 1).expand(6, 1, 4, 4) * 20
DATA = Pictures(
    TEST[:2], torch.zeros(2, dtype=torch.long), TEST, torch.zeros(6, dtype=torch.long),
    ("a", "b", "c"), "nothing",
)  # fmt: skip
RIGHT = {"first": 0.9, "second": 0.8}


def judged(way: str, confidences: list[float]) -> lab.Judged:
    n = len(confidences)
    found = Fooling(way, tuple(range(n)), torch.zeros(n, 1, 4, 4, dtype=torch.uint8),
                    torch.tensor(confidences), 1000,
                    torch.tensor([[1000.0, 0.9, 0.5]], dtype=torch.float64))  # fmt: skip
    return lab.Judged(found, torch.full((n,), 0.3), torch.tensor([True, False, True]),
                      torch.full((n,), 0.5), torch.tensor([0, 1, 2]))  # fmt: skip


SURE, UNSURE = [0.995, 0.2, 0.999], [0.98, 0.2, 0.999]


@pytest.mark.parametrize(
    ("cppn", "direct", "gradient", "holds"),
    [
        (SURE, SURE, UNSURE, True),
        (UNSURE, SURE, SURE, False),
        (SURE, UNSURE, SURE, False),
    ],
)
def test_the_claim_is_held_against_the_medians_of_both_encodings(
    cppn: list[float], direct: list[float], gradient: list[float], holds: bool
) -> None:
    made = {
        way: judged(way, values)
        for way, values in (("cppn", cppn), ("direct", direct), ("gradient", gradient))
    }
    finding = lab._finding(made, torch.linspace(0, 0.4, 11), RIGHT, DATA)
    assert finding.holds is holds
    assert f"cppn {percent(sorted(cppn)[1], 2)} (least 20.00 %" in finding.measured
    assert "each other: cppn 3, direct 3, gradient 3 of 3" in finding.measured
    assert "same class in: cppn 2, direct 2, gradient 2 of 3" in finding.measured
    drawings = lab._drawings(made, torch.linspace(0, 0.4, 11), DATA)
    assert [drawing.png[:4] for drawing in drawings] == [b"\x89PNG"] * 3


def plainly(images: Tensor, pictures: Tensor, apart: bool) -> list[tuple[float, int]]:
    found = []
    for i, image in enumerate(images):
        each = [
            (float(((image.double() - other.double()) / 255).square().mean().sqrt()), j)
            for j, other in enumerate(pictures)
            if not (apart and i == j)
        ]
        found.append(min(each))
    return found


@pytest.mark.parametrize("apart", [True, False])
def test_the_nearest_picture_is_found_one_by_one(apart: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    pictures = torch.randint(256, (9, 2, 5, 4), generator=generator, dtype=torch.uint8)
    images = pictures if apart else torch.cat((pictures[3:4], 255 - pictures[:4]))
    far, which = lab.nearest(images, pictures, apart=apart)
    expected = plainly(images, pictures, apart)
    assert which.tolist() == [j for _, j in expected]
    # of an image that is a picture, rounding of the squares leaves a hundred-millionth
    torch.testing.assert_close(far, torch.tensor([d for d, _ in expected]).double(),
                               rtol=1e-7, atol=1e-7)  # fmt: skip


def test_far_is_further_than_99_percent() -> None:
    usual = torch.linspace(0, 1, 101).double()
    assert lab._beyond(torch.tensor([0.5, 0.98, 0.995, 2.0]).double(), usual) == 2


def test_without_weights_a_line_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise Failure(f"The weights of {name} are not installed.")

    monkeypatch.setattr(fooling_photos.weights, "load", missing)
    found = fooling_photos.fooling_photos(Setting("usual"))
    assert found.drawings == ()
    assert found.lines[0].endswith("The weights of efficientnet-lite0 are not installed.")
    assert fooling_photos.fooling_photos(Setting("quick")) == fooling_photos.Photos()
