"""Training with stylised copies: pictures that keep their shape and lose what their surface says.

Geirhos et al. 2019 ("ImageNet-trained CNNs are biased towards texture", section 3): "Stylized
ImageNet", whose styles are paintings that have nothing to do with the classes. Departures: the
surfaces are parts of the photographs that come with scikit-image and scikit-learn, turned, mirrored
and with their colours exchanged; they are put on by patches (`breaking.texturing`), not by AdaIN;
and every copy is made when it is seen, in every epoch with another surface, where the paper made
one of each picture and kept it.
"""

from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hubel import draws
from hubel.breaking.texturing import luminance, patch_side, textured
from hubel.data import scenes
from hubel.data.augment.compose import Augmentation
from hubel.data.augment.drawing import drawn, happens

ROUGH = 0.08  # the deviation of a part's luminance from which on it has a surface to show
LARGEST = 120  # pixels of a part: of 160, so that there are several in each photograph
STEP = 4  # pixels between the parts that are looked at
COLOURS = ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0))


def stylised(probability: float, then: Augmentation | None = None) -> Augmentation | None:
    """Give so many of the training pictures the surface of a photograph, then change them on.

    probability: from 0 (`then`, as it is) to 1 (all). What is drawn for sample i in epoch e depends
    on (seed, e, i) alone, as for every other change: a resumed training sees the same copies.
    """
    if not probability:
        return then

    def augment(pixels: Tensor, indices: NDArray[np.int64], seed: int, epoch: int) -> Tensor:
        chosen = happens(drawn(indices, seed, epoch), "stylised", probability).numpy()
        if chosen.any():
            where = torch.from_numpy(np.flatnonzero(chosen)).to(pixels.device)
            own = draws.integer(seed, "stylised", epoch)
            copies = in_other_surfaces(pixels[where], seed=own, indices=indices[chosen])
            pixels = pixels.index_copy(0, where, copies)
        return pixels if then is None else then(pixels, indices, seed, epoch)

    return augment


def in_other_surfaces(pixels: Tensor, *, seed: int, indices: NDArray[np.int64]) -> Tensor:
    """Pixels (N, C, H, W) in [0, 1], each with the surface of a photograph, in the same shape.

    What is drawn for picture i depends on the seed and indices[i] alone.
    """
    height, width = pixels.shape[2:]
    patch = min(patch_side(height, width), LARGEST // 2)
    side = min(LARGEST, max(height, width, 2 * patch))
    given = surfaces(side, pixels.shape[1], seed=seed, indices=indices).to(pixels)
    return textured(pixels, given, seed=seed, indices=indices, patch=patch)


def surfaces(side: int, channels: int, *, seed: int, indices: NDArray[np.int64]) -> Tensor:
    """Parts of photographs, float32 (N, channels, side, side) in [0, 1], for each index its own.

    Turned by quarters, mirrored, and with red, green and blue exchanged; one channel is their
    luminance, as are two or more than three, all alike. side is 160 pixels at most.
    """
    stock = np.stack(scenes.photographs())
    parts = _rough(side)

    def number(what: str, below: int) -> NDArray[np.int64]:
        return (draws.uniform(seed, 0, indices, f"surface {what}") * below).astype(np.int64)

    # a photograph first: those that are rough all over would else be nearly all that is seen
    photograph = number("photograph", len(parts))
    place, turn, mirror = number("place", 2**31), number("turn", 4), number("mirror", 2)
    order = number("colours", 6)
    found = np.empty((len(indices), side, side, 3), np.uint8)
    for i in range(len(indices)):
        own = parts[photograph[i]]
        which, top, left = own[place[i] % len(own)]
        part = stock[which, top : top + side, left : left + side]
        part = np.rot90(part, turn[i])
        part = part[:, ::-1] if mirror[i] else part
        found[i] = part[:, :, COLOURS[order[i]]]
    pixels = torch.from_numpy(found).permute(0, 3, 1, 2).float() / 255
    return pixels if channels == 3 else luminance(pixels).expand(-1, channels, -1, -1)


@cache
def _rough(side: int) -> tuple[NDArray[np.int64], ...]:
    """For each photograph that has any: its number, top and left of the parts that are not flat."""
    found = []
    for number, photograph in enumerate(scenes.photographs()):
        grey = photograph.astype(np.float64).mean(2) / 255
        windows = np.lib.stride_tricks.sliding_window_view(grey, (side, side))[::STEP, ::STEP]
        down, across = np.nonzero(windows.std((2, 3)) >= ROUGH)
        if len(down):
            own = np.stack((np.full(len(down), number), down * STEP, across * STEP), 1)
            found.append(own.astype(np.int64))
    return tuple(found)
