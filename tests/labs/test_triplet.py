"""The embedding has unit norm; its figures are those of embeddings that are known."""

import pytest
import torch
import torch.nn.functional as F

from hubel.labs.lab import Setting
from hubel.labs.triplet import UnitNorm, figures, triplet


def test_figures_before_and_after() -> None:
    shown = triplet(Setting("quick"))
    (finding,) = shown.findings
    assert finding.id == "L15"
    (before,), (after,) = shown.numbers["before"], shown.numbers["after"]
    assert before != after
    for row in (before, after):
        assert all(0 <= row[name] <= 1 for name in ("recall_at_1", "precision_at_k", "apart"))
        assert 0 <= row["same"] <= 4  # squared distances on the unit sphere
        assert row["ratio"] == pytest.approx(row["other"] / row["same"], rel=1e-5)
    assert shown.numbers["pixels"]["queries"] <= 200
    assert [drawing.name for drawing in shown.drawings] == ["embedding", "neighbours"]
    assert all(drawing.png.startswith(b"\x89PNG") for drawing in shown.drawings)


def test_figures_of_a_perfect_and_of_a_useless_embedding() -> None:
    labels = torch.arange(60) % 3
    perfect = figures(F.one_hot(labels).double() + 1e-6 * torch.rand(60, 3).double(), labels)
    assert perfect["recall_at_1"] == perfect["mean_average_precision"] == perfect["apart"] == 1
    assert perfect["same"] == pytest.approx(0, abs=1e-9)
    assert perfect["other"] == pytest.approx(2, abs=1e-4)
    useless = figures(F.normalize(torch.ones(60, 3)), labels)
    assert useless["apart"] == 0
    assert useless["recall_at_1"] == pytest.approx(19 / 59)


def test_rows_have_unit_norm() -> None:
    x = UnitNorm()(torch.randn(5, 7))
    assert torch.allclose(x.norm(dim=1), torch.ones(5))
