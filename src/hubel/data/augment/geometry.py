"""Changes of place: each gives a transform, transforms are multiplied, and sampled once.

A transform (N, 3, 3) takes a point of the new picture to the point of the old one that is seen
there, in pixels from the centre, x to the right and y downwards, as homogeneous coordinates. So
boxes and masks can follow it, and a picture that is turned, cropped and seen askew is interpolated
once and not three times.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from hubel.data.augment.drawing import Draw, around, between, normal

CONTROL = 4  # points along each side whose random shifts an elastic change interpolates


def identity(n: int) -> Tensor:
    return torch.eye(3, dtype=torch.float64).repeat(n, 1, 1)


def rotation(angle: Tensor) -> Tensor:
    """(N,) radians → what turns the picture counter-clockwise by them."""
    result = identity(len(angle))
    result[:, 0, 0], result[:, 0, 1] = angle.cos(), -angle.sin()
    result[:, 1, 0], result[:, 1, 1] = angle.sin(), angle.cos()
    return result


def scaling(wide: Tensor, high: Tensor) -> Tensor:
    """(N,) each → what shows `wide` times the width and `high` times the height."""
    result = identity(len(wide))
    result[:, 0, 0], result[:, 1, 1] = wide, high
    return result


def translation(across: Tensor, down: Tensor) -> Tensor:
    """(N,) pixels each → what moves the picture's content left and up by them."""
    result = identity(len(across))
    result[:, 0, 2], result[:, 1, 2] = across, down
    return result


def shearing(across: Tensor, down: Tensor) -> Tensor:
    """(N,) tangents → what slants the picture along each axis."""
    result = identity(len(across))
    result[:, 0, 1], result[:, 1, 0] = across, down
    return result


def turned(draw: Draw, degrees: float) -> Tensor:
    """By up to ±degrees."""
    return rotation(around(draw, "turn", math.radians(degrees)))


def scaled(draw: Draw, share: float) -> Tensor:
    """Each axis by 1 ± share of its own."""
    return scaling(1 + around(draw, "widen", share), 1 + around(draw, "heighten", share))


def shifted(draw: Draw, pixels: float) -> Tensor:
    """By up to ±pixels on each axis."""
    return translation(around(draw, "shift across", pixels), around(draw, "shift down", pixels))


def sheared(draw: Draw, degrees: float) -> Tensor:
    """Along each axis by up to ±degrees."""
    angle = math.radians(degrees)
    return shearing(
        around(draw, "shear across", angle).tan(), around(draw, "shear down", angle).tan()
    )


def cropped(draw: Draw, size: tuple[int, int], *, least: float, aspect: float = 4 / 3) -> Tensor:
    """A box of `least` to all of the area, its sides' ratio changed by up to `aspect`, enlarged.

    Szegedy et al. 2015, section 6 (8 % to 100 %, 3/4 to 4/3). A box that would not fit is cut to
    the picture's side, where widespread implementations draw up to ten times and then give up.
    """
    height, width = size
    area = between(draw, "cut area", least, 1.0)
    ratio = torch.exp(around(draw, "cut aspect", math.log(aspect)))
    wide, high = (area * ratio).sqrt().clamp_max(1), (area / ratio).sqrt().clamp_max(1)
    across = around(draw, "cut across", 0.5) * (1 - wide) * width
    down = around(draw, "cut down", 0.5) * (1 - high) * height
    return translation(across, down) @ scaling(wide, high)


def askew(draw: Draw, size: tuple[int, int], *, distortion: float) -> Tensor:
    """Each corner shows a point up to `distortion` half sides further inside: a perspective."""
    height, width = size
    corners = torch.tensor([[-1, -1], [1, -1], [1, 1], [-1, 1]], dtype=torch.float64)
    corners = corners * torch.tensor([width / 2, height / 2])
    inwards = torch.stack(
        [
            torch.stack(
                (
                    between(draw, f"corner {k} across", 0, distortion),
                    between(draw, f"corner {k} down", 0, distortion),
                ),
                1,
            )
            for k in range(4)
        ],
        1,
    )  # (N, 4, 2)
    return homography(corners, corners * (1 - inwards))


