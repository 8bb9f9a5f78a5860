"""One picture as five stimuli: original, greyscale, silhouette, edges, texture.

Geirhos et al. 2019 ("ImageNet-trained CNNs are biased towards texture", section 2.1, figure 2):
what is left of the answers when only the shape, or only the texture, is left of the picture.
"""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hubel.breaking.masks import Masks, corners
from hubel.mistakes import Mistake

STIMULI = ("original", "greyscale", "silhouette", "edges", "texture")
LUMINANCE = (0.299, 0.587, 0.114)  # ITU-R 601, as pictures are made grey elsewhere
SMOOTH = 112  # of the shorter side, one part: Canny's sigma in pixels, 1 at least
SMALL = 1 / 8  # of the shorter side: a patch below this is too small for a texture


class Textures(NamedTuple):
    """pixels (N, C, H, W) in [0, 1]; sides (N,): of the patch in each, in pixels; inside (N,):
    whether the patch lies in the object and is large enough to show what it is made of."""

    pixels: Tensor
    sides: NDArray[np.int64]
    inside: NDArray[np.bool_]


def greyscale(pixels: Tensor) -> Tensor:
    """Pixels (N, C, H, W) by luminance, alike in all channels; one channel is as it is."""
    _check(pixels)
    if pixels.shape[1] == 1:
        return pixels.clone()
    weights = pixels.new_tensor(LUMINANCE).view(1, 3, 1, 1)
    return (pixels * weights).sum(1, keepdim=True).clamp(0, 1).expand_as(pixels).contiguous()


def silhouettes(pixels: Tensor, masks: Masks, *, dark: bool = False) -> Tensor:
    """The objects of masks (N, H, W) in black on white, in the shape and type of pixels.

    dark: in white on black instead. Departure from the paper, whose pictures are all on white: for
    pictures on dark grounds (see `on_dark`) black on white would be a change of more than texture.
    """
    _check(pixels, masks)
    ground = torch.from_numpy(masks) if dark else ~torch.from_numpy(masks)
    return ground[:, None].expand(pixels.shape).to(pixels)


def on_dark(pixels: Tensor) -> bool:
    """Whether the corners of most pictures (N, C, H, W) are nearer to black than to white."""
    _check(pixels)
    if not len(pixels):
        return False
    where = torch.from_numpy(corners((pixels.shape[2], pixels.shape[3])))
    levels = pixels.mean(1)[:, where.to(pixels.device)].mean(1)
    return bool((levels < 0.5).double().mean() > 0.5)


def edges(pixels: Tensor, *, sigma: float | None = None, dark: bool = False) -> Tensor:
    """Canny's edges of the luminance, black lines on white, in the shape and type of pixels.

    Canny 1986 by scikit-image, its usual thresholds; sigma: of the Gaussian before it, in pixels;
    None: a 112th of the shorter side, and 1 at least. dark: white on black.
    """
    _check(pixels)
    width = max(1.0, min(pixels.shape[2:]) / SMOOTH) if sigma is None else sigma
    if not width > 0:
        raise Mistake(f"Canny's sigma is above 0 pixels, not {sigma}.")
    grey = greyscale(pixels)[:, 0].double().cpu().numpy()
    lines = np.stack([_canny(each, width) for each in grey]) if len(grey) else grey > 1
    return silhouettes(pixels, lines.astype(bool), dark=dark)


def _canny(grey: NDArray[np.float64], sigma: float) -> NDArray[np.bool_]:
    from skimage.feature import canny

    lines: NDArray[np.bool_] = canny(grey, sigma=sigma)  # type: ignore[no-untyped-call]
    return lines


def textures(pixels: Tensor, masks: Masks) -> Textures:
    """The largest square patch inside each mask, mirrored again and again over the whole picture.

    Real pixels of the object and nothing else: a texture made from a network's own Gram matrices
    would carry what that network sees, into a test of what networks see. Mirrored, so that there
    are no seams. In the paper textures are photographs of skin or fur, and many objects side by
    side. Where a mask has no patch of SMALL of the shorter side, it is cut from the middle of
    the picture, half as wide, and `inside` says so.
    """
    _check(pixels, masks)
    height, width = pixels.shape[2:]
    made, sides, inside = [], [], []
    for image, mask in zip(pixels, masks, strict=True):
        top, left, side = patch(mask)
        fits = side >= max(2, SMALL * min(height, width))
        if not fits:
            side = max(1, min(height, width) // 2)
            top, left = (height - side) // 2, (width - side) // 2
        made.append(_tiled(image[:, top : top + side, left : left + side], height, width))
        sides.append(side)
        inside.append(fits)
    tiled = torch.stack(made) if made else pixels.clone()
    return Textures(tiled, np.array(sides, np.int64), np.array(inside, bool))


def patch(mask: NDArray[np.bool_]) -> tuple[int, int, int]:
    """(top, left, side) of the largest square within a mask (H, W) that is centred on a pixel.

    Its side is odd: 2r − 1 for the largest chessboard distance r to what is no object. The rim, a
    pixel wide, is left out where there is room: it is half background. (0, 0, 0) of an empty mask.
    """
    from scipy import ndimage  # heavy: only where it is needed

    padded = np.pad(mask, 1)  # beyond the picture there is no object either
    far = ndimage.distance_transform_cdt(padded, metric="chessboard")[1:-1, 1:-1]
    radius = int(far.max())
    if radius == 0:
        return 0, 0, 0
    row, column = np.unravel_index(int(far.argmax()), far.shape)
    radius = max(1, radius - 1)
    return int(row) - radius + 1, int(column) - radius + 1, 2 * radius - 1


def _tiled(square: Tensor, height: int, width: int) -> Tensor:
    """(C, s, s) mirrored at its edges as often as it takes, its own middle in the middle."""
    side = square.shape[1]

    def index(length: int) -> Tensor:
        place = torch.arange(length) - (length - side) // 2
        folded = place % (2 * side)
        return torch.minimum(folded, 2 * side - 1 - folded).to(square.device)

    return square[:, index(height)][:, :, index(width)]


def stimuli(pixels: Tensor, masks: Masks, *, dark: bool = False) -> dict[str, Tensor]:
    """All five of pixels (N, C, H, W) in [0, 1] with the objects of masks (N, H, W), by name.

    dark: silhouettes and edges in white on black. Each is of the pixels' shape, type and range.
    """
    return {
        "original": pixels.clone(),
        "greyscale": greyscale(pixels),
        "silhouette": silhouettes(pixels, masks, dark=dark),
        "edges": edges(pixels, dark=dark),
        "texture": textures(pixels, masks).pixels,
    }


def _check(pixels: Tensor, masks: Masks | None = None) -> None:
    if pixels.ndim != 4 or pixels.shape[1] not in (1, 3) or 0 in pixels.shape[2:]:
        raise Mistake(
            f"Pictures are (N, C, H, W) with 1 channel or 3; found {tuple(pixels.shape)}."
        )
    if not bool(((pixels >= 0) & (pixels <= 1)).all()):
        raise Mistake(
            f"Pixels are in [0, 1]; found {float(pixels.min()):g} to {float(pixels.max()):g}."
        )
    expected = (len(pixels), *pixels.shape[2:])
    if masks is not None and (masks.shape != expected or masks.dtype != bool):
        raise Mistake(
            f"Masks are bool {expected}, as the pictures; found {masks.dtype} {masks.shape}."
        )
