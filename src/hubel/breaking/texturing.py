"""Pictures with the surface of other pictures: shapes kept, textures taken, without a network.

A picture is quilted from patches of the texture: at each place that patch is taken whose light and
dark parts lie as the picture's do there. After "texture transfer" (Efros & Freeman 2001, "Image
Quilting for Texture Synthesis and Transfer", section 3), whose correspondence map is the luminance.

Departures: all places choose at once, where the paper goes along the rows and cuts the overlaps
along their best seams; here overlaps are blended by weights that are steep around a patch's middle.
Each place chooses among a hundred patches or so that are drawn from the texture, and neighbours
among different ones, so that none is seen twice side by side. Luminances are compared by rank, so
that a texture in greys can show a picture in black and white; and at the end the picture's own
large shades are laid over the quilt, because few textures are as dark and as light as a picture.

How it was chosen: by eye, on photographs that are cut out, on clothing at 28×28 and 32×32, and with
brick, grass, gravel and fur. Matching the bands of a pyramid in their values (Heeger & Bergen 1995)
left flat surfaces flat and lost the texture; a texture laid over the picture kept the shape of what
it was cut from; several sizes of patches, coarse to fine, took three times as long and made the
texture finer than it is.
"""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from hubel import draws
from hubel.breaking.cues import LUMINANCE
from hubel.mistakes import Mistake

CELLS = 4  # a patch's luminances are compared in 4×4 cells
GROUPS = 4  # of patches: places that touch choose from different ones
PATCHES = 128  # drawn from a texture
UNREST = 0.5  # what is asked for varies by so many of the texture's deviations
STEEP = 4  # power of the sine that weighs a patch's pixels
SHADE = 0.6  # share of the quilt's large shades that gives way to the picture's
RANGE = 0.8  # of the grey levels, that the picture's shades take up: the rest is for the texture
FAINT = 0.25  # a range of luminances below which a picture's shades are not stretched to the full
AT_ONCE = 4_000_000  # numbers of chosen patches in memory, about


