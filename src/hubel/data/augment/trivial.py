"""TrivialAugment (Müller & Hutter 2021): one change a picture, of any kind and any strength.

Nothing has to be chosen: the kind is drawn evenly from a table, the strength evenly up to the most
of the paper's "wide" space (table 1 there).
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from hubel.data.augment import colour, geometry, tone
from hubel.data.augment.drawing import Draw, happens

# pixels (n, C, H, W), strength (n,) in [0, 1), sign (n,) of ±1 → pixels
Kind = Callable[[Tensor, Tensor, Tensor], Tensor]
MOST = 0.99  # a factor comes no nearer to 0 or 2
FURTHEST = 32  # pixels of a shift; on small pictures a third of the side


def trivial(pixels: Tensor, draw: Draw, *, probability: float = 1.0) -> Tensor:
    """Pixels (N, C, H, W) in [0, 1] → the same, each picture changed by one row of KINDS.

    With a probability below 1 the others stay as they are.
    """
    kind = (draw("kind") * len(KINDS)).long()
    kind[~happens(draw, "trivial", probability)] = 0  # "as it is"
    strength, sign = draw("strength"), torch.where(draw("sign") < 0.5, -1.0, 1.0)
    result = pixels.clone()
    for number, change in enumerate(KINDS.values()):
        rows = (kind == number).nonzero().flatten()
        if len(rows):
            here = rows.to(pixels.device)
            result[here] = change(pixels[here], strength[rows], sign[rows].double())
    return result


def _moved(transform: Callable[[Tensor, Tensor], Tensor]) -> Kind:
    """A kind from (signed strength, side of the picture) → transform."""

    def change(pixels: Tensor, strength: Tensor, sign: Tensor) -> Tensor:
        side = torch.full_like(strength, float(min(pixels.shape[2:])))
        return geometry.sample(pixels, transform(strength * sign, side))

    return change


def _recoloured(matrix: Callable[[Tensor, Tensor], Tensor]) -> Kind:
    """A kind from (factor, each picture's mean colour) → matrix."""

    def change(pixels: Tensor, strength: Tensor, sign: Tensor) -> Tensor:
        mean = pixels.mean((2, 3)).cpu().double()
        return colour.recolour(pixels, matrix(1 + MOST * strength * sign, mean))

    return change


def _none(amount: Tensor) -> Tensor:
    return torch.zeros_like(amount)


def _far(amount: Tensor, side: Tensor) -> Tensor:
    return amount * (side / 3).clamp_max(FURTHEST)


def _saturation(amount: Tensor, mean: Tensor) -> Tensor:
    channels = mean.shape[1]
    if channels == 3:
        return colour.saturation(amount, channels)
    return colour.identity(len(amount), channels)


KINDS: dict[str, Kind] = {
    "as it is": lambda pixels, *_: pixels,
    "autocontrast": lambda pixels, *_: tone.stretched(pixels),
    "equalise": lambda pixels, *_: tone.equalised(pixels),
    "rotate": _moved(lambda amount, _: geometry.rotation(math.radians(135) * amount)),
    "solarise": lambda pixels, strength, _: tone.solarised(pixels, 1 - strength),
    "posterise": lambda pixels, strength, _: tone.posterised(pixels, 8 - (6 * strength).round()),
    "saturation": _recoloured(_saturation),
    "contrast": _recoloured(colour.contrast),
    "brightness": _recoloured(lambda amount, mean: colour.brightness(amount, mean.shape[1])),
    "sharpness": lambda pixels, strength, sign: tone.sharpened(pixels, 1 + MOST * strength * sign),
    "shear across": _moved(lambda amount, _: geometry.shearing(MOST * amount, _none(amount))),
    "shear down": _moved(lambda amount, _: geometry.shearing(_none(amount), MOST * amount)),
    "shift across": _moved(
        lambda amount, side: geometry.translation(_far(amount, side), _none(amount))
    ),
    "shift down": _moved(
        lambda amount, side: geometry.translation(_none(amount), _far(amount, side))
    ),
}
