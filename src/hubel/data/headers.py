"""What a picture's file says of itself, without decoding it."""

import warnings
from dataclasses import dataclass

from PIL import ExifTags, Image

from hubel.data.ahead import ahead
from hubel.data.samples import Files, Samples
from hubel.foreign import FORMATS


@dataclass(frozen=True)
class Header:
    """format as its content says ("" for pictures that come as arrays); size upright; bytes."""

    format: str
    height: int
    width: int
    bytes: int = 0


def headers(samples: Samples) -> list[Header | None]:
    """One for each sample; None for what has no readable header."""
    if not isinstance(samples, Files):
        shapes = (samples.image(i).shape for i in range(len(samples)))
        return [Header("", height, width) for height, width, _ in shapes]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # odd metadata is no reason to bother anyone
        return list(ahead(lambda i: _header(samples, i), range(len(samples))))


def _header(samples: Files, i: int) -> Header | None:
    path = samples.paths[i]
    try:
        if not path.is_file():
            return None
        with Image.open(path, formats=FORMATS) as image:
            lying = image.getexif().get(ExifTags.Base.Orientation, 1) in range(5, 9)
            width, height = image.size[::-1] if lying else image.size
            return Header(str(image.format), height, width, path.stat().st_size)
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, TypeError, MemoryError):
        return None  # whoever decodes it says why
    except Image.DecompressionBombError:
        return None
