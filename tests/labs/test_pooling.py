"""Receptive fields by arithmetic and by gradient; pictures that move and answers that stay."""

import pytest
import torch
from torch import nn

from hubel.labs.lab import Setting
from hubel.labs.pooling import POOLINGS, pooling, shifted, unmoved


@pytest.mark.slow
def test_fields_agree_and_figures_are_shares() -> None:
    shown = pooling(Setting("quick"))
    (finding,) = shown.findings
    assert finding.id == "L24"
    fields = shown.numbers["receptive_field"]
    assert fields == shown.numbers["measured_field"]
    assert list(fields.values()) == [5, 7, 10, 10, 13, 13]
    assert list(shown.numbers["kept"]) == list(POOLINGS)
    for (curve,) in shown.numbers["kept"].values():
        assert len(curve) == 3
        assert all(0 <= share <= 1 for share in curve)
    assert [drawing.name for drawing in shown.drawings] == ["shifts", "receptive-fields"]
    assert all(drawing.png.startswith(b"\x89PNG") for drawing in shown.drawings)


def test_pictures_move_and_what_comes_in_is_black() -> None:
    x = torch.arange(1, 10, dtype=torch.uint8).reshape(1, 1, 3, 3)
    assert shifted(x, 1, 0)[0, 0].tolist() == [[0, 0, 0], [1, 2, 3], [4, 5, 6]]
    assert shifted(x, 0, -2)[0, 0].tolist() == [[3, 0, 0], [6, 0, 0], [9, 0, 0]]
    assert torch.equal(shifted(x, 0, 0), x)
    assert shifted(x, -1, 1)[0, 0].tolist() == [[0, 4, 5], [0, 7, 8], [0, 0, 0]]


class Brightest(nn.Module):
    """Answers with the column of the brightest pixel: every shift across changes it."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.amax((1, 2))


class Total(nn.Module):
    """Answers by the sum of all pixels, which no shift within the frame changes."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        total = x.sum((1, 2, 3))
        return torch.stack((total, 2 - total), 1)


def test_what_moves_with_the_picture_and_what_does_not() -> None:
    x = torch.zeros(2, 1, 9, 9, dtype=torch.uint8)
    x[0, 0, 4, 4] = x[1, 0, 4, 5] = 255
    # up and down the answers stay, to the left and right they go
    assert unmoved(Brightest(), x, torch.tensor([4, 5])) == [0.5, 0.5, 0.5]
    assert unmoved(Total(), x, torch.tensor([0, 0])) == [1.0, 1.0, 1.0]
    assert unmoved(Brightest(), x, torch.tensor([0, 5])) == [0.5, 0.5, 0.5]  # of the right one
    assert unmoved(Brightest(), x, torch.tensor([0, 0])) == [0.0, 0.0, 0.0]  # none is right
