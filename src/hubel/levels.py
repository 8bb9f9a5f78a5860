"""From samples whose range the header states to 8 bits.

Pillow gives samples of more than 8 bits as the numbers that the file holds, whatever those mean,
and names a transparent colour by the file's own numbers although it has scaled the pixels. What the
numbers mean stands in the header: it is read before the pixels are, because Pillow forgets it then.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageFile

_BITS, _PHOTOMETRIC, _SAMPLE_FORMAT = 258, 262, 339  # TIFF 6.0's tags
_MIN_IS_WHITE = 0
_SIGNED = 2
_MAXVAL = "maxval"  # our entry in an image's info
# PNG's grey levels of fewer than 8 bits are spread over 0 to 255 as they are read
_SPREAD = {"L;2": 255 // 3, "L;4": 255 // 15}


class Levels(NamedTuple):
    """What the samples of a picture mean.

    most: the number that is full light. inverted: whether 0 is light instead. clear: the level,
    or the (red, green, blue), that is transparent; None for none, or where Pillow knows it.
    """

    most: int = 255
    inverted: bool = False
    clear: int | tuple[int, ...] | None = None


def levels(image: Image.Image) -> Levels | None:
    """What the header says of the samples, None where it does not state their range.

    The range of 32-bit and of floating-point samples is stated nowhere, nor is that of signed
    ones. image: as opened, before its pixels are read.
    """
    tags: Mapping[int, Any] = getattr(image, "tag_v2", {})  # a TIFF's
    if _SIGNED in _numbers(tags.get(_SAMPLE_FORMAT)):
        return None
    if image.mode.startswith("I;16"):
        bits = max(_numbers(tags.get(_BITS)), default=16)
        inverted = tags.get(_PHOTOMETRIC) == _MIN_IS_WHITE
        return Levels(2**bits - 1, inverted, image.info.get("transparency"))
    if image.mode == "I" and image.format == "PPM":
        # where `as_stored` was not asked, Pillow multiplies by that and divides by the maxval
        return Levels(image.info.get(_MAXVAL, 65535))
    if image.mode in ("I", "F"):
        return None
    return Levels(clear=_clear(image))


def as_stored(image: ImageFile.ImageFile) -> None:
    """Have Pillow read the samples of a deep grey PGM as they are, whatever their maxval.

    It would multiply them one by one in Python, which takes five seconds a megapixel.
    """
    if image.mode != "I" or [tile.codec_name for tile in image.tile] != ["ppm"]:
        return
    (tile,) = image.tile
    if isinstance(tile.args, tuple):  # (mode, maxval)
        image.info[_MAXVAL] = tile.args[1]
        image.tile = [tile._replace(codec_name="raw", args="I;16B")]


def eight_bits(image: Image.Image, meaning: Levels, under: int) -> Image.Image:
    """The picture in 8 bits: (65,535 or what the header states → 255), by rounding.

    image: with its pixels read. under: the grey, 0 to 255, that shows where a deep picture is
    transparent; in others the transparent colour is put right, for Pillow to lay them over it.
    """
    if image.mode == "I" or image.mode.startswith("I;16"):
        deep = np.asarray(image).astype(np.uint32).clip(0, meaning.most)
        grey = (deep * 510 + meaning.most) // (2 * meaning.most)
        if meaning.inverted:
            grey = 255 - grey
        if meaning.clear is not None:
            grey[deep == meaning.clear] = under
        return Image.fromarray(grey.astype(np.uint8))
    if meaning.clear is not None:
        image = image.copy()  # it may be the caller's
        image.info["transparency"] = meaning.clear
    return image


def _clear(image: Image.Image) -> int | tuple[int, ...] | None:
    """The transparent level or colour of a PNG in the numbers that its pixels will have."""
    key = image.info.get("transparency")
    tiles = getattr(image, "tile", None)  # none in an image that was made, or is read already
    kind = tiles[0].args if tiles else None
    if isinstance(key, int) and kind in _SPREAD:
        return key * _SPREAD[kind]
    if isinstance(key, tuple) and kind == "RGB;16B":
        return tuple(part >> 8 for part in key)  # of 16 bits Pillow reads the upper 8
    return None


def _numbers(value: object) -> list[int]:
    """A TIFF tag's whole numbers; none where a damaged header holds something else."""
    found = value if isinstance(value, tuple) else (value,)
    return [each for each in found if isinstance(each, int)]
