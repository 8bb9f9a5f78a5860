"""Corruptions of every family against slow and obvious ones, and against Pillow, scipy, skimage."""

import io
import math
from itertools import product

import numpy as np
import pytest
import scipy.ndimage
import skimage.color
import skimage.transform
import torch
from PIL import Image
from torch import Tensor

from hubel.breaking.corruptions import blur, digital, geometric, noise, weather
from hubel.breaking.corruptions.chance import Chance, chance
from hubel.breaking.corruptions.fractal import plasma
from hubel.breaking.corruptions.kernels import disk, filtered, streaks
from hubel.breaking.corruptions.table import strength
from hubel.data.scenes import photographs

DRAWN = chance(3, range(2), "tests")
PHOTOS = torch.from_numpy(np.stack(photographs()[:2]).copy()).permute(0, 3, 1, 2).float() / 255
SMALL = PHOTOS[:, :, 40:69, 30:62].double()  # 29 × 32


def known(numbers: Tensor) -> Chance:
    """A chance whose one field is given."""
    return Chance(lambda _: torch.zeros(len(numbers), dtype=torch.float64), lambda *_: numbers)


def array(picture: Tensor) -> np.ndarray:
    return (picture * 255).round().byte().permute(1, 2, 0).numpy()


def test_noise_has_the_size_that_it_says() -> None:
    flat = torch.full((2, 3, 100, 100), 0.4, dtype=torch.float64)
    normal = noise.gaussian(flat, DRAWN, 0.1) - 0.4
    assert float(normal.mean()) == pytest.approx(0, abs=3 * 0.1 / math.sqrt(60_000))
    assert float(normal.std()) == pytest.approx(0.1, rel=0.01)
    counts = noise.shot(flat, DRAWN, 20) * 20
    assert torch.equal(counts, counts.round())
    assert float(counts.mean()) == pytest.approx(8, rel=0.01)
    assert float(counts.var()) == pytest.approx(8, rel=0.04)


def test_salt_and_pepper_value_by_value() -> None:
    drawn = torch.rand(SMALL.shape, generator=torch.Generator().manual_seed(0))
    found = noise.impulse(SMALL, known(drawn), 0.2)
    for place in product(*map(range, SMALL.shape)):
        u = float(drawn[place])
        expected = 0.0 if u < 0.1 else 1.0 if u >= 0.9 else float(SMALL[place])
        assert float(found[place]) == expected


@pytest.mark.parametrize(("radius", "softness"), [(0.4, 0.5), (1.5, 0.1), (3, 0.1), (10, 0.5)])
def test_defocus_is_a_correlation_with_a_disk(radius: float, softness: float) -> None:
    reach = 25
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1))
    for y, x in product(range(-reach, reach + 1), repeat=2):
        kernel[y + reach, x + reach] = x * x + y * y <= radius**2
    kernel /= kernel.sum()
    end = 2 if radius > 8 else 1
    kernel = scipy.ndimage.gaussian_filter(kernel, softness, truncate=end / softness, radius=end)
    found = blur.defocus(SMALL, DRAWN, radius, softness)
    expected = scipy.ndimage.correlate(
        SMALL.numpy(), kernel[None, None], mode="nearest"
    )  # fmt: skip
    np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=1e-12)
    assert float(disk(radius, softness).sum()) == pytest.approx(1, abs=1e-12)


def test_motion_step_by_step() -> None:
    angle, radius, deviation = torch.tensor([0.5, -2.0]), 4, 2.5
    found = filtered(SMALL, streaks(angle, radius, deviation))
    weights = [math.exp(-((i / deviation) ** 2) / 2) for i in range(2 * radius + 1)]
    height, width = SMALL.shape[2:]
    for n, y, x in product(range(2), range(0, height, 7), range(0, width, 5)):
        total = 0.0
        for i, weight in enumerate(weights):
            row = y + math.ceil(i * math.sin(float(angle[n])) - 0.5)
            column = x + math.ceil(i * math.cos(float(angle[n])) - 0.5)
            row, column = min(max(row, 0), height - 1), min(max(column, 0), width - 1)
            total += weight / sum(weights) * float(SMALL[n, 1, row, column])
        assert float(found[n, 1, y, x]) == pytest.approx(total, abs=1e-12)


def test_zoom_is_the_mean_of_enlarged_pictures() -> None:
    found = blur.zoom(SMALL, DRAWN, 1.20, 0.05)
    height, width = SMALL.shape[2:]
    total = 2 * SMALL[0, 0].numpy()
    for factor in (1.05, 1.10, 1.15, 1.20):
        y = (np.arange(height) - (height - 1) / 2) / factor + (height - 1) / 2
        x = (np.arange(width) - (width - 1) / 2) / factor + (width - 1) / 2
        grid = np.meshgrid(y, x, indexing="ij")
        total = total + scipy.ndimage.map_coordinates(SMALL[0, 0].numpy(), grid, order=1)
    np.testing.assert_allclose(found[0, 0].numpy(), total / 6, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("reach", "times"), [(1, 2), (2, 3), (1.5, 1)])
