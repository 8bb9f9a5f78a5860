"""Pictures with little texture: their rims lie on each other, and they are not one."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from hubel.data import alignment
from hubel.data.alignment import FINE
from hubel.data.duplicates import SQUARE, copies
from tests.data.test_duplicates import CHANGES, squares

SIDE = SQUARE.size[0]


def cell(seed: int) -> NDArray[np.uint8]:
    """A disc with a pale middle on a bright ground, as red blood cells are: no two alike."""
    draw = np.random.default_rng(seed)
    across, down = np.meshgrid(*2 * [np.linspace(-1, 1, SIDE)])
    turn = draw.uniform(0, np.pi)
    u = across * np.cos(turn) + down * np.sin(turn)
    v = (down * np.cos(turn) - across * np.sin(turn)) * draw.uniform(1, 1.25)
    far, angle = np.hypot(u, v), np.arctan2(v, u)
    rim = 0.8 + sum(
        draw.uniform(-0.1, 0.1) * np.sin(k * angle + draw.uniform(0, 6)) for k in (2, 3, 4, 5)
    )
    inside = 1 / (1 + np.exp((far - rim) / 0.12))
    pale = np.exp(-((far / draw.uniform(0.3, 0.55)) ** 2))
    grey = 0.8 - 0.12 * inside * (1 - draw.uniform(0.2, 0.9) * pale)
    grey = grey + draw.normal(0, 0.004, grey.shape)
    return (255 * np.clip(grey[..., None] * [1.0, 0.93, 0.95], 0, 1)).astype(np.uint8)


def test_cells_are_no_copies_of_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    cells = squares([cell(seed) for seed in range(22)])
    assert copies(cells) == []
    # by the coarse detail that counted once, many would be
    monkeypatch.setattr(alignment, "FINE", ((2.5, 0.01, 0.85), (8.0, 0.01, 0.85)))
    assert len(copies(cells)) > 10


@pytest.mark.parametrize("change", ["mirrored", "cropped", "warmer"])
def test_a_cell_and_its_copy_are(change: str) -> None:
    """Of a cell with a nucleus, which no other has."""
    pictures = []
    for seed in range(6):
        picture = cell(seed)
        spots = np.random.default_rng(100 + seed).integers(30, 90, (5, 2))
        for top, left in spots:
            picture[top : top + 9, left : left + 9, 1] //= 2
        pictures.append(picture)
    changed = [CHANGES[change](picture) for picture in pictures]
    pairs = copies(squares(pictures + changed))
    assert [(pair.first, pair.second) for pair in pairs] == [(i, 6 + i) for i in range(6)]


def test_the_finest_detail_that_both_have_decides() -> None:
    """The rows of FINE, one by one: a slow second way, picture by picture in float64."""
    draw = torch.Generator().manual_seed(1)
    identity = torch.tensor([[1.0, 0.0, 1.0, 0.0]])
    for strength in (0.0, 0.004, 0.008, 0.02, 0.2):
        rough = torch.rand(1, 64, 64, generator=draw)
        smooth = alignment._blur(64, 2.0) @ rough @ alignment._blur(64, 2.0).T
        a = 0.5 + strength * (smooth - smooth.mean()) / smooth.std()
        b = a + 0.3 * strength * torch.randn(1, 64, 64, generator=draw).clamp(-2, 2)
        like, one = alignment._likeness(a, b, identity)
        expected, expected_one = 0.0, False
        for blur, contrast, least in FINE:
            x, y = (alignment._detail(p, blur)[0, 1:-1, 1:-1].double().flatten() for p in (a, b))
            if min(x.std(correction=0), y.std(correction=0)) > contrast:
                expected = float(np.corrcoef(x, y)[0, 1])
                expected_one = expected >= least
                break
        assert float(like) == pytest.approx(expected, abs=1e-3)
        assert bool(one) == expected_one
