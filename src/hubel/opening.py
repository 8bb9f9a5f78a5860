"""A picture's file opened: by its content, upright, and whatever goes wrong is `Unreadable`."""

import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import ExifTags, Image, UnidentifiedImageError

from hubel.foreign import FORMATS, HEAD, is_heic, what_it_is
from hubel.levels import as_stored
from hubel.mistakes import Failure, Mistake

# A picture of more pixels than this is taken for a decompression bomb: 100 megapixels are beyond
# any phone's camera and need 300 MB once decoded.
MOST_PIXELS = 100_000_000
_BOMB = f"it has more than {MOST_PIXELS:,} pixels (a decompression bomb?)"

_TURNS = {  # EXIF 2.32, section 4.6.4 A: how a picture of that orientation is made upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

File = str | os.PathLike[str] | bytes


class Unreadable(Failure):
    """A picture that cannot be decoded; `reason` says why without naming it."""

    def __init__(self, name: str, reason: str) -> None:
        self.name, self.reason = name, reason
        super().__init__(f"Could not read the picture {name!r}: {reason}.")

    def __reduce__(self) -> tuple[type["Unreadable"], tuple[str, str]]:
        return Unreadable, (self.name, self.reason)  # it crosses process borders


@contextmanager
def opened(source: File, name: str) -> Iterator[Image.Image]:
    """The picture in a file, or in the bytes of one; its pixels are not read yet.

    Raises Unreadable, and turns into it whatever Pillow raises inside the `with`.
    """
    with guarded(name):
        if not isinstance(source, bytes) and stat.S_ISFIFO(os.stat(source).st_mode):
            raise Unreadable(name, "it is a pipe, not a file")
        with _image(source, name) as image:
            check_size(image.size, name)
            yield image


@contextmanager
def guarded(name: str) -> Iterator[None]:
    """Whatever Pillow raises inside becomes Unreadable, by the picture's name.

    Its readers meet hostile bytes with errors of any kind: OSError and SyntaxError, but also
    struct.error, AttributeError, OverflowError, zlib.error. Only running out of memory, and
    warnings that the caller has made errors, stay what they are.
    """
    try:
        yield
    except (Failure, Mistake, MemoryError, Warning):
        raise
    except Image.DecompressionBombError:
        raise Unreadable(name, _BOMB) from None
    except FileNotFoundError:
        raise Unreadable(name, "there is no such file") from None
    except IsADirectoryError:
        raise Unreadable(name, "it is a folder") from None
    except PermissionError:
        raise Unreadable(name, "no permission to read it") from None
    except Exception as wrong:
        raise Unreadable(name, f"it is damaged ({wrong or type(wrong).__name__})") from None


def check_size(size: tuple[int, int], name: str) -> None:
    """Raises Unreadable for too many pixels: the header says so, before any is decoded."""
    width, height = size
    if width * height > MOST_PIXELS:
        raise Unreadable(name, f"{width}×{height}: {_BOMB}")


def orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; 1 where there is none, or none that can be read.

    A TIFF's is 1: Pillow turns those itself.
    """
    if image.format == "TIFF":
        return 1
    try:
        found = image.getexif().get(ExifTags.Base.Orientation)
    except MemoryError:
        raise
    except Exception:  # odd metadata is no reason to lose a sound picture
        return 1
    return found if isinstance(found, int) and found in _TURNS else 1


def lies(image: Image.Image) -> bool:
    """Whether turning it upright swaps its width and height."""
    return orientation(image) >= 5


def upright(image: Image.Image) -> Image.Image:
    """The picture turned by its orientation alone; its metadata are not looked at otherwise."""
    turn = _TURNS.get(orientation(image))
    return image if turn is None else image.transpose(turn)


def _image(source: File, name: str) -> Image.Image:
    file = io.BytesIO(source) if isinstance(source, bytes) else Path(source)
    try:
        found = Image.open(file, formats=FORMATS)
        as_stored(found)
        return found
    except UnidentifiedImageError:
        head = head_of(source)
        image = _heic(source, name) if is_heic(head) else None
        if image is None:
            raise Unreadable(name, what_it_is(head)) from None
        return image


def _heic(source: File, name: str) -> Image.Image | None:
    """The picture in a HEIC, upright; None where pillow-heif, the extra `heic`, is not here."""
    try:
        from pillow_heif import open_heif  # asked itself: registered with Pillow it were everyone's
    except ImportError:
        return None
    found = open_heif(io.BytesIO(source) if isinstance(source, bytes) else Path(source))
    check_size(found.size, name)
    image: Image.Image = found.to_pillow()
    return image


def head_of(source: File) -> bytes:
    """The first bytes of a file, which tell what it is."""
    if isinstance(source, bytes):
        return source[:HEAD]
    with Path(source).open("rb") as file:
        return file.read(HEAD)
