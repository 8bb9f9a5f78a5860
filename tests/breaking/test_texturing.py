import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from hubel import draws
from hubel.breaking import texturing
from hubel.breaking.texturing import textured
from hubel.data.scenes import photographs
from hubel.mistakes import Mistake


def pixels(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(shape, generator=generator, dtype=torch.float64)


def disc(side: int, channels: int = 1) -> Tensor:
    """A white disc on black, (1, C, side, side)."""
    at = torch.arange(side) - (side - 1) / 2
    inside = (at[:, None] ** 2 + at**2).sqrt() < side * 0.3
    return inside.to(torch.float32).expand(1, channels, side, side).clone()


def slow(content: np.ndarray, texture: np.ndarray, *, seed: int, index: int, side: int,
         patches: int, shade: float) -> np.ndarray:  # fmt: skip
    """One picture (C, H, W), a place and a patch at a time."""
    channels, height, width = content.shape

    def light(image: np.ndarray) -> np.ndarray:
        if channels == 3:
            return 0.299 * image[0] + 0.587 * image[1] + 0.114 * image[2]
        return image.mean(0)

    def cells(patch: np.ndarray) -> list[float]:
        q = side // 4
        return [float(patch[r * q : (r + 1) * q, c * q : (c + 1) * q].mean())
                for r in range(4) for c in range(4)]  # fmt: skip

    def number(each: int, k: int, stream: str) -> float:
        return float(draws.uniform(seed, 0, [index * each + k], stream)[0])

    offered = []
    for k in range(patches):
        y = int(number(patches, k, "texture down") * (texture.shape[1] - side + 1))
        x = int(number(patches, k, "texture across") * (texture.shape[2] - side + 1))
        offered.append(texture[:, y : y + side, x : x + side])
    lights = [cells(light(patch)) for patch in offered]
    stock = sorted(value for row in lights for value in row)
    known = light(content).ravel()
    half = side // 2
    down, across = math.ceil(height / half) + 1, math.ceil(width / half) + 1
    total = np.zeros((channels, height, width))
    weights = np.zeros((height, width))
    deviation = float(np.std(stock, ddof=1))
    for row in range(down):
        for column in range(across):
            window = np.empty((side, side))
            for y in range(side):
                for x in range(side):
                    at = np.clip((row - 1) * half + y, 0, height - 1)
                    across_at = np.clip((column - 1) * half + x, 0, width - 1)
                    window[y, x] = light(content)[at, across_at]
            asked = []
            for cell, value in enumerate(cells(window)):
                rank = int((known < value).sum() + (known <= value).sum())
                wanted = stock[rank * (len(stock) - 1) // (2 * len(known))]
                unrest = number(down * across * 16, (row * across + column) * 16 + cell,
                                "texture unrest")  # fmt: skip
                asked.append(wanted + texturing.UNREST * (2 * unrest - 1) * deviation)
            group = row % 2 * 2 + column % 2
            mine = [k for k in range(patches) if k % 4 == group]
            best = min(mine, key=lambda k: sum((a - b) ** 2 for a, b in
                                               zip(asked, lights[k], strict=True)))  # fmt: skip
            for y in range(side):
                for x in range(side):
                    at, across_at = (row - 1) * half + y, (column - 1) * half + x
                    if 0 <= at < height and 0 <= across_at < width:
                        w = (math.sin(math.pi * (y + 0.5) / side)
                             * math.sin(math.pi * (x + 0.5) / side)) ** texturing.STEEP  # fmt: skip
                        total[:, at, across_at] += w * offered[best][:, y, x]
                        weights[at, across_at] += w
    quilt = total / weights
    grey, ordered = light(content), np.sort(known)
    dark = ordered[round((len(known) - 1) * 0.02)]
    bright = ordered[round((len(known) - 1) * 0.98)]
    stretched = np.clip((grey - dark) / max(bright - dark, texturing.FAINT), 0, 1)
    change = (0.1 + 0.8 * blurred(stretched)) - blurred(light(quilt))
    return np.clip(quilt + shade * change, 0, 1)


def blurred(image: np.ndarray) -> np.ndarray:
    deviation = min(image.shape) / 80 + 0.3
    reach = max(1, round(3 * deviation))
    found = np.zeros_like(image)
    for y in range(image.shape[0]):
        for x in range(image.shape[1]):
            total = weights = 0.0
            for dy in range(-reach, reach + 1):
                for dx in range(-reach, reach + 1):
                    w = math.exp(-(dy * dy + dx * dx) / (2 * deviation**2))
                    at = np.clip(y + dy, 0, image.shape[0] - 1)
                    across = np.clip(x + dx, 0, image.shape[1] - 1)
                    total, weights = total + w * image[at, across], weights + w
            found[y, x] = total / weights
    return found


@pytest.mark.parametrize(("shape", "texture", "side"), [
    ((1, 13, 10), (1, 14, 9), 8),
    ((3, 9, 12), (3, 20, 17), 4),
])  # fmt: skip
def test_as_one_place_at_a_time(
    shape: tuple[int, ...], texture: tuple[int, ...], side: int
) -> None:
    content, surface = pixels(2, *shape), pixels(2, *texture, seed=1)
    found = textured(content, surface, seed=5, indices=[7, 3], patch=side, patches=12, shade=0.6)
    for i, index in enumerate((7, 3)):
        expected = slow(content[i].numpy(), surface[i].numpy(), seed=5, index=index, side=side,
                        patches=12, shade=0.6)  # fmt: skip
        np.testing.assert_allclose(found[i].numpy(), expected, rtol=0, atol=1e-12)


def test_a_picture_is_the_same_in_any_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    content, surface = pixels(7, 3, 28, 28).float(), pixels(7, 3, 40, 40, seed=1).float()
    together = textured(content, surface, seed=2)
    for i in range(7):
        part = slice(i, i + 1)
        alone = textured(content[part], surface[part], seed=2, indices=[i])
        torch.testing.assert_close(alone, together[part], rtol=0, atol=1e-6)
    monkeypatch.setattr(texturing, "AT_ONCE", 1)
    torch.testing.assert_close(textured(content, surface, seed=2), together, rtol=0, atol=1e-6)
    assert torch.equal(textured(content, surface, seed=2), textured(content, surface, seed=2))


def test_the_seed_and_the_index_decide() -> None:
    content, surface = pixels(1, 1, 28, 28), pixels(1, 1, 28, 28, seed=1)
    first = textured(content, surface, seed=0, indices=[4])
    assert torch.equal(first, textured(content, surface, seed=0, indices=np.array([4])))
    assert not torch.equal(first, textured(content, surface, seed=1, indices=[4]))
    assert not torch.equal(first, textured(content, surface, seed=0, indices=[5]))


@settings(max_examples=25)
@given(
    st.integers(0, 3), st.sampled_from([1, 2, 3]), st.integers(1, 20), st.integers(1, 20),
    st.integers(8, 20), st.integers(8, 20), st.floats(0, 1),
)  # fmt: skip
def test_bounds_shape_and_type(
    n: int, channels: int, height: int, width: int, high: int, wide: int, shade: float
) -> None:
    content = (pixels(n, channels, height, width) > 0.5).float()
    surface = (pixels(n, channels, high, wide, seed=1) > 0.5).float()
    found = textured(content, surface, patches=8, shade=shade)
    assert found.shape == content.shape
    assert found.dtype == torch.float32
    assert bool(found.isfinite().all())
    assert bool(((found >= 0) & (found <= 1)).all())


def test_leaves_all_as_found() -> None:
    content, surface = disc(28).requires_grad_(), pixels(1, 1, 28, 28).float()
    before = surface.clone()
    state = torch.random.get_rng_state()
    found = textured(content, surface)
    assert not found.requires_grad
    assert torch.equal(surface, before)
    assert torch.equal(content, disc(28))
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize("side", [32, 96])
@pytest.mark.parametrize("name", ["brick", "grass", "gravel"])
def test_the_shape_stays_and_the_surface_is_the_textures(side: int, name: str) -> None:
    place = {"brick": 6, "grass": 7, "gravel": 8}[name]
    texture = torch.from_numpy(photographs()[place].copy())[:side, :side, :1].permute(2, 0, 1)
    texture = texture[None].float() / 255
    content = disc(side)
    found = textured(content, texture)
    inside = content > 0.5
    # the shape: what is white in the picture is lighter here
    assert float(found[inside].mean() - found[~inside].mean()) > 0.3
    # the surface: as rough as the texture, where the picture is flat
    middle = slice(round(side * 0.35), round(side * 0.65))
    flat = found[:, :, middle, middle]
    rough = (flat - flat.mean()).std() / (texture - texture.mean()).std()
    assert float(content[:, :, middle, middle].std()) == 0
    assert 0.4 < float(rough) < 1.3


def test_every_pixel_of_an_unshaded_quilt_is_of_the_textures_colours() -> None:
    colour = torch.tensor([0.2, 0.6, 0.4]).view(1, 3, 1, 1)
    plain = colour.expand(1, 3, 30, 30)
    found = textured(disc(28, 3), plain, shade=0)
    torch.testing.assert_close(found, colour.expand_as(found), rtol=0, atol=1e-6)
    shaded = textured(disc(28, 3), plain)
    tint = shaded - texturing.luminance(shaded)  # hue stays, only light and dark come in
    inside = ((shaded > 0.001) & (shaded < 0.999)).all(1, keepdim=True).expand_as(shaded)
    expected = (colour - texturing.luminance(colour)).expand_as(shaded)
    torch.testing.assert_close(tint[inside], expected[inside], rtol=0, atol=1e-6)
    assert float(shaded.std((2, 3)).max()) > 0.1


def test_neighbours_are_never_the_same_patch() -> None:
    # a texture whose every pixel is another value: where a pixel comes from can be read off
    texture = torch.arange(900, dtype=torch.float64).view(1, 1, 30, 30) / 899
    found = textured(torch.zeros(1, 1, 40, 40, dtype=torch.float64), texture, patch=8, shade=0)
    tiles = found[0, 0].unfold(0, 8, 4).unfold(1, 8, 4)  # what is seen at each place
    for a, b in ((tiles[1:], tiles[:-1]), (tiles[:, 1:], tiles[:, :-1])):
        assert float((a - b).abs().amax((2, 3)).min()) > 0


@pytest.mark.parametrize(("content", "texture", "options", "said"), [
    (pixels(1, 8, 8), pixels(1, 1, 8, 8), {}, r"content is pixels as floats \(N, C, H, W\)"),
    (torch.zeros(1, 1, 8, 8, dtype=torch.uint8), pixels(1, 1, 8, 8), {}, "not torch.uint8"),
    (pixels(1, 1, 8, 8) * 255, pixels(1, 1, 8, 8), {}, r"\[0, 1\]; found"),
    (pixels(1, 1, 8, 8), pixels(1, 1, 8, 8) - 1, {}, "The texture is pixels in"),
    (pixels(1, 1, 8, 8) / 0, pixels(1, 1, 8, 8), {}, "found inf"),
    (pixels(2, 1, 8, 8), pixels(1, 1, 8, 8), {}, "one texture with as many channels"),
    (pixels(1, 3, 8, 8), pixels(1, 1, 8, 8), {}, "one texture with as many channels"),
    (pixels(1, 1, 8, 8), pixels(1, 1, 7, 9), {}, "8×8 pixels; found 7×9"),
    (pixels(1, 1, 8, 8), pixels(1, 1, 8, 8), {"patch": 6}, "multiple of 4 pixels, not 6"),
    (pixels(1, 1, 8, 8), pixels(1, 1, 8, 8), {"patch": 0}, "multiple of 4 pixels, not 0"),
    (pixels(1, 1, 8, 8), pixels(1, 1, 8, 8), {"patches": 3}, "At least 4 patches"),
    (pixels(1, 1, 8, 8), pixels(1, 1, 8, 8), {"shade": 1.5}, "from 0 to 1, not 1.5"),
    (pixels(1, 1, 8, 8), pixels(1, 1, 8, 8), {"indices": [1, 2]}, "One index for each of 1"),
])  # fmt: skip
def test_refuses(content: Tensor, texture: Tensor, options: dict, said: str) -> None:
    with pytest.raises(Mistake, match=said):
        textured(content, texture, **options)
