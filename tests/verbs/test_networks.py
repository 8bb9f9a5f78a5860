"""The catalogue's networks against their papers, counted; `hubel.summary`."""

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import hubel
from hubel.networks import listed as kept
from hubel.networks.catalogue import CATALOGUE
from hubel.networks.paper import Printed
from hubel.networks.papers import PAPERS
from hubel.verbs import networks
from hubel.verbs.verify import built, verify

WITHOUT = {"linear", "mlp", "small"}  # nobody's paper

# SPEC C5 to C9: parameters, weighted layers
GOLDEN = {
    "lenet5-1998": (60_000, 4), "lenet5-softmax": (60_850, 5),
    "alexnet-2012": (60_965_224, 8), "alexnet-2012-one-column": (62_378_344, 8),
    "alexnet-2014": (61_100_840, 8),
    "vgg11": (132_863_336, 11), "vgg11-lrn": (132_863_336, 11), "vgg13": (133_047_848, 13),
    "vgg16-1x1": (133_638_952, 16), "vgg16": (138_357_544, 16), "vgg19": (143_667_240, 19),
    "googlenet-2014": (13_378_280, 22), "googlenet-bn": (13_004_888, 22),
    "resnet18": (11_689_512, 18), "resnet34": (21_797_672, 34), "resnet50": (25_557_032, 50),
    "resnet101": (44_549_160, 101), "resnet152": (60_192_808, 152),
    "resnet50-2015": (25_557_032, 50), "resnet18-a": (11_515_688, 18),
    "resnet34-a": (21_623_848, 34), "plain18": (11_515_688, 18), "plain34": (21_623_848, 34),
    "resnet20": (269_722, 20), "resnet32": (464_154, 32), "resnet44": (658_586, 44),
    "resnet56": (853_018, 56), "resnet110": (1_727_962, 110), "plain110": (1_727_962, 110),
}  # fmt: skip


LIGHT = ("lenet5-1998", "lenet5-softmax", "linear", "mlp", "small", "resnet20")  # counted at once


@pytest.fixture(scope="module")
def listed() -> dict[str, dict[str, object]]:
    """As the command lists them; what it lists is what is counted (the tests below)."""
    return {str(row["name"]): row for row in kept.rows()}


@pytest.mark.parametrize("name", [
    pytest.param(name, marks=() if name in LIGHT else pytest.mark.slow) for name in CATALOGUE
])  # fmt: skip
def test_what_the_command_lists_is_what_is_counted(
    listed: dict[str, dict[str, object]], name: str
) -> None:
    assert [listed[name]] == networks.networks(name), "the catalogue has changed: run `make counts`"


def test_the_command_lists_the_catalogue(listed: dict[str, dict[str, object]]) -> None:
    assert list(listed) == kept.names() == list(CATALOGUE)


def test_the_list_has_the_known_figures(listed: dict[str, dict[str, object]]) -> None:
    found = {name: (listed[name]["parameters"], listed[name]["depth"]) for name in GOLDEN}
    assert found == GOLDEN
    assert listed["alexnet-2012"]["published"][0]["top5"] == 18.2  # type: ignore[index]
    assert listed["resnet50"]["receptive_field"] == [427, 427]
    assert listed["vgg16"]["multiply_adds"] == 15_470_264_320


def test_every_network_with_a_paper_is_verified() -> None:
    assert set(CATALOGUE) - set(PAPERS) == WITHOUT
    assert set(PAPERS) <= set(CATALOGUE)
    with pytest.raises(hubel.Mistake, match=r"small has no paper .*our own"):
        verify("small")
    with pytest.raises(hubel.Mistake, match="'resnet50'"):
        verify("resnet-50")


@pytest.mark.parametrize("name", PAPERS)
def test_networks_are_what_their_papers_say(name: str) -> None:
    found = verify(name)
    assert [check for check in found.checks if not check.agrees] == []
    assert len(found.checks) >= 3


