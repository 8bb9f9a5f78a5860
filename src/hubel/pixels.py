"""From a file to what a network sees: decode, turn upright, convert, resize.

The rules, the same everywhere:
- the format is decided by the content, never by the name, and only those of `FORMATS` are opened;
- a picture is turned upright by its EXIF orientation;
- the first frame of an animation is taken;
- transparency is laid over a stated background;
- samples of more than 8 bits are divided by what the header states (PNG's 16 bits by 257, a 12-bit
  TIFF's 4,095 → 255, a PGM's maxval → 255); 32-bit, signed and float samples, whose range no header
  states, are refused;
- palette, CMYK, YCbCr and Lab become RGB; colour becomes grey by luminance (ITU-R 601).

No torch here: worker processes that decode start fast.
"""

import io
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hubel import reading
from hubel.figures import counted
from hubel.levels import eight_bits, levels
from hubel.mistakes import Failure, Mistake
from hubel.opening import Unreadable as Unreadable
from hubel.opening import check_size, guarded, lies, opened, upright

Picture = str | os.PathLike[str] | bytes | BinaryIO | Image.Image | NDArray[Any]
Given = str | os.PathLike[str] | bytes | Image.Image | NDArray[Any]  # the same, a file read
Pixels = NDArray[np.uint8]  # (H, W, C)

SUFFIXES = frozenset(
    (
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".bmp", ".dib", ".webp", ".tif"),
        *(".tiff", ".ppm", ".pgm", ".pbm", ".pnm"),
    )
)
HEIC_SUFFIXES = frozenset((".heic", ".heif"))  # pictures where pillow-heif is, the extra `heic`
MOST_SIDE = 10_000  # of what a network sees
MOST_STATISTIC, LEAST_DEVIATION = 10**6, 1e-6  # in units of [0, 1]; float32 can divide by these

Resize = Literal["squash", "crop", "pad"]


@dataclass(frozen=True)
class PixelSpec:
    """What a network expects of its pixels.

    size: (height, width). channels: 1 (grey) or 3 (RGB). mean, std: one number per channel, in
    units of [0, 1]; pixels are standardised by them inside the model. resize: "squash" changes the
    aspect ratio; "crop" fits the shorter side and cuts the middle; "pad" fits the longer side and
    fills with the background. crop_fraction: with "crop", the share of the resized shorter side
    that is kept (0.875: 224 out of 256). background: the grey under transparent and padded pixels.

    >>> PixelSpec((224, 224)).mean
    (0.5, 0.5, 0.5)
    """

    size: tuple[int, int]
    channels: int = 3
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    resize: Resize = "crop"
    crop_fraction: float = 1.0
    background: float = 1.0

    def __post_init__(self) -> None:
        if self.channels not in (1, 3):
            raise Mistake(f"Pixels have 1 channel (grey) or 3 (RGB), not {self.channels}.")
        # no statistics given: pixels centred on mid-grey, in [−1, 1]
        object.__setattr__(self, "size", (int(self.size[0]), int(self.size[1])))
        object.__setattr__(self, "mean", tuple(self.mean) or (0.5,) * self.channels)
        object.__setattr__(self, "std", tuple(self.std) or (0.5,) * self.channels)
        if min(self.size) < 1 or max(self.size) > MOST_SIDE:
            raise Mistake(
                f"A picture has sides of 1 to {MOST_SIDE}, not {self.size[0]}×{self.size[1]}."
            )
        if len(self.mean) != self.channels or len(self.std) != self.channels:
            raise Mistake(
                f"Mean and standard deviation need {counted(self.channels, 'number')} each, one "
                f"per channel; got {self.mean} and {self.std}."
            )
        statistics = (*self.mean, *self.std)
        if not all(abs(s) <= MOST_STATISTIC for s in statistics) or min(self.std) < LEAST_DEVIATION:
            raise Mistake(
                "Mean and standard deviation are finite, and a standard deviation is above 0 (from "
                f"{LEAST_DEVIATION} to {MOST_STATISTIC:,}); got {self.mean} and {self.std}."
            )
        if self.resize not in ("squash", "crop", "pad"):
            raise Mistake(f"resize is 'squash', 'crop' or 'pad', not {self.resize!r}.")
        if not 0 < self.crop_fraction <= 1:
            raise Mistake(f"crop_fraction is in (0, 1], not {self.crop_fraction}.")
        if not 0 <= self.background <= 1:
            raise Mistake(f"The background is a grey in [0, 1], not {self.background}.")

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, facts: Mapping[str, Any]) -> "PixelSpec":
        """The inverse of `as_json`. Raises Failure for other facts."""
        try:
            for key in ("size", "mean", "std"):  # a specification that was saved has them all
                if not facts.get(key):
                    raise reading.Wrong(f"{key} is missing")
            spec: PixelSpec = reading.typed(dict(facts), cls)
        except (reading.Wrong, Mistake) as wrong:
            raise Failure(f"The pixel specification is not ours: {wrong}") from None
        return spec


