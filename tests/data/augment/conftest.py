"""Draws for a few samples, as a batch has them."""

from collections.abc import Callable

import numpy as np
import pytest

from hubel.data.augment.drawing import Draw, drawn


@pytest.fixture
def draw() -> Callable[[int], Draw]:
    """n → the draws of samples 0 … n − 1 in some epoch."""
    return lambda n: drawn(np.arange(n), seed=2, epoch=1)
