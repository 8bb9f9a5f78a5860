"""Classes whose pictures lie nearest to each other's."""

import numpy as np

from hubel.data.lookalikes import look_alikes


def test_interleaved_classes_look_alike_and_separate_ones_do_not() -> None:
    angle = np.deg2rad([0, 1, 2, 3, 90, 91, 92, 93])
    features = np.stack((np.cos(angle), np.sin(angle)), 1).astype(np.float32)
    labels = np.array([0, 1, 0, 1, 2, 2, 2, 2])
    (pair,) = look_alikes(features, labels, np.arange(8))
    assert (pair.a, pair.b, pair.share) == (0, 1, 1.0)
    assert labels[pair.first] == 0
    assert labels[pair.second] == 1


def test_copies_of_a_picture_are_not_its_neighbours() -> None:
    features = np.array([[1, 0], [1, 0.001], [0, 1], [0.1, 1]], np.float32)
    labels = np.array([0, 1, 1, 0])
    assert look_alikes(features, labels, np.array([0, 0, 2, 3]), least=0.6) != []
    # all copies of one picture: nobody has a neighbour
    assert look_alikes(features, labels, np.zeros(4, np.int64)) == []


def test_too_few() -> None:
    assert look_alikes(np.ones((1, 3), np.float32), np.zeros(1, int), np.zeros(1, int)) == []