def read(
    source: Picture, spec: "PixelSpec", *, background: float | None = None, name: str = ""
) -> Pixels:
    """A picture as a network sees it, uint8 (h, w, C): decoded, upright, converted and resized.

    background: the grey under transparent pixels, None for the specification's. A JPEG of several
    times the size is decoded at the half, quarter or eighth that still is large enough, which takes
    a fraction of the time. Raises Unreadable as `decode` does.
    """
    under = spec.background if background is None else background
    # a Pillow image all the way: each turn into an array and back is a copy
    return _array(_fitted(_opened(source, spec.channels, under, name, spec), spec))


def decode(
    source: Picture,
    *,
    channels: int | None = None,
    background: float = 1.0,
    name: str = "",
) -> Pixels:
    """A picture as uint8 (H, W, C), upright; C is `channels`, or 1 for grey pictures and else 3.

    source: a path, the bytes of a file, a file opened in binary, a PIL image, or an array: uint8 or
    float in [0, 1], of shape (H, W) or (H, W, 1 | 3 | 4). Raises Mistake for anything else,
    Unreadable for what is no picture, is cut short, or has more than 100 megapixels. Pillow's
    warnings (odd metadata) pass through, to the filters of whoever owns the process.

    >>> decode(np.zeros((4, 5), np.uint8), channels=3).shape
    (4, 5, 3)
    """
    return _array(_opened(source, channels, background, name, None))


def _opened(
    source: Picture,
    channels: int | None,
    background: float,
    name: str,
    spec: "PixelSpec | None",
) -> Image.Image:
    """What `decode` gives, as an image of mode L or RGB; a JPEG only as large as `spec` needs."""
    source = given(source)
    if isinstance(source, np.ndarray):
        return _converted(Image.fromarray(_bytes_of(source)), channels, round(255 * background))
    if isinstance(source, Image.Image):
        label = name or "image"
        with guarded(label):
            check_size(source.size, label)
            return _decoded(source, channels, background, label, None)
    label = name or ("bytes" if isinstance(source, bytes) else written(source))
    with opened(source, label) as image:
        return _decoded(image, channels, background, label, spec)


def given(source: Picture) -> Given:
    """A picture as it may be given, an open file's bytes read. Raises Mistake for anything else.

    >>> given(io.BytesIO(b"GIF89a"))
    b'GIF89a'
    """
    if isinstance(source, str | os.PathLike | bytes | Image.Image | np.ndarray):
        return source
    content: object = source.read() if hasattr(source, "read") else source
    if isinstance(content, bytes | bytearray | memoryview):
        return bytes(content)
    found = "a file opened as text" if isinstance(content, str) else f"a {type(source).__name__}"
    raise Mistake(
        "A picture is a path, the bytes of a file, a file opened in binary, a PIL image or an "
        f"array (H, W[, C]), not {found}. (Pixels that are a tensor go to the classifier itself.)"
    )


def written(path: str | os.PathLike[str]) -> str:
    """A file's name as text that can be saved and printed: bytes that are not UTF-8 become \\xff.

    >>> written(b"caf\\xe9.png".decode(errors="surrogateescape"))
    'caf\\\\xe9.png'
    """
    return os.fsencode(path).decode(errors="backslashreplace")


def fit(image: Pixels, spec: PixelSpec) -> Pixels:
    """uint8 (H, W, C) → uint8 (h, w, C) of the spec's size, bicubic with antialiasing."""
    height, width = image.shape[:2]
    h, w = spec.size
    if (height, width) == (h, w) and (spec.resize != "crop" or spec.crop_fraction == 1):
        return image
    picture = Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image)
    return _array(_fitted(picture, spec))


