"""Samples whose range the header states become 8 bits by it; others are refused."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from hubel.pixels import Unreadable, decode


def pgm(maxval: int, samples: list[int], *, plain: bool = False) -> bytes:
    """One row of a grey netpbm file, binary (P5) or as text (P2)."""
    if plain:
        return f"P2 {len(samples)} 1 {maxval}\n{' '.join(map(str, samples))}\n".encode()
    return f"P5 {len(samples)} 1 {maxval}\n".encode() + struct.pack(f">{len(samples)}H", *samples)


def tiff(
    bits: int, photometric: int, row: bytes, width: int, *, order: str = "<", signed: bool = False
) -> bytes:
    """One row of an uncompressed grey TIFF (TIFF 6.0, sections 2 and 8)."""
    tags = {256: width, 257: 1, 258: bits, 259: 1, 262: photometric, 273: 8, 277: 1, 278: 1}
    tags |= {279: len(row), 339: 2 if signed else 1}
    entries = [struct.pack(order + "HHIHH", tag, 3, 1, tags[tag], 0) for tag in sorted(tags)]
    directory = struct.pack(order + "H", len(entries)) + b"".join(entries) + bytes(4)
    mark = b"II" if order == "<" else b"MM"
    return mark + struct.pack(order + "HI", 42, 8 + len(row)) + row + directory


def png(bits: int, colour: int, row: bytes, width: int, transparent: bytes) -> bytes:
    """One row of a PNG with a transparent level or colour (PNG 1.2, sections 4.1 and 4.2.1)."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, 1, bits, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"tRNS", transparent)
        + chunk(b"IDAT", zlib.compress(b"\0" + row)) + chunk(b"IEND", b"")
    )  # fmt: skip


def rounded(samples: list[int], most: int) -> list[int]:
    """The rule itself, slowly: most → 255, halves up."""
    return [int(255 * sample / most + 0.5) for sample in samples]


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("maxval", [256, 1023, 4095, 65535])
def test_a_pgm_is_divided_by_its_maxval(maxval: int, plain: bool) -> None:
    samples = [0, 1, maxval // 3, maxval - 1, maxval]
    found = decode(pgm(maxval, samples, plain=plain))
    assert found[0, :, 0].tolist() == rounded(samples, maxval)


def test_a_pgm_that_the_caller_opened_is_read_alike_and_left_as_pillow_reads_it() -> None:
    samples = [0, 1000, 2048, 4095]
    image = Image.open(io.BytesIO(pgm(4095, samples)))
    assert decode(image)[0, :, 0].tolist() == rounded(samples, 4095)
    assert np.asarray(image)[0].tolist() == [round(x / 4095 * 65535) for x in samples]


def test_samples_above_the_maxval_are_full_light() -> None:
    assert decode(pgm(4095, [4095, 4096, 65535]))[0, :, 0].tolist() == [255, 255, 255]


def test_a_tiff_of_twelve_bits_is_divided_by_4095() -> None:
    packed = bytes([0x00, 0x08, 0x00, 0xFF, 0xF1, 0x23])  # 0x000, 0x800, 0xFFF, 0x123
    expected = rounded([0, 0x800, 0xFFF, 0x123], 4095)
    assert decode(tiff(12, 1, packed, 4))[0, :, 0].tolist() == expected


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_tiff_of_sixteen_bits(order: str) -> None:
    samples = [0, 257, 32896, 65535]
    row = struct.pack(order + "4H", *samples)
    assert decode(tiff(16, 1, row, 4, order=order))[0, :, 0].tolist() == [0, 1, 128, 255]


def test_where_the_least_is_white_light_and_dark_are_swapped() -> None:
    deep = tiff(16, 0, struct.pack("<3H", 0, 257, 65535), 3)
    assert decode(deep)[0, :, 0].tolist() == [255, 254, 0]
    assert decode(tiff(8, 0, bytes([0, 1, 255]), 3))[0, :, 0].tolist() == [255, 254, 0]


@pytest.mark.parametrize("bits", [8, 16])
def test_signed_samples_are_refused(bits: int) -> None:
    with pytest.raises(Unreadable, match="no stated range"):
        decode(tiff(bits, 1, bytes([0, 127, 128, 255]), 32 // bits, signed=True))


def test_thirty_two_bits_are_refused() -> None:
    with pytest.raises(Unreadable, match="no stated range"):
        decode(tiff(32, 1, bytes(8), 2))


@pytest.mark.parametrize(
    ("bits", "row", "key", "expected"),
    [
        (2, bytes([0b00_01_10_11]), 1, [0, 128, 170, 255]),
        (4, bytes([0x0F, 0x3C]), 3, [0, 255, 128, 204]),
        (8, bytes([0, 3, 85, 255]), 3, [0, 128, 85, 255]),
        (16, struct.pack(">4H", 0, 1000, 1001, 65535), 1000, [0, 128, 4, 255]),
    ],
)
def test_the_transparent_level_of_a_grey_png(
    bits: int, row: bytes, key: int, expected: list[int]
) -> None:
    picture = png(bits, 0, row, 4, struct.pack(">H", key))
    assert decode(picture, channels=1, background=0.5)[0, :, 0].tolist() == expected


def test_the_transparent_colour_of_a_deep_png() -> None:
    row = struct.pack(">6H", 513, 1000, 65535, 60000, 60000, 60000)
    picture = png(16, 2, row, 2, struct.pack(">3H", 513, 1000, 65535))
    assert decode(picture, background=0.5)[0].tolist() == [[128] * 3, [234] * 3]


def test_premultiplied_transparency_is_laid_over_the_background_too() -> None:
    clear = Image.new("La", (1, 1), (0, 0))
    assert decode(clear, background=0.5).ravel().tolist() == [128] * 3
    assert decode(Image.new("RGBa", (1, 1), (0, 0, 0, 0)), background=0.5).ravel()[0] == 128