def homography(here: Tensor, there: Tensor) -> Tensor:
    """The transform that takes four points (4, 2) to four others (N, 4, 2)."""
    n = len(there)
    x, y = here[:, 0].expand(n, 4), here[:, 1].expand(n, 4)
    u, v = there[..., 0], there[..., 1]
    zero, one = torch.zeros_like(u), torch.ones_like(u)
    # u (g x + h y + 1) = a x + b y + c, and the same for v with d, e, f
    rows = [
        torch.stack((x, y, one, zero, zero, zero, -u * x, -u * y), 2),
        torch.stack((zero, zero, zero, x, y, one, -v * x, -v * y), 2),
    ]
    solved = torch.linalg.solve(torch.cat(rows, 1), torch.cat((u, v), 1))
    return torch.cat((solved, one[:, :1]), 1).view(n, 3, 3)


def sample(
    pixels: Tensor,
    transform: Tensor,
    displacement: Tensor | None = None,
    *,
    mirrored: bool = False,
) -> Tensor:
    """The pictures (N, C, H, W) as the transform (N, 3, 3) shows them.

    displacement (N, 2, H, W): x, then y, in pixels, added to where the transform looks. Bilinear;
    what comes in from outside is black, or, mirrored, the picture reflected at its borders.
    """
    n, _, height, width = pixels.shape
    if n == 0:
        return pixels
    x = (torch.arange(width, device=pixels.device) - (width - 1) / 2).to(pixels)
    y = (torch.arange(height, device=pixels.device) - (height - 1) / 2).to(pixels)
    # grid_sample counts in half sides from the centre
    halves = torch.tensor([width / 2, height / 2, 1], dtype=torch.float64)
    rows = (transform.cpu().double() / halves[:, None]).to(pixels).view(n, 3, 3, 1, 1)
    # each row of the transform is a part that goes along with x and one with y: their sum is taken
    # straight into its place, because to visit all points several times costs more than to sample
    along = [(row[:, 0] * x + row[:, 2], row[:, 1] * y[:, None]) for row in rows.unbind(1)]
    grid = torch.empty((n, height, width, 2), dtype=pixels.dtype, device=pixels.device)
    for k in range(2):
        torch.add(*along[k], out=grid[..., k])
    if (transform[:, 2] != torch.tensor([0.0, 0, 1]).to(transform)).any():  # a perspective
        grid /= (along[2][0] + along[2][1]).unsqueeze(-1)
    if displacement is not None:
        grid += (displacement.to(pixels) / halves[:2, None, None].to(pixels)).permute(0, 2, 3, 1)
    outside = "reflection" if mirrored else "zeros"
    return F.grid_sample(pixels, grid, mode="bilinear", padding_mode=outside, align_corners=False)


def bent(pixels: Tensor, draw: Draw, *, strength: float) -> Tensor:
    """The pictures with every pixel shifted a little otherwise, smoothly: an elastic distortion.

    A grid of CONTROL × CONTROL points moves by normal shifts of `strength` pixels' standard
    deviation, with bicubic interpolation between, as Ronneberger et al. 2015, section 3.1; Simard
    et al. 2003 smooth one shift for every pixel instead.
    """
    streams = [f"elastic {k}" for k in range(2 * CONTROL * CONTROL)]
    drawn = torch.stack([normal(draw, stream) for stream in streams], 1)
    control = (strength * drawn).view(-1, 2, CONTROL, CONTROL)
    size = (pixels.shape[2], pixels.shape[3])
    displacement = F.interpolate(control.float(), size=size, mode="bicubic", align_corners=True)
    return sample(pixels, identity(len(pixels)), displacement)
