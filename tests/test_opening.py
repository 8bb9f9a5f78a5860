"""Whatever a file holds, it is a picture, upright, or Unreadable by name, and nothing else."""

import io
import random
import struct
import sys
import types
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hubel.data.headers import headers
from hubel.data.samples import Files
from hubel.mistakes import Mistake
from hubel.opening import guarded
from hubel.pixels import PixelSpec, Unreadable, decode, read

ORIENTATION, RESOLUTION_UNIT, WIDTH = 0x0112, 0x0128, 0x0100
SHORT, LONG, RATIONAL = 3, 4, 5
SPEC = PixelSpec((8, 8))


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def corner(width: int = 48, height: int = 32) -> Image.Image:
    """Black, its upper left quarter white."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[: height // 2, : width // 2] = 255
    return Image.fromarray(pixels)


def exif(*entries: tuple[int, int, bytes]) -> bytes:
    """EXIF with these (tag, type, four bytes of value or offset), and a rational 7/2 at its end."""
    body = b"".join(struct.pack("<HHI", tag, kind, 1) + value for tag, kind, value in entries)
    tail = bytes(4) + struct.pack("<II", 7, 2)
    return b"Exif\0\0II*\0" + struct.pack("<IH", 8, len(entries)) + body + tail


TURNED = (ORIENTATION, SHORT, struct.pack("<HH", 6, 0))
ODD = {
    "a unit beyond 16 bits": (RESOLUTION_UNIT, LONG, struct.pack("<I", 70_000)),
    "a width that is a fraction": (WIDTH, RATIONAL, struct.pack("<I", 8 + 2 + 24 + 4)),
}


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_an_odd_tag_beside_the_orientation_loses_no_picture(kind: str, odd: str) -> None:
    content = encoded(corner(), kind, exif=exif(*sorted((TURNED, ODD[odd]))))
    found = decode(content)
    assert found.shape == (48, 32, 3)
    assert found[4, 28].min() > 200  # white is in the upper right corner now
    assert found[44, 4].max() < 50
    assert np.array_equal(decode(Image.open(io.BytesIO(content))), found)
    assert read(content, SPEC).shape == (8, 8, 3)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_every_orientation_and_what_its_header_says(
    tmp_path: Path, kind: str, orientation: int
) -> None:
    tags = Image.Exif()
    tags[ORIENTATION] = orientation
    path = tmp_path / f"turned.{kind.lower()}"
    path.write_bytes(encoded(corner(), kind, exif=tags))
    found = decode(path)
    # EXIF 2.32: the sides of what is seen at which the stored first row and first column are
    row, column = [
        ("top", "left"), ("top", "right"), ("bottom", "right"), ("bottom", "left"),
        ("left", "top"), ("right", "top"), ("right", "bottom"), ("left", "bottom"),
    ][orientation - 1]  # fmt: skip
    down, across = (-4 if side in (row, column) else 4 for side in ("bottom", "right"))
    assert found.shape == ((48, 32, 3) if row in ("left", "right") else (32, 48, 3))
    assert found[down, across].min() > 200
    assert found[-down, -across].max() < 50
    (header,) = headers(Files([path], np.zeros(1, np.int64), ("a",), ["a"]))
    assert header is not None
    assert (header.height, header.width) == found.shape[:2]


@pytest.mark.parametrize("value", [0, 9, 70_000])
def test_an_orientation_that_is_none_turns_nothing(value: int) -> None:
    content = encoded(corner(), "PNG", exif=exif((ORIENTATION, LONG, struct.pack("<I", value))))
    assert np.array_equal(decode(content), np.asarray(corner()))


def test_a_picture_of_the_caller_that_is_cut_short_is_unreadable() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (60, 60, 3), dtype=np.uint8)
    content = encoded(Image.fromarray(noise), "JPEG")
    cut = Image.open(io.BytesIO(content[: len(content) // 2]))
    with pytest.raises(Unreadable, match=r"'mine'.*damaged"):
        decode(cut, name="mine")


def test_a_picture_of_the_caller_stays_as_it_is() -> None:
    tags = Image.Exif()
    tags[ORIENTATION] = 6
    image = Image.open(io.BytesIO(encoded(corner(480, 320), "JPEG", exif=tags)))
    read(image, SPEC)
    assert image.size == (480, 320)
    assert image.getexif()[ORIENTATION] == 6


@pytest.mark.parametrize(
    "raised",
    [struct.error("x"), AttributeError("x"), OverflowError("x"), TypeError(), RecursionError("x")],
)
def test_whatever_is_raised_names_the_picture(raised: Exception) -> None:
    with pytest.raises(Unreadable, match=r"'cat\.jpg': it is damaged"), guarded("cat.jpg"):
        raise raised


@pytest.mark.parametrize("raised", [MemoryError(), KeyboardInterrupt(), UserWarning("odd")])
def test_what_is_no_fault_of_the_file_stays_what_it_is(raised: BaseException) -> None:
    with pytest.raises(type(raised)), guarded("cat.jpg"):
        raise raised


def ftyp(*brands: bytes) -> bytes:
    content = brands[0] + bytes(4) + b"".join(brands[1:])
    return struct.pack(">I", 8 + len(content)) + b"ftyp" + content + bytes(40)


@pytest.mark.parametrize(
    ("brands", "said"),
    [
        *(((brand,), "HEIC") for brand in (b"heic", b"heix", b"heim", b"hevc", b"hevx", b"msf1")),
        ((b"mif1", b"heic"), "HEIC"),
        ((b"mif1", b"avif", b"miaf"), "AVIF"),
        ((b"isom", b"mp41"), "film"),
    ],
)
def test_the_brands_of_iso_media_files_are_told_apart(
    brands: tuple[bytes, ...], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)  # as if it were not installed
    with pytest.raises(Unreadable, match=said) as caught:
        decode(ftyp(*brands))
    assert ("pillow-heif" in caught.value.reason) == (said == "HEIC")


def test_a_heic_is_read_by_the_extra_where_that_is_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Found:
        size = corner().size

        def to_pillow(self) -> Image.Image:
            return corner()

    extra = types.ModuleType("pillow_heif")
    extra.open_heif = lambda file: Found()  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pillow_heif", extra)
    assert np.array_equal(decode(ftyp(b"heic")), np.asarray(corner()))
    monkeypatch.setattr(Found, "size", (20_000, 20_000))
    with pytest.raises(Unreadable, match="bomb"):
        decode(ftyp(b"heic"))


def test_a_real_heic_is_turned_once() -> None:
    heif = pytest.importorskip("pillow_heif")
    file = io.BytesIO()
    tags = Image.Exif()
    tags[ORIENTATION] = 6
    heif.from_pillow(corner()).save(file, exif=tags.tobytes(), quality=95)
    found = decode(file.getvalue())
    assert found.shape == (48, 32, 3)
    assert found[4, 28].min() > 200


@pytest.mark.parametrize("start", [b"II*\0", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"])
def test_a_known_format_that_cannot_be_opened_is_not_called_another(start: bytes) -> None:
    with pytest.raises(Unreadable, match="damaged, or of a kind"):
        decode(start + bytes(30))


# --- a short fuzz: a row is a format and how its file is made ------------------------------------


def _animated() -> bytes:
    frames = [corner(), corner().transpose(Image.Transpose.ROTATE_180)]
    return encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])


SEEDS = {
    "jpeg": lambda: encoded(corner(), "JPEG", exif=exif(TURNED)),
    "progressive jpeg": lambda: encoded(corner(), "JPEG", progressive=True, exif=exif(TURNED)),
    "cmyk jpeg": lambda: encoded(corner().convert("CMYK"), "JPEG"),
    "png": lambda: encoded(corner(), "PNG", exif=exif(TURNED)),
    "palette png": lambda: encoded(corner().convert("P"), "PNG", transparency=0),
    "deep png": lambda: encoded(Image.new("I;16", (9, 9), 4000), "PNG"),
    "gif": _animated,
    "webp": lambda: encoded(corner(), "WEBP", exif=exif(TURNED)),
    "bmp": lambda: encoded(corner(), "BMP"),
    "tiff": lambda: encoded(corner(), "TIFF"),
    "packed tiff": lambda: encoded(corner().convert("L"), "TIFF", compression="tiff_lzw"),
    "jpeg tiff": lambda: encoded(corner(), "TIFF", compression="jpeg"),
    "deep tiff": lambda: encoded(Image.new("I;16", (9, 9), 4000), "TIFF"),
    "ppm": lambda: encoded(corner(), "PPM"),
    "deep pgm": lambda: b"P5 9 9 4095\n" + bytes(162),
    "plain pgm": lambda: b"P2 3 3 4095\n" + b"17 " * 9,
}
MUTATIONS = 40  # of each


def mutated(content: bytes, chance: random.Random) -> bytes:
    """Bytes changed, most of them in the header, where they mean most; or cut, doubled, dropped."""
    changed = bytearray(content)
    for _ in range(chance.randint(1, 5)):
        reach = len(changed) if chance.random() < 0.4 else min(len(changed), 160)
        at = chance.randrange(reach)
        match chance.randrange(6):
            case 0:
                del changed[at : at + chance.randint(1, 8)]
            case 1:
                changed[at:at] = changed[at : at + chance.randint(1, 16)]
            case 2 if len(changed) > 40:
                del changed[chance.randint(20, len(changed)) :]
            case 3:
                changed[at : at + 4] = chance.choice((b"\xff\xff\xff\xff", bytes(4), b"\x7f\xff"))
            case _:
                changed[at] = chance.randrange(256)
        if not changed:
            return b""
    return bytes(changed)


@pytest.mark.filterwarnings("ignore")  # Pillow's, about the damage
@pytest.mark.parametrize("seed", SEEDS)
def test_mutated_files_are_pictures_or_unreadable(seed: str, tmp_path: Path) -> None:
    chance = random.Random(f"mutated {seed}")
    whole = SEEDS[seed]()
    assert read(whole, SPEC).shape == (8, 8, 3)  # the positive control
    paths = []
    for i in range(MUTATIONS):
        content = mutated(whole, chance)
        with suppress(Unreadable, Mistake):
            found = read(content, SPEC, name="it")
            assert (found.shape, found.dtype) == ((8, 8, 3), np.uint8)
        with suppress(Unreadable, Mistake):
            try:
                image = Image.open(io.BytesIO(content))
            except Exception:
                image = corner()  # Pillow's own answer to its caller
            decode(image)
        paths.append(tmp_path / f"{i}.{seed}")
        paths[-1].write_bytes(content)
    said = headers(Files(paths, np.zeros(len(paths), np.int64), ("a",), [str(i) for i in paths]))
    assert len(said) == MUTATIONS
