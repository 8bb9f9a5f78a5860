"""Scenes: articles before photographs, as a slow loop makes them; a seed is a seed."""

import numpy as np

from hubel import draws
from hubel.data.samples import Arrays
from hubel.data.scenes import SMALL, compose, photographs


def articles(n: int, side: int = 5) -> Arrays:
    images = np.random.default_rng(0).integers(0, 256, (n, side, side, 1)).astype(np.uint8)
    return Arrays(images, np.arange(n) % 2, ("a", "b"), [str(i) for i in range(n)])


def test_against_the_obvious() -> None:
    given = articles(6)
    found = compose(given, side=8, seed=3)
    assert found.images.shape == (6, 8, 8, 3)
    assert found.classes == given.classes

    def drawn(i: int, what: str, below: int) -> int:
        return int(draws.uniform(3, 0, [i], f"scene {what}")[0] * below)

    for i in range(6):
        stock = photographs()
        top, left = drawn(i, "top", SMALL - 7), drawn(i, "left", SMALL - 7)
        scene = stock[drawn(i, "photograph", len(stock))][top : top + 8, left : left + 8]
        expected = scene.astype(float)
        down, across = drawn(i, "down", 4), drawn(i, "across", 4)
        for y in range(5):
            for x in range(5):
                grey = float(given.images[i, y, x, 0])
                opacity = min(grey / 127.5, 1.0)
                for c in range(3):
                    hue = 0.25 + 0.75 * draws.uniform(3, 0, [i], f"scene colour {c}")[0]
                    behind = expected[down + y, across + x, c]
                    expected[down + y, across + x, c] = (
                        1 - opacity
                    ) * behind + opacity * grey * hue
        assert np.abs(found.images[i] - expected).max() <= 0.51


def test_a_scene_does_not_mind_its_company_nor_change_the_photographs() -> None:
    before = [image.copy() for image in photographs()]
    whole, part = compose(articles(6), side=8), compose(articles(3), side=8)
    assert np.array_equal(whole.images[:3], part.images)
    assert not np.array_equal(part.images, compose(articles(3), side=8, seed=1).images)
    assert all(np.array_equal(a, b) for a, b in zip(before, photographs(), strict=True))
    assert compose(articles(0), side=8).images.shape == (0, 8, 8, 3)
