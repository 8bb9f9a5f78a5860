"""The networks lab: what it counts is counted, and what needs ImageNet is not claimed."""

import pytest

from hubel.labs import networks as lab
from hubel.labs.lab import Setting


@pytest.mark.slow
def test_findings() -> None:
    shown = lab.networks(Setting("quick"))
    found = {finding.id: finding for finding in shown.findings}
    assert list(found) == ["L1", "L2", "L27", "L28", "L29", "L30"]
    assert "60,965,224 parameters, 659,272 units, 7 hidden layers" in found["L1"].measured
    assert found["L1"].holds is None  # without ImageNet
    assert all(found[f"L{i}"].holds for i in (27, 28, 29, 30))
    sizes = shown.numbers["sizes"]
    assert set(sizes) == set(lab.DRAWN)
    assert (sizes["alexnet-2012"]["top5"], sizes["resnet152-2015"]["top5"]) == (18.2, 5.71)
    assert sizes["googlenet-2014"]["parameters"] == 6_998_552  # without heads


def test_a_network_that_is_not_its_papers_is_told() -> None:
    from dataclasses import replace

    from hubel.verbs.verify import verify

    right = verify("vgg11")
    wrong = replace(right.checks[0], agrees=False, counted="1")
    finding = lab._family("L28", [replace(right, checks=(wrong, *right.checks[1:]))])
    assert finding.holds is False
    assert "1 counted" in finding.measured
