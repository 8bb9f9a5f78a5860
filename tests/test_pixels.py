"""From a file to what a network sees: every mode by its stated rule, every junk file by name."""

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from hubel import pixels
from hubel.mistakes import Failure, Mistake
from hubel.pixels import PixelSpec, Unreadable, decode, fit


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def gradient(height: int = 12, width: int = 20) -> Image.Image:
    y, x = np.mgrid[:height, :width]
    return Image.fromarray(np.stack([x * 12, y * 20, x * 0 + 90], -1).astype(np.uint8))


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM"])
def test_lossless_formats_give_the_very_pixels(kind: str) -> None:
    assert np.array_equal(decode(encoded(gradient(), kind)), np.asarray(gradient()))


def test_exif_orientation_is_obeyed() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: rotate by 270° to see it upright
    turned = decode(encoded(gradient(), "PNG", exif=exif))
    assert np.array_equal(turned, np.rot90(np.asarray(gradient()), k=-1))


@pytest.mark.parametrize(("background", "expected"), [(1.0, 255), (0.0, 0), (0.5, 128)])
def test_alpha_is_laid_over_the_background(background: float, expected: int) -> None:
    clear = Image.new("RGBA", (3, 3), (200, 10, 10, 0))
    assert (decode(encoded(clear, "PNG"), background=background) == expected).all()


def test_half_transparent_is_half_mixed() -> None:
    half = Image.new("RGBA", (1, 1), (0, 0, 0, 128))
    assert abs(int(decode(encoded(half, "PNG"))[0, 0, 0]) - 127) <= 1


def test_transparent_palette_entry_is_background() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 255, 0])
    image.putpixel((1, 0), 1)
    image.info["transparency"] = 0
    found = decode(encoded(image, "GIF", transparency=0))
    assert found[0].tolist() == [[255, 255, 255], [0, 255, 0]]


def test_sixteen_bits_are_divided_by_257() -> None:
    deep = np.array([[0, 257, 32896, 65535]], np.uint16)
    assert decode(encoded(Image.fromarray(deep), "PNG"))[0, :, 0].tolist() == [0, 1, 128, 255]


def test_grey_and_colour() -> None:
    grey = Image.new("L", (2, 2), 77)
    assert decode(encoded(grey, "PNG")).shape == (2, 2, 1)
    assert (decode(encoded(grey, "PNG"), channels=3) == 77).all()
    red = decode(encoded(Image.new("RGB", (1, 1), (255, 0, 0)), "PNG"), channels=1)
    assert red[0, 0, 0] == 76  # ITU-R 601: 0.299 × 255


def test_one_bit_and_cmyk_become_grey_and_colour() -> None:
    assert decode(encoded(Image.new("1", (2, 2), 1), "PNG")).tolist() == [[[255]] * 2] * 2
    assert decode(encoded(Image.new("CMYK", (2, 2)), "JPEG")).shape == (2, 2, 3)


def test_animations_show_their_first_frame() -> None:
    frames = [Image.new("RGB", (4, 4), c) for c in ((255, 0, 0), (0, 0, 255))]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert decode(data)[0, 0].tolist() == [255, 0, 0]


def test_float_samples_have_no_range_and_are_refused() -> None:
    with pytest.raises(Unreadable, match="no stated range"):
        decode(encoded(Image.new("F", (2, 2)), "TIFF"))


JUNK = {
    "empty.png": (b"", "it is empty"),
    "page.png": (b"<!DOCTYPE html><html><body>404</body></html>", "web page"),
    "drawing.png": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "PostScript"),
    "vector.png": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
    "noise.jpg": (bytes(range(1, 200)), "none of JPEG"),
    "letter.jpg": (b"%PDF-1.7 ...", "PDF"),
}


