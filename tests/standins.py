"""Small data sets in the formats of the published ones, so that no test needs these.

They stand where a user's own copies would: in HUBEL_HOME/data. What is asserted of the published
sets themselves is marked `data` and runs where they are.
"""

import gzip
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_digits

from hubel.data.sources import IDX_FILES
from hubel.data.stamps import CATEGORIES

TRAIN, TEST = 3000, 600
STAMPS = {"bird": 35, "mammal": 65, "fruit": 26, "flower": 25, "vegetable": 18}  # as in the set


def write_all(data: Path) -> None:
    """Fill HUBEL_HOME/data with every stand-in."""
    write_articles(data / "fashion-mnist")
    write_stamps(data / "stamps")


def write_articles(folder: Path) -> None:
    """Fashion-MNIST's four files: real digits at 28×28, moved about, for articles of clothing."""
    folder.mkdir(parents=True)
    bunch = load_digits()
    draw = np.random.default_rng(0)
    cut = len(bunch.target) * 4 // 5  # the last fifth is by other writers
    parts = (np.arange(cut), TRAIN), (np.arange(cut, len(bunch.target)), TEST)
    for (own, n), images, labels in zip(parts, IDX_FILES[::2], IDX_FILES[1::2], strict=True):
        chosen = own[np.arange(n) % len(own)]
        made = np.stack([moved(bunch.images[i], draw) for i in chosen])
        write_idx(folder / images, made)
        write_idx(folder / labels, bunch.target[chosen].astype(np.uint8))


def moved(digit: NDArray[np.float64], draw: np.random.Generator) -> NDArray[np.uint8]:
    """A digit (8, 8) of 16 levels at 28×28, up to two pixels from the middle."""
    small = Image.fromarray(np.rint(digit * (255 / 16)).astype(np.uint8))
    page = Image.new("L", (28, 28))
    page.paste(small.resize((24, 24), Image.Resampling.BICUBIC), tuple(draw.integers(0, 5, 2)))
    return np.asarray(page)


def write_idx(path: Path, array: NDArray[np.uint8]) -> None:
    head = bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape)
    path.write_bytes(gzip.compress(head + array.tobytes(), compresslevel=1))


def write_stamps(folder: Path) -> None:
    """Tux Paint's folders: cut-out discs, of a colour and a pattern that go with the category."""
    draw = np.random.default_rng(1)
    rows, columns = np.mgrid[:96, :96]
    for k, (place, name) in enumerate(CATEGORIES.items()):
        (folder / place).mkdir(parents=True)
        for i in range(STAMPS[name]):
            row, column = 48 + draw.integers(-8, 9, 2)
            disc = (rows - row) ** 2 + (columns - column) ** 2 < draw.integers(24, 38) ** 2
            stripes = 40 * np.sin((rows * (k % 2) + columns * (k % 3)) * (k + 1) / 6)
            colour = np.array([(k * 50) % 256, (k * 90 + 60) % 256, (k * 140 + 120) % 256])
            noise = draw.integers(-25, 26, (96, 96, 3))
            painted = (colour + stripes[..., None] + noise).clip(0, 255)
            cut = np.dstack((painted, disc * 255)).astype(np.uint8)
            Image.fromarray(cut).save(folder / place / f"{name}{i}.png", compress_level=1)
