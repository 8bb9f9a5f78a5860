"""Colour pictures in any number, from a seed: articles of clothing before photographs.

Fashion-MNIST's articles, each in a colour of its own, laid over a part of a photograph that comes
with scikit-image or scikit-learn. They are harder than the articles alone, because neither the
colour nor the background says anything of the class.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hubel import draws
from hubel.data.samples import Arrays
from hubel.pixels import Pixels

PHOTOGRAPHS = ("astronaut", "chelsea", "coffee", "rocket", "hubble_deep_field", "retina")
TEXTURES = ("brick", "grass", "gravel")  # grey ones
SMALL = 160  # the side of a photograph from which the backgrounds are cut


@cache
def photographs() -> tuple[Pixels, ...]:
    """Photographs as uint8 (160, 160, 3), their middle squares made smaller; grey ones as RGB."""
    import skimage.data
    from sklearn.datasets import load_sample_images

    found = [np.asarray(getattr(skimage.data, name)()) for name in (*PHOTOGRAPHS, *TEXTURES)]
    found += load_sample_images().images
    return tuple(_square(image) for image in found)


def _square(image: NDArray[np.uint8]) -> Pixels:
    picture = Image.fromarray(image).convert("RGB")
    side = min(picture.size)
    left, top = ((length - side) // 2 for length in picture.size)
    box = (left, top, left + side, top + side)
    return np.asarray(picture.resize((SMALL, SMALL), Image.Resampling.BOX, box))


def compose(articles: Arrays, *, side: int = 32, seed: int = 0) -> Arrays:
    """Grey articles, uint8 (N, h, w, 1) on black with h, w ≤ side → colour (N, side, side, 3).

    What is drawn for article i depends on the seed and i alone: the photograph, the part of it,
    the article's place, and its colour. An article's brightness is its opacity, up to a half of
    full brightness, from which on it hides what is behind it.
    """
    n, height, width, _ = articles.images.shape
    index = np.arange(n)

    def drawn(what: str, below: int | Sequence[int]) -> NDArray[np.int64]:
        return (draws.uniform(seed, 0, index, f"scene {what}") * below).astype(np.int64)

    stock = np.stack(photographs())
    top, left = drawn("top", SMALL - side + 1), drawn("left", SMALL - side + 1)
    windows = np.lib.stride_tricks.sliding_window_view(stock, (side, side), axis=(1, 2))
    scenes = windows[drawn("photograph", len(stock)), top, left].transpose(0, 2, 3, 1)
    scenes = scenes.astype(np.float32)
    hues = [draws.uniform(seed, 0, index, f"scene colour {c}") for c in range(3)]
    colours = (0.25 + 0.75 * np.stack(hues, 1)).astype(np.float32)
    rows = drawn("down", side - height + 1)[:, None, None] + np.arange(height)[:, None]
    columns = drawn("across", side - width + 1)[:, None, None] + np.arange(width)
    at = index[:, None, None], rows, columns
    grey = articles.images.astype(np.float32)  # (N, h, w, 1)
    opacity = np.minimum(grey / 127.5, 1)
    scenes[at] = (1 - opacity) * scenes[at] + opacity * grey * colours[:, None, None, :]
    images = np.rint(scenes).astype(np.uint8)
    return Arrays(images, articles.labels, articles.classes, articles.names)