@pytest.mark.parametrize("name", JUNK)
def test_junk_is_named_for_what_it_is(tmp_path: Path, name: str) -> None:
    content, reason = JUNK[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(Unreadable, match=reason) as caught:
        decode(tmp_path / name)
    assert name in str(caught.value)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"])
def test_truncated_pictures_are_unreadable(tmp_path: Path, kind: str) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (60, 60, 3), dtype=np.uint8)
    whole = encoded(Image.fromarray(noise), kind)
    (tmp_path / "cut").write_bytes(whole[: len(whole) // 2])
    decode(whole)  # the positive control
    with pytest.raises(Unreadable, match="damaged"):
        decode(tmp_path / "cut")


@pytest.mark.filterwarnings("ignore")  # Pillow's, about the damage
@settings(max_examples=200)
@given(st.data())
def test_flipped_bytes_never_raise_anything_else(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(["PNG", "JPEG", "GIF", "BMP", "TIFF", "PPM"]))
    content = bytearray(encoded(gradient(), kind))
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = decode(bytes(content))
    except Unreadable:
        return
    assert found.dtype == np.uint8
    assert found.ndim == 3


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_decompression_bomb_is_refused_before_it_is_decoded() -> None:
    header = encoded(Image.new("1", (20_000, 20_000)), "PNG")
    with pytest.raises(Unreadable, match="decompression bomb"):
        decode(header)
    assert decode(encoded(Image.new("1", (2_000, 2_000)), "PNG")).shape == (2000, 2000, 1)


def test_missing_files_and_folders(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="no such file"):
        decode(tmp_path / "none.png")
    with pytest.raises(Unreadable, match="folder"):
        decode(tmp_path)


def test_arrays_in_and_their_mistakes() -> None:
    half = np.full((2, 2, 3), 0.5)
    assert (decode(half) == 128).all()
    assert decode(np.zeros((2, 2), np.uint8)).shape == (2, 2, 1)
    with pytest.raises(Mistake, match=r"\[0, 255\]"):
        decode(np.array([[0.0, 255.0]]))
    with pytest.raises(Mistake, match="nan"):
        decode(np.array([[0.0, np.nan]]))
    with pytest.raises(Mistake, match=r"\(2, 2, 7\)"):
        decode(np.zeros((2, 2, 7), np.uint8))
    with pytest.raises(Mistake, match="int64"):
        decode(np.zeros((2, 2), np.int64))


def test_squash_crop_and_pad() -> None:
    wide = np.zeros((10, 30, 3), np.uint8)
    wide[:, 10:20] = 255  # black | white | black
    assert (fit(wide, PixelSpec((10, 10), resize="crop")) == 255).all()
    squashed = fit(wide, PixelSpec((10, 10), resize="squash"))
    assert squashed.shape == (10, 10, 3)
    assert squashed[5, 0, 0] < 30
    assert squashed[5, 5, 0] > 225
    padded = fit(wide, PixelSpec((30, 30), resize="pad", background=0.5))
    assert (padded[0] == 128).all()
    assert (padded[10:20] == wide).all()


def test_crop_fraction_keeps_the_middle() -> None:
    image = np.zeros((256, 256, 1), np.uint8)
    image[16:240, 16:240] = 255  # exactly what 224 of 256 sees
    assert (fit(image, PixelSpec((224, 224), channels=1, crop_fraction=0.875)) == 255).all()


@given(
    st.integers(1, 20_000),
    st.integers(1, 20_000),
    st.sampled_from([(224, 224), (64, 64), (7, 9), (1, 4096)]),
    st.sampled_from([1.0, 0.875]),
)
def test_the_box_that_is_seen_lies_in_the_picture(
    height: int, width: int, size: tuple[int, int], fraction: float
) -> None:
    left, top, right, bottom = pixels.seen(height, width, PixelSpec(size, crop_fraction=fraction))
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height
    assert (right - left) / (bottom - top) == pytest.approx(size[1] / size[0], rel=1e-9)


def test_a_side_that_does_not_divide_evenly() -> None:
    image = np.zeros((900, 1200, 3), np.uint8)  # 900 / 224 · 224 > 900 in floating point
    assert fit(image, PixelSpec((224, 224))).shape == (224, 224, 3)


def test_fit_of_the_right_size_is_the_picture_itself() -> None:
    image = np.asarray(gradient())
    assert fit(image, PixelSpec((12, 20))) is image


@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from(["squash", "crop", "pad"]))
def test_fit_always_gives_the_size(height: int, width: int, policy: pixels.Resize) -> None:
    image = np.zeros((height, width, 3), np.uint8)
    assert fit(image, PixelSpec((7, 9), resize=policy)).shape == (7, 9, 3)


def test_specifications_survive_json_and_refuse_nonsense() -> None:
    spec = PixelSpec((8, 9), channels=1, mean=(0.3,), std=(0.2,), resize="pad", background=0.0)
    assert PixelSpec.from_json(spec.as_json()) == spec
    for wrong in (
        {"channels": 2},
        {"size": (0, 4)},
        {"mean": (0.1, 0.2)},
        {"std": (0.0, 1.0, 1.0)},
        {"resize": "stretch"},
        {"crop_fraction": 0.0},
        {"background": 255},
    ):
        with pytest.raises(Mistake):
            PixelSpec(**{"size": (8, 8), **wrong})
    with pytest.raises(Failure, match="size"):
        PixelSpec.from_json({"channels": 3})