def test_glass_moves_pixel_by_pixel_between_two_gaussians(reach: float, times: int) -> None:
    drawn = torch.rand(2, 3, 2, 29, 32, generator=torch.Generator().manual_seed(1))
    found = blur.glass(SMALL, known(drawn), 0.6, reach, times)
    border = math.ceil(reach)
    for n in range(2):
        picture = scipy.ndimage.gaussian_filter(SMALL[n, 2].numpy(), 0.6, mode="mirror", radius=3)
        for turn in range(times):
            for y in range(29 - border, border, -1):
                for x in range(32 - border, border, -1):
                    down, across = (2 * drawn[n, turn, :, y, x] - 1).mul(reach).floor().int()
                    picture[y, x] = picture[y + int(down), x + int(across)]
        after = scipy.ndimage.gaussian_filter(picture, 0.6, mode="mirror", radius=3)
        np.testing.assert_allclose(found[n, 2].numpy(), after, rtol=0, atol=1e-6)


# how far down and across the published code of ImageNet-C moves pixels, measured on it
MOVED = [(0.71, 0.71), (1.07, 1.34), (1.84, 2.32), (2.57, 3.12), (3.61, 4.27)]


@pytest.mark.parametrize("severity", range(1, 6))
def test_glass_moves_as_far_as_the_published_one(severity: int) -> None:
    _, reach, times = strength("glass-blur", severity, 224)
    place = blur.displaced(chance(0, [0], "glass-blur"), (224, 224), reach, int(times))[0]
    own = torch.arange(224 * 224)
    inner = slice(20, -20)
    for k, way in enumerate((place // 224 - own // 224, place % 224 - own % 224)):
        moved = way.view(224, 224)[inner, inner].double()
        assert float(moved.std()) == pytest.approx(MOVED[severity - 1][k], rel=0.05)
        assert 0.65 < -float(moved.mean()) < 2.25


def test_a_plasma_point_by_point() -> None:
    drawn = torch.rand(1, 16, 16, generator=torch.Generator().manual_seed(2))
    found = plasma(known(drawn), 16, 1.7)[0].numpy()
    wobble = drawn[0].double().numpy() * 2 - 1
    field, step, size = np.zeros((16, 16)), 16, 1.0
    while step > 1:
        half = step // 2
        for y, x in product(range(half, 16, step), repeat=2):
            corners = [
                field[(y + a) % 16, (x + b) % 16] for a, b in product((-half, half), repeat=2)
            ]
            field[y, x] = sum(corners) / 4 + size * wobble[y, x]
        for y, x in product(range(0, 16, half), repeat=2):
            if (y // half + x // half) % 2:
                sides = [(0, half), (0, -half), (half, 0), (-half, 0)]
                near = [field[(y + a) % 16, (x + b) % 16] for a, b in sides]
                field[y, x] = sum(near) / 4 + size * wobble[y, x]
        step, size = half, size / 1.7**2
    expected = (field - field.min()) / (field.max() - field.min())
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def test_fog_keeps_the_brightest_bright() -> None:
    cloud = plasma(chance(3, range(2), "tests"), 32, 2.0)[:, None, :29, :32]
    found = weather.fog(SMALL, DRAWN, 0.7, 2.0)
    most = SMALL.amax((1, 2, 3), keepdim=True)
    assert torch.allclose(found, (SMALL + 0.7 * cloud) * most / (most + 0.7), atol=1e-12)
    assert float(found.max()) <= float(most.max())


def test_brightness_is_added_to_the_value_of_hsv() -> None:
    found = weather.brightness(SMALL, DRAWN, 0.3)
    hsv = skimage.color.rgb2hsv(SMALL.numpy(), channel_axis=1)
    hsv[:, 2] = (hsv[:, 2] + 0.3).clip(0, 1)
    expected = skimage.color.hsv2rgb(hsv, channel_axis=1)
    np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=1e-12)
    black = torch.zeros(1, 3, 2, 2)
    assert torch.allclose(weather.brightness(black, DRAWN, 0.3), torch.tensor(0.3))


def test_contrast_goes_to_each_channels_mean() -> None:
    found = weather.contrast(SMALL, DRAWN, 0.3)
    for picture, dimmed in zip(SMALL, found, strict=True):
        for channel, expected in zip(picture, dimmed, strict=True):
            mean = channel.mean()
            assert torch.allclose(expected, mean + 0.3 * (channel - mean), rtol=0, atol=1e-12)


def test_frost_adds_a_pane_like_the_published_photographs() -> None:
    many, flat = chance(1, range(24), "frost"), torch.full((24, 3, 96, 96), 0.5)
    ice = weather.pane(many, flat)
    assert torch.allclose(weather.frost(flat, many, 0.7, 0.6), 0.35 + 0.6 * ice, atol=1e-6)
    # five photographs, cut to 224: mean 0.63, deviations 0.06 to 0.14; blue is lighter than red
    assert float(ice.mean()) == pytest.approx(0.63, abs=0.05)
    deviations = ice.mean(1).std((1, 2))
    assert 0.05 < float(deviations.min()) < float(deviations.max()) < 0.2
    assert bool((ice.mean((2, 3))[:, 2] >= ice.mean((2, 3))[:, 0] - 1e-3).all())
    assert weather.pane(many, flat[:, :1]).shape == (24, 1, 96, 96)


def test_snow_only_makes_lighter() -> None:
    snowed = weather.snow(PHOTOS, DRAWN, 0.55, 0.3, 2.5, 0.85, 12, 12, 0.55).clamp(0, 1)
    assert bool((snowed >= PHOTOS - 1e-6).all())
    assert float((snowed - PHOTOS).mean()) > 0.1


def test_jpeg_is_pillows() -> None:
    for channels, quality in product((1, 3), (7, 25, 80)):
        found = digital.jpeg(PHOTOS[:, :channels], DRAWN, quality)
        for picture, result in zip(PHOTOS[:, :channels], found, strict=True):
            given = array(picture)
            file = io.BytesIO()
            Image.fromarray(given[..., 0] if channels == 1 else given).save(
                file, "JPEG", quality=quality
            )
            expected = np.asarray(Image.open(file)).reshape(given.shape)
            assert np.array_equal(array(result), expected)


@pytest.mark.parametrize("share", [0.95, 0.65, 0.5, 0.25])
def test_pixelate_is_pillows_box(share: float) -> None:
    wide = PHOTOS[:, :, 40:68, 30:62]  # of odd sides a pixel may lie in two boxes alike
    found = digital.pixelate(wide, DRAWN, share)
    less = Image.fromarray(array(wide[0])).resize(
        (int(32 * share), int(28 * share)), Image.Resampling.BOX
    )
    expected = np.asarray(less.resize((32, 28), Image.Resampling.BOX))
    # Pillow rounds between its two passes
    assert np.abs(array(found[0]).astype(int) - expected.astype(int)).max() <= 1


def test_rotation_is_skimages() -> None:
    square = PHOTOS[:, :, :61, :61].double()
    turn = chance(0, range(2), "rotate")
    found = geometric.rotate(square, turn, 24)
    for n, sign in enumerate(torch.where(turn.draw("turn") < 0.5, -1, 1).tolist()):
        expected = skimage.transform.rotate(square[n, 0].numpy(), 24 * sign, order=1)
        inside = (slice(15, 46), slice(15, 46))  # borders are each library's own affair
        np.testing.assert_allclose(found[n, 0][inside].numpy(), expected[inside], rtol=0, atol=1e-9)


def test_changes_of_place_have_the_size_that_they_say() -> None:
    dot = torch.zeros(2, 1, 101, 101, dtype=torch.float64)
    dot[:, :, 48:53, 48:53] = 1
    y, x = torch.arange(101).double() - 50, torch.arange(101).double() - 50

    def middle(pixels: Tensor) -> Tensor:
        weight = pixels.sum((1, 2, 3))
        return (
            torch.stack(((pixels * x).sum((1, 2, 3)), (pixels * y[:, None]).sum((1, 2, 3))))
            / weight
        )

    far = middle(geometric.translate(dot, DRAWN, 0.2)).norm(dim=0)
    assert torch.allclose(far, torch.tensor(20.2, dtype=torch.float64), atol=1e-6)
    assert float(middle(geometric.shear(dot, DRAWN, 20)).norm()) < 1e-6


def test_elastic_point_by_point() -> None:
    bent = chance(2, range(2), "elastic")
    found = geometric.elastic(SMALL, bent, 40.0, 2.0, 3.0)
    height, width = 29, 32
    y, x = np.mgrid[:height, :width]
    for n in range(2):
        alone = chance(2, [n], "elastic")
        noise = 2 * alone.field("bend", lambda g: torch.rand(2, height, width, generator=g))[0] - 1
        shift = [
            40
            * scipy.ndimage.gaussian_filter(each.double().numpy(), 2.0, mode="reflect", truncate=3)
            for each in noise
        ]
        corners = np.array([[9, 9, 1], [9, -9, 1], [-9, -9, 1]])
        moved = corners.astype(float)
        for k in range(6):
            moved[k // 2, k % 2] += 3 * (2 * float(alone.draw(f"slant {k}")) - 1)
        back = np.linalg.solve(moved, corners)[:, :2]  # (x, y, 1) · back: where it is seen
        points = np.stack(
            (x - (width - 1) / 2 + shift[0], y - (height - 1) / 2 + shift[1], np.ones(x.shape)), -1
        )
        seen = points @ back
        there = np.stack((seen[..., 1] + (height - 1) / 2, seen[..., 0] + (width - 1) / 2))
        expected = scipy.ndimage.map_coordinates(
            SMALL[n, 1].numpy(), there, order=1, mode="reflect"
        )
        np.testing.assert_allclose(found[n, 1].numpy(), expected, rtol=0, atol=1e-6)
    still = geometric.elastic(SMALL, bent, 0, 0, 0)
    np.testing.assert_allclose(still.numpy(), SMALL.numpy(), rtol=0, atol=1e-9)
