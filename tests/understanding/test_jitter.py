"""Moves of images against `roll`, and back."""

import numpy as np
import torch

from hubel.understanding.jitter import drawn, shifted

IMAGES = torch.randn(4, 3, 6, 5, generator=torch.Generator().manual_seed(2), requires_grad=True)
MOVES = np.array([[0, 2, -1, 5], [1, 0, -3, -4]])


def test_an_image_is_rolled_by_its_own_move_and_back() -> None:
    found = shifted(IMAGES, MOVES)
    for image, own, (down, across) in zip(IMAGES, found, MOVES.T.tolist(), strict=True):
        assert torch.equal(own, image.roll((down, across), (1, 2)))
    assert torch.equal(shifted(found, -MOVES), IMAGES)
    # the way of a gradient back through the move is the move undone
    above = torch.arange(IMAGES.numel(), dtype=torch.float32).view_as(IMAGES)
    (slope,) = torch.autograd.grad(found, IMAGES, above)
    assert torch.equal(shifted(above, -MOVES), slope)
    assert shifted(IMAGES, 0 * MOVES) is IMAGES


def test_moves_are_drawn_by_the_key_and_not_by_the_company() -> None:
    keys = [3, 2**62, 7]
    moves = np.stack([drawn(keys, 2, 5, number) for number in range(1, 401)])
    assert moves.shape == (400, 2, 3)
    assert np.array_equal(moves[9, :, 1:2], drawn(keys[1:2], 2, 5, 10))
    values, counts = np.unique(moves, return_counts=True)
    assert values.tolist() == [-2, -1, 0, 1, 2]
    assert abs(counts / counts.sum() - 0.2).max() < 0.05  # 2,400 draws: 6 standard deviations
    for i, j in ((0, 1), (1, 0)):  # neither ways nor images move together
        together = np.corrcoef(moves[:, 0, i], moves[:, 1, j])[0, 1]
        assert abs(together) < 0.25
    assert not drawn(keys, 0, 5, 1).any()
