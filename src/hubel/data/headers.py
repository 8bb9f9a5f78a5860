"""What a picture's file says of itself, without decoding it."""

from dataclasses import dataclass

from hubel.data.ahead import ahead
from hubel.data.samples import Files, Samples
from hubel.opening import Unreadable, lies, opened


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
    return list(ahead(lambda i: _header(samples, i), range(len(samples))))


def _header(samples: Files, i: int) -> Header | None:
    path = samples.paths[i]
    if not path.is_file():
        return None
    try:
        with opened(path, samples.names[i]) as image:
            width, height = image.size[::-1] if lies(image) else image.size
            return Header(str(image.format), height, width, path.stat().st_size)
    except Unreadable:
        return None  # whoever decodes it says why