@torch.no_grad()
def textured(
    content: Tensor,
    texture: Tensor,
    *,
    seed: int = 0,
    indices: Sequence[int] | NDArray[np.int64] | None = None,
    patch: int | None = None,
    patches: int = PATCHES,
    shade: float = SHADE,
) -> Tensor:
    """Picture i of content with the surface of picture i of texture.

    content float (N, C, H, W) and texture (N, C, h, w), both in [0, 1] → (N, C, H, W) in [0, 1].
    patch: its side in pixels, a multiple of 4; None: a seventh of the picture's shorter side, and 8
    at least. patches: how many are drawn from each texture. shade: 0 leaves the picture's shape to
    the patches alone, 1 gives the result all of its large shades. What is drawn for picture i
    depends on the seed and indices[i] alone (None: i), and never on the rest of the batch.
    Colours are the texture's; three channels are RGB. A texture that is one colour gives a picture
    in shades of that. Carries no gradient.
    Raises Mistake for shapes that do not fit, pixels outside [0, 1] and settings out of range.
    """
    _check(content, texture, patch, patches, shade)
    n, channels, height, width = content.shape
    side = patch or patch_side(height, width)
    if min(texture.shape[2:]) < side:
        raise Mistake(
            f"A texture is at least as large as a patch, {side}×{side} pixels; found "
            f"{texture.shape[2]}×{texture.shape[3]}. Take a larger texture or a smaller patch."
        )
    index = np.arange(n) if indices is None else np.asarray(indices, np.int64)
    if index.shape != (n,):
        raise Mistake(f"One index for each of {n} pictures, not {index.shape}.")
    results = [content[:0]]
    step = max(1, AT_ONCE // (4 * content[:1].numel() + patches * channels * side * side))
    for i in range(0, n, step):
        part = slice(i, i + step)
        quilt = _quilt(content[part], texture[part], seed, index[part], side, patches)
        results.append(_shaded(quilt, content[part], shade).clamp(0, 1))
    return torch.cat(results)


def patch_side(height: int, width: int) -> int:
    """The usual side of a patch for pictures of this size, in pixels: a multiple of 4."""
    return max(8, round(min(height, width) / 7 / CELLS) * CELLS)


def luminance(pixels: Tensor) -> Tensor:
    """(N, C, H, W) → (N, 1, H, W): of three channels as RGB, of others their mean."""
    if pixels.shape[1] != len(LUMINANCE):
        return pixels.mean(1, keepdim=True)
    weights = pixels.new_tensor(LUMINANCE).view(1, -1, 1, 1)
    return (pixels * weights).sum(1, keepdim=True)


def _quilt(
    content: Tensor, texture: Tensor, seed: int, index: NDArray[np.int64], side: int, patches: int
) -> Tensor:
    """Patches that overlap by half on each side; one for each place, blended."""
    n, _, height, width = content.shape
    half = side // 2
    down, across = -(-height // half) + 1, -(-width // half) + 1  # places
    size = (down + 1) * half, (across + 1) * half  # of the quilt, with its borders
    offered = _drawn_patches(texture, seed, index, side, patches)  # (n, K, C, side, side)
    lights = _cells(luminance(offered.flatten(0, 1))).view(n, patches, -1)
    around = (half, size[1] - half - width, half, size[0] - half - height)
    padded = F.pad(luminance(content), around, mode="replicate")
    seen = _cells(F.unfold(padded, side, stride=half).mT.reshape(-1, 1, side, side))
    seen = seen.view(n, down * across, -1)  # (n, L, 16)
    asked = _ranked(seen, luminance(content).flatten(1), lights)
    number = asked[0].numel()
    unrest = _numbers(seed, index, number, "texture unrest").to(asked).view_as(asked)
    asked = asked + UNREST * (2 * unrest - 1) * lights.flatten(1).std(1).view(n, 1, 1)
    far = lights.square().sum(2)[:, None] - 2 * asked @ lights.mT  # less |asked|², the same for all
    group = torch.arange(down)[:, None] % 2 * 2 + torch.arange(across) % 2
    other = group.flatten()[:, None] != torch.arange(patches) % GROUPS
    chosen = far.masked_fill(other.to(far.device), torch.inf).argmin(2)  # (n, L)
    taken = offered[torch.arange(n, device=chosen.device)[:, None], chosen]  # (n, L, C, side, side)
    line = torch.sin(torch.pi * (torch.arange(side, dtype=content.dtype) + 0.5) / side) ** STEEP
    weight = (line[:, None] * line).to(content.device)
    columns = (taken * weight).flatten(2).mT  # (n, C·side², L)
    total = weight.flatten()[None, :, None].expand(1, -1, down * across)
    quilt = F.fold(columns, size, side, stride=half) / F.fold(total, size, side, stride=half)
    return quilt[:, :, half : half + height, half : half + width]


def _drawn_patches(
    texture: Tensor, seed: int, index: NDArray[np.int64], side: int, patches: int
) -> Tensor:
    """(n, K, C, side, side): parts of each texture, from anywhere in it."""
    places = []
    for length, stream in zip(texture.shape[2:], ("down", "across"), strict=True):
        number = _numbers(seed, index, patches, f"texture {stream}")
        places.append((number * (length - side + 1)).long().to(texture.device))
    windows = texture.unfold(2, side, 1).unfold(3, side, 1)  # a view: every part
    which = torch.arange(len(texture), device=texture.device)[:, None]
    return windows[which, :, places[0], places[1]]


def _numbers(seed: int, index: NDArray[np.int64], each: int, stream: str) -> Tensor:
    """float64 (n, each) in [0, 1), for each picture its own."""
    counters = index[:, None] * each + np.arange(each)
    return torch.from_numpy(draws.uniform(seed, 0, counters.ravel(), stream)).view(-1, each)


def _cells(patches: Tensor) -> Tensor:
    """(M, 1, side, side) → (M, 16): the means of 4×4 cells."""
    return F.avg_pool2d(patches, patches.shape[2] // CELLS).flatten(1)


def _ranked(seen: Tensor, pixels: Tensor, lights: Tensor) -> Tensor:
    """What a place looks like, (n, L, 16), said in the texture's luminances.

    A value that is above a share of the picture's pixels (n, H·W) becomes the one that is above the
    same share of the patches' cells (n, K, 16).
    """
    known, values = pixels.sort(1).values, seen.flatten(1).contiguous()
    below = torch.searchsorted(known, values) + torch.searchsorted(known, values, right=True)
    stock = lights.flatten(1).sort(1).values
    place = below * (stock.shape[1] - 1) // (2 * known.shape[1])
    return stock.gather(1, place).view_as(seen)


def _shaded(quilt: Tensor, content: Tensor, shade: float) -> Tensor:
    """The quilt with a share of its large shades exchanged for the picture's.

    The picture's go from the darkest fiftieth of its pixels to the lightest, over RANGE.
    """
    light = luminance(content)
    ordered = light.flatten(1).sort(1).values
    last = ordered.shape[1] - 1
    dark, bright = ordered[:, round(last * 0.02)], ordered[:, round(last * 0.98)]
    spread = (bright - dark).clamp_min(FAINT).view(-1, 1, 1, 1)
    stretched = ((light - dark.view(-1, 1, 1, 1)) / spread).clamp(0, 1)
    deviation = min(content.shape[2:]) / 80 + 0.3  # pixels
    wanted = (1 - RANGE) / 2 + RANGE * _blurred(stretched, deviation)
    return quilt + shade * (wanted - _blurred(luminance(quilt), deviation))


def _blurred(pixels: Tensor, deviation: float) -> Tensor:
    """(N, 1, H, W) blurred by a Gaussian; beyond the border is what is on it."""
    reach = max(1, round(3 * deviation))
    at = torch.arange(-reach, reach + 1, dtype=pixels.dtype, device=pixels.device)
    line = torch.exp(-0.5 * (at / deviation) ** 2)
    line = line / line.sum()
    padded = F.pad(pixels, (reach, reach, reach, reach), mode="replicate")
    return F.conv2d(F.conv2d(padded, line.view(1, 1, 1, -1)), line.view(1, 1, -1, 1))


def _check(content: Tensor, texture: Tensor, patch: int | None, patches: int, shade: float) -> None:
    for name, pixels in (("content", content), ("texture", texture)):
        if pixels.dim() != 4 or not pixels.is_floating_point():
            raise Mistake(
                f"The {name} is pixels as floats (N, C, H, W), not {pixels.dtype} of shape "
                f"{tuple(pixels.shape)}."
            )
        if pixels.numel() and not (pixels.min() >= 0 and pixels.max() <= 1):
            raise Mistake(
                f"The {name} is pixels in [0, 1]; found {float(pixels.min()):.4g} to "
                f"{float(pixels.max()):.4g}."
            )
    if content.shape[:2] != texture.shape[:2]:
        raise Mistake(
            f"Each picture has one texture with as many channels: content {tuple(content.shape)}, "
            f"texture {tuple(texture.shape)}."
        )
    if patch is not None and (patch < CELLS or patch % CELLS):
        raise Mistake(f"A patch's side is a multiple of {CELLS} pixels, not {patch}.")
    if patches < GROUPS:
        raise Mistake(f"At least {GROUPS} patches are drawn from a texture, not {patches}.")
    if not 0 <= shade <= 1:
        raise Mistake(f"The share of the shades is from 0 to 1, not {shade}.")
