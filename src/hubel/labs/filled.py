"""Articles of clothing filled with textures: pictures whose class is told by shape and by texture.

For a test of which of the two a network goes by, as Geirhos et al. 2019 ask it of photographs
("ImageNet-trained CNNs are biased towards texture", section 2). Here the cues are apart: a shape is
the outline of an article of Fashion-MNIST, a texture a part of a photograph that comes with
scikit-image or scikit-learn, and any shape can be filled with any texture. All parts have the same
mean and the same deviation, so that neither brightness nor contrast nor colour tells the class.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from hubel import draws
from hubel.data import scenes
from hubel.data.samples import Arrays
from hubel.data.sources import open_splits

# article → its photograph, and what is seen there: shapes that differ, and all of one roughness
CLASSES = {
    "Trouser": ("brick", "brick"),
    "T-shirt/top": ("grass", "grass"),
    "Bag": ("gravel", "gravel"),
    "Ankle boot": ("chelsea", "fur"),
    "Dress": ("hubble_deep_field", "stars"),
}
NAMES = (*scenes.PHOTOGRAPHS, *scenes.TEXTURES)  # of the first of `scenes.photographs`
INSIDE = 25  # levels from which on a pixel is the article, not the ground
MEAN, DEVIATION = 0.5, 0.2  # of a texture, in pixel values
FLAT = 0.04  # the deviation below which a part of a photograph has no texture
APART = 0.6  # of a photograph's width: left of it textures to learn from, right of it to test on


@dataclass(frozen=True)
class Articles:
    """Shapes and textures of N pictures, of side S; labels int64 (N,), the classes of both.

    shapes bool (N, S, S). textures float32 (N, 1, S, S) in [0, 1].
    """

    shapes: NDArray[np.bool_]
    textures: Tensor
    labels: Tensor

    @property
    def pixels(self) -> Tensor:
        """Each shape with the texture of its class, float32 (N, 1, S, S) in [0, 1]."""
        return filled(self.shapes, self.textures)


def articles(split: Literal["train", "test"], n: int, *, seed: int = 0) -> Articles:
    """So many articles, as many of each class, of the data's own split, with textures apart from
    the other split's. Raises Failure where Fashion-MNIST is not at hand."""
    splits = open_splits("fashion-mnist", seed=seed)
    samples = splits.train if split == "train" else splits.test
    if not isinstance(samples, Arrays):
        raise TypeError("Fashion-MNIST is not in memory")
    chosen, each = [], n // len(CLASSES)
    for k, name in enumerate(CLASSES):
        own = np.flatnonzero(samples.labels == samples.classes.index(name))
        chosen.append(own[draws.order(seed, k, len(own), f"filled {split}")[:each]])
    images = samples.images[np.concatenate(chosen)][..., 0]
    shapes = np.stack([ndimage.binary_fill_holes(image >= INSIDE) for image in images])
    labels = np.repeat(np.arange(len(CLASSES)), [len(own) for own in chosen])
    textures = parts(labels, images.shape[1], split, seed=seed)
    return Articles(shapes, textures, torch.from_numpy(labels))


def filled(shapes: NDArray[np.bool_], textures: Tensor) -> Tensor:
    """Shapes (N, S, S) filled with textures (N, 1, S, S), on black."""
    return textures * torch.from_numpy(shapes)[:, None]


def parts(
    labels: NDArray[np.int64], side: int, split: Literal["train", "test"], *, seed: int
) -> Tensor:
    """A part of the class's photograph for each label, float32 (N, 1, side, side) in [0, 1]."""
    found = np.empty((len(labels), side, side), np.float32)
    index = np.arange(len(labels))
    place = draws.uniform(seed, 0, index, f"filled texture {split}")
    for k, (photograph, _) in enumerate(CLASSES.values()):
        grey = scenes.photographs()[NAMES.index(photograph)].mean(2, dtype=np.float64) / 255
        border = round(APART * grey.shape[1])
        own = grey[:, :border] if split == "train" else grey[:, border:]
        windows = np.lib.stride_tricks.sliding_window_view(own, (side, side))
        rough = np.argwhere(windows.std((2, 3)) >= FLAT)
        for i in np.flatnonzero(labels == k):
            part = windows[tuple(rough[int(place[i] * len(rough))])]
            even = MEAN + DEVIATION * (part - part.mean()) / part.std()
            found[i] = even.clip(0, 1)
    return torch.from_numpy(found)[:, None]