@pytest.mark.parametrize(
    ("name", "given", "differs"),
    [
        ("vgg11-lrn", "vgg11", {"LocalResponseNorm", "response normalisation",
                                "differs from vgg11 in"}),
        ("alexnet-2012", "alexnet-2012-one-column", {"parameters, as printed",
                                                     "parameters of its layers"}),
        ("resnet50-2015", "resnet50", {"multiply-adds"}),
        ("resnet34-a", "plain34", {"shortcuts"}),
        ("vgg16", "vgg16-1x1", {"parameters, as printed", "parameters of its layers",
                                "convolutions by size"}),
        ("lenet5-1998", "lenet5-softmax", {"parameters of its layers", "parameters of output"}),
    ],
)  # fmt: skip
def test_another_network_does_not_pass(name: str, given: str, differs: set[str]) -> None:
    found = verify(name, built(given))
    assert {check.what for check in found.checks if not check.agrees} == differs
    assert not found.agrees


def test_a_norm_with_torchs_constants_or_elsewhere_does_not_pass() -> None:
    network = built("vgg11-lrn")
    norm = network.get_submodule("norm1_1")
    norm.alpha = 1e-4  # type: ignore[assignment]  # what the paper prints, which torch divides
    wrong = [check.what for check in verify("vgg11-lrn", network).checks if not check.agrees]
    assert wrong == ["response normalisation"]
    network = built("vgg11-lrn")
    network.get_submodule("pool1").ceil_mode = True  # type: ignore[assignment]  # a second change
    found = verify("vgg11-lrn", network)
    [check] = [check for check in found.checks if not check.agrees]
    assert check.what == "differs from vgg11 in"
    assert check.counted.startswith("norm1_1, pool1")


def test_printed_numbers_are_worth_their_last_digit() -> None:
    assert Printed("60", "million").agrees(60_965_224)
    assert not Printed("60", "million").agrees(61_100_840)
    assert Printed("650000").agrees(659_272)
    assert not Printed("650000").agrees(660_001)
    assert Printed("0.27", "million").agrees(269_722)
    assert not Printed("3.8", "billion").agrees(4_089_184_256)
    assert [str(Printed("650000")), str(Printed("3.8", "billion"))] == ["650,000", "3.8 billion"]


def test_summary_takes_a_classifier_or_any_module() -> None:
    spec = hubel.PixelSpec((8, 6), channels=1)
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(48, 2))
    classifier = hubel.Classifier(network, classes=("a", "b"), pixels=spec)
    found = hubel.summary(classifier)
    assert found == hubel.summary(network, spec) == hubel.summary(network, (1, 8, 6))
    assert [row.shape for row in found.rows] == [(2, 6, 4), (48,), (2,)]
    assert [row.name for row in found.rows] == ["0", "1", "2"]
    with pytest.raises(hubel.Mistake, match=r"\(C, H, W\)"):
        hubel.summary(network)
    with pytest.raises(hubel.Mistake, match="No square of up to 1024"):
        hubel.summary(network, (1, 2, 2))


def test_summary_takes_no_memory_for_a_network_on_meta() -> None:
    with torch.device("meta"):
        huge = nn.Sequential(nn.Flatten(), nn.Linear(3 * 512 * 512, 1_000_000))
    assert hubel.summary(huge, (3, 512, 512)).parameters == 786_432 * 1_000_000 + 1_000_000


def test_a_picture_is_drawn_where_it_is_asked_for(tmp_path: Path) -> None:
    summary = networks.layers("small")
    assert networks.draw("small", summary, tmp_path) == tmp_path / "small.png"
    assert networks.draw("small", summary, tmp_path / "a.png") == tmp_path / "a.png"
    assert networks.draw("small", summary, tmp_path / "new") == tmp_path / "new" / "small.png"
    pictures = [np.asarray(Image.open(path)) for path in sorted(tmp_path.rglob("*.png"))]
    assert all(np.array_equal(a, b) for a, b in pairwise(pictures))
    assert 0.01 < (pictures[0][..., :3].min(2) < 200).mean() < 0.5  # ink, and paper
    with pytest.raises(hubel.Mistake, match=r"is\.jpg does not end in \.png"):
        networks.draw("small", summary, tmp_path / "is.jpg")


def test_units_of_alexnet_are_its_papers() -> None:
    rows = [row for row in networks.layers("alexnet-2012").rows if row.weighted]
    assert [math.prod(row.shape) for row in rows] == [
        *(290_400, 186_624, 64_896, 64_896, 43_264, 4096, 4096, 1000)
    ]
