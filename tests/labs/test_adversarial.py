"""The lab of adversarial pictures: what becomes of them, and that its verdict can fail."""

import numpy as np
import pytest
import torch

from hubel.figures import percent
from hubel.labs import adversarial as lab
from hubel.labs import photographs
from hubel.labs.distorted import AT, EPSILONS, Distorted, distorted, noise
from hubel.labs.lab import Setting
from hubel.mistakes import Failure
from hubel.model import Classifier
from hubel.networks.linear import linear
from hubel.pixels import PixelSpec


@pytest.fixture(scope="module")
def found() -> Distorted:
    """Of a linear classifier, on pictures of 8 bits that it names as it does."""
    torch.manual_seed(0)
    classifier = Classifier(
        linear(classes=3, channels=1, size=(8, 8)), classes=("a", "b", "ostrich"),
        pixels=PixelSpec((8, 8), 1),
    ).eval()  # fmt: skip
    generator = torch.Generator().manual_seed(1)
    pixels = torch.randint(40, 216, (30, 1, 8, 8), generator=generator).float() / 255
    labels = classifier(pixels).argmax(1)
    return distorted(classifier, pixels, labels, steps=10, seed=0, progress=lambda _at, _all: None)


def test_noise_is_of_the_size_of_the_attack() -> None:
    pixels = torch.full((4, 1, 8, 8), 0.5)
    made = noise(pixels, AT, 3)
    assert torch.allclose((made - pixels).abs(), torch.tensor(AT), atol=1e-7)
    assert abs(float((made - pixels).sign().mean())) < 0.25  # 256 draws: four deviations
    assert torch.equal(made, noise(pixels, AT, 3))
    assert not torch.equal(made, noise(pixels, AT, 4))
    assert float(noise(torch.ones(1, 1, 8, 8), AT, 3).max()) == 1


def test_what_is_counted_is_what_the_network_says(found: Distorted) -> None:
    change = (found.images - found.pixels).abs()
    assert float(change.max()) <= AT + 1e-6
    with torch.no_grad():
        answers = found.classifier(found.images).argmax(1)
    assert torch.equal(found.fools, answers != found.labels)
    assert 0 < int(found.fools.sum()) < 30
    at = EPSILONS.index(AT)
    for name, shares in found.wrong.items():
        assert shares.shape == (len(EPSILONS), 30), name
    # of a linear network, pictures within ε by one step are as bad as can be within a margin
    assert found.wrong["PGD"][at].tolist() == found.barely[0].tolist()
    assert found.wrong["PGD"].mean(1).tolist() == sorted(found.wrong["PGD"].mean(1))
    assert found.wrong["noise"][at].sum() < found.wrong["FGSM"][at].sum()
    # ±8/255 from levels of 8 bits is at such levels: a file changes nothing
    assert torch.equal(found.lasting, found.fools)


def test_the_verdict_asks_for_most_and_for_few(found: Distorted) -> None:
    def subject(pgd: int, by_noise: int, n: int = 40) -> Distorted:
        wrong = {
            name: np.tile(np.arange(n) < count, (len(EPSILONS), 1))
            for name, count in (("noise", by_noise), ("FGSM", pgd), ("PGD", pgd))
        }
        fools = torch.arange(n) < pgd
        images = torch.zeros(n, 1, 8, 8)
        return Distorted(found.classifier, images, torch.zeros(n), wrong, images, fools, fools,
                         fools, torch.stack((fools, fools)))  # fmt: skip

    told = {"clothing": "x", "photographs": "y"}
    for pgd, by_noise, holds in (
        (38, 1, True),
        (22, 1, False),  # 55 %, whose interval begins at 40 %
        (38, 4, False),  # noise fools one in ten
    ):
        for order in (1, -1):
            runs = [[subject(38, 0)], [subject(pgd, by_noise)]][::order]
            finding = lab._finding(dict(zip(told, runs, strict=True)), told)
            assert finding.id == "L48"
            assert finding.holds is holds
            assert ("Against the claim: " in finding.measured) is not holds
    assert "PGD fools 38 of 40 pictures" in finding.measured
    assert finding.n == "40 pictures (x); 40 pictures (y)"


def test_lines_count_together_and_drawings_show(found: Distorted) -> None:
    lines = lab._lines("clothing", [found, found])
    at = EPSILONS.index(AT)
    right = 1 - found.wrong["PGD"][at].mean()
    assert f"8/255 {percent(float(right))}" in lines[2]
    assert f"of {2 * int(found.fools.sum())} of 60 that fool" in lines[3]
    drawings = [lab._curves({"clothing": [found, found]}), lab._examples("clothing", found),
                lab._ostriches(Setting("quick"), found)]  # fmt: skip
    assert [each.name for each in drawings] == [
        "right-within", "clothing-fooled", "photographs-ostrich",
    ]  # fmt: skip
    assert all(each.png.startswith(b"\x89PNG") for each in drawings)
    told = lab._told(found, [0, 2], found.images[[0, 2]])
    assert told[1].before[0] == found.classifier.classes[int(found.labels[2])]
    assert told[1].size == pytest.approx(AT, rel=1e-4)


def test_transfer_is_told_by_rows() -> None:
    lines = lab._transfers(torch.tensor([[1.0, 0.25], [0.5, 0.75]]), ("p", "q"), 8)
    assert lines == [
        "Made for p within 8/255, of 8 pictures that all name rightly: fools it in 100 %; q 25 %.",
        "Made for q within 8/255, of 8 pictures that all name rightly: fools it in 75 %; p 50 %.",
    ]


@pytest.mark.parametrize(
    ("name", "expected"),
    [("zebra", {0}), ("pink_flamingo", {1}), ("sea_lion", {2}), ("lions_lion", {3}),
     ("Strawberry2", {4}), ("seal", set())],
)  # fmt: skip
def test_a_file_is_called_as_a_class(name: str, expected: set[int]) -> None:
    classes = ("zebra", "flamingo", "sea lion", "lion", "strawberry")
    assert photographs._classes_in(name, classes) == expected


def test_without_weights_a_line_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise Failure(f"The weights of {name} are not installed.")

    monkeypatch.setattr(photographs.weights, "load", missing)
    with pytest.raises(Failure) as wrong:
        photographs.photographs(5)
    assert photographs.without_photographs(wrong.value) == (
        "Photographs are left out. The weights of efficientnet-lite0 are not installed."
    )