def _fitted(picture: Image.Image, spec: PixelSpec) -> Image.Image:
    width, height = picture.size
    h, w = spec.size
    if spec.resize == "squash":
        return picture.resize((w, h), Image.Resampling.BICUBIC)
    if spec.resize == "crop":
        # in one resampling: nothing is computed to be cut off
        box = seen(height, width, spec)
        return picture.resize((w, h), Image.Resampling.BICUBIC, box=box)
    scale = min(h / height, w / width)
    inner = max(1, min(w, round(width * scale))), max(1, min(h, round(height * scale)))
    under = round(255 * spec.background)
    canvas = Image.new(picture.mode, (w, h), under if picture.mode == "L" else (under,) * 3)
    corner = (w - inner[0]) // 2, (h - inner[1]) // 2
    canvas.paste(picture.resize(inner, Image.Resampling.BICUBIC), corner)
    return canvas


def seen(height: int, width: int, spec: PixelSpec) -> tuple[float, float, float, float]:
    """The box (left, top, right, bottom) of a picture that the policy "crop" shows the network."""
    h, w = spec.size
    scale = min(height * spec.crop_fraction / h, width * spec.crop_fraction / w)
    # bounded, because 900 / 224 · 224 is a little more than 900
    across, down = min(w * scale, width), min(h * scale, height)
    left, top = (width - across) / 2, (height - down) / 2
    return left, top, left + across, top + down


def needed(height: int, width: int, spec: PixelSpec) -> tuple[int, int]:
    """The least (height, width) of a picture of this shape from which `fit` need not enlarge it."""
    h, w = spec.size
    if spec.resize == "squash":
        return h, w
    ratios = h / height, w / width
    scale = min(ratios) if spec.resize == "pad" else max(ratios) / spec.crop_fraction
    return math.ceil(height * scale), math.ceil(width * scale)


def _decoded(
    image: Image.Image,
    channels: int | None,
    background: float,
    name: str,
    spec: PixelSpec | None,
) -> Image.Image:
    meaning = levels(image)  # before its pixels are read
    if meaning is None:
        raise Unreadable(
            name, f"its {image.mode!r} samples have no stated range; save it as 8 bits"
        )
    if spec is not None and image.format == "JPEG":
        lying = lies(image)
        shape = (image.width, image.height) if lying else (image.height, image.width)
        h, w = needed(*shape, spec)
        image.draft(image.mode, (h, w) if lying else (w, h))
    image.load()
    under = round(255 * background)
    return _converted(eight_bits(upright(image), meaning, under), channels, under)


def _converted(image: Image.Image, channels: int | None, under: int) -> Image.Image:
    """An image of at most 8 bits as L or RGB, laid over the grey `under` where it is clear."""
    if image.mode == "La":  # which Pillow converts to nothing else
        image = image.convert("LA")
    if {"A", "a"} & {*image.getbands()} or "transparency" in image.info:
        image = image.convert("RGBA")
        ground = Image.new("RGBA", image.size, (under,) * 3 + (255,))
        image = Image.alpha_composite(ground, image).convert("RGB")
    grey = image.mode in ("L", "1") if channels is None else channels == 1
    mode = "L" if grey else "RGB"
    return image if image.mode == mode else image.convert(mode)


def _array(image: Image.Image) -> Pixels:
    array = np.array(image, dtype=np.uint8)
    return array[:, :, None] if array.ndim == 2 else array


def _bytes_of(array: NDArray[Any]) -> NDArray[Any]:
    """An array as Pillow takes it: uint8 (H, W) or (H, W, 3 | 4)."""
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        raise Mistake(f"A picture has shape (H, W) or (H, W, 1 | 3 | 4), not {array.shape}.")
    if array.size == 0:
        raise Mistake(f"A picture of shape {array.shape} has no pixels.")
    if array.dtype != np.uint8:
        if not np.issubdtype(array.dtype, np.floating):
            raise Mistake(f"A picture is uint8, or float in [0, 1]; not {array.dtype}.")
        if not (array.min() >= 0 and array.max() <= 1):  # written so that NaN fails too
            raise Mistake(
                f"Float pixels must be in [0, 1]; found [{array.min():g}, {array.max():g}]. "
                "Divide 8-bit values by 255."
            )
        array = np.rint(array * 255).astype(np.uint8)
    return array[:, :, 0] if array.ndim == 3 and array.shape[2] == 1 else array


def as_png(pixels: Pixels) -> bytes:
    """uint8 (H, W, C), C 1 or 3, as a PNG file, whose levels are just these."""
    file = io.BytesIO()
    own = pixels if pixels.shape[2] == 3 else pixels[..., 0]
    Image.fromarray(np.ascontiguousarray(own)).save(file, "PNG")
    return file.getvalue()
