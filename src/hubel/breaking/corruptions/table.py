"""Common corruptions, five severities each: the table of them, and how one is done to pictures.

After Hendrycks & Dietterich 2019, "Benchmarking neural network robustness to common corruptions and
perturbations". Strengths are those that its authors published with their code, for pictures of 224
pixels (ImageNet-C) and of 32 (CIFAR-10-C); between them each number goes geometrically with the
side, below and above it stays. Rows that say "ours" are not theirs, or have other strengths. Of
glass, frost and elastic a higher published severity does not always move a picture further.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from hubel.breaking.corruptions import blur, digital, geometric, noise, weather
from hubel.breaking.corruptions.chance import chance
from hubel.mistakes import Mistake, unknown

SEVERITIES = (1, 2, 3, 4, 5)
SMALL, LARGE = 32, 224  # sides that there are published strengths for
Strengths = tuple[tuple[float, ...], ...]  # a tuple of numbers for each severity


@dataclass(frozen=True)
class Corruption:
    """One row: its family, what there is to see, what is done, and how strongly.

    change(pixels, chance, *strength) → pixels, which may be out of [0, 1]. small, large: the
    strengths at 32 and at 224 pixels. departs: what is not as published; "" where all is.
    """

    family: str
    what: str
    change: Callable[..., Tensor]
    small: Strengths
    large: Strengths
    departs: str = ""


def _each(*values: float) -> Strengths:
    return tuple((value,) for value in values)


def _ours(family: str, what: str, change: Callable[..., Tensor], *values: float) -> Corruption:
    """A row whose strengths are shares, angles or bits, and so alike for every side."""
    return Corruption(family, what, change, _each(*values), _each(*values), "ours")


CORRUPTIONS: dict[str, Corruption] = {
    "gaussian-noise": Corruption(
        "noise", "normal noise on every value", noise.gaussian,
        _each(0.04, 0.06, 0.08, 0.09, 0.10), _each(0.08, 0.12, 0.18, 0.26, 0.38),
    ),
    "shot-noise": Corruption(
        "noise", "few photons", noise.shot,
        _each(500, 250, 100, 75, 50), _each(60, 25, 12, 5, 3),
    ),
    "impulse-noise": Corruption(
        "noise", "salt and pepper", noise.impulse,
        _each(0.01, 0.02, 0.03, 0.05, 0.07), _each(0.03, 0.06, 0.09, 0.17, 0.27),
    ),
    "defocus-blur": Corruption(
        "blur", "out of focus", blur.defocus,
        ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1)),
        ((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5)),
    ),
    "glass-blur": Corruption(
        "blur", "through frosted glass", blur.glass,
        ((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)),
        ((0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2)),
    ),
    "motion-blur": Corruption(
        "blur", "in motion", blur.motion,
        ((6, 1), (6, 1.5), (6, 2), (8, 2.25), (9, 2.5)),
        ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15)),
        "at 32, severity 4 is longer than severity 3 (2.25, published 2)",
    ),
    "zoom-blur": Corruption(
        "blur", "while zooming", blur.zoom,
        ((1.06, 0.01), (1.11, 0.01), (1.15, 0.01), (1.20, 0.01), (1.25, 0.01)),
        ((1.11, 0.01), (1.15, 0.01), (1.20, 0.02), (1.24, 0.02), (1.30, 0.03)),
    ),
    "fog": Corruption(
        "weather", "fog", weather.fog,
        ((0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75)),
        ((1.5, 2), (2, 2), (2.5, 1.7), (2.5, 1.5), (3, 1.4)),
    ),
    "frost": Corruption(
        "weather", "a pane covered with ice", weather.frost,
        ((1, 0.2), (1, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45)),
        ((1, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75)),
        "the ice is drawn, not photographed",
    ),
    "snow": Corruption(
        "weather", "falling flakes", weather.snow,
        (
            (0.1, 0.2, 1, 0.6, 8, 3, 0.95),
            (0.1, 0.2, 1, 0.5, 10, 4, 0.9),
            (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
            (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
            (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
        ),
        (
            (0.1, 0.3, 3, 0.5, 10, 4, 0.8),
            (0.2, 0.3, 2, 0.5, 12, 4, 0.7),
            (0.55, 0.3, 4, 0.9, 12, 8, 0.7),
            (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
            (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
        ),
    ),
    "brightness": Corruption(
        "weather", "too much light", weather.brightness,
        _each(0.05, 0.1, 0.15, 0.2, 0.3), _each(0.1, 0.2, 0.3, 0.4, 0.5),
    ),
    "contrast": Corruption(
        "weather", "little contrast", weather.contrast,
        _each(0.75, 0.5, 0.4, 0.3, 0.15), _each(0.4, 0.3, 0.2, 0.1, 0.05),
    ),
    "jpeg": Corruption(
        "digital", "compressed as JPEG", digital.jpeg,
        _each(80, 65, 58, 50, 40), _each(25, 18, 15, 10, 7),
    ),
    "pixelate": Corruption(
        "digital", "fewer pixels", digital.pixelate,
        _each(0.95, 0.85, 0.75, 0.65, 0.55), _each(0.6, 0.5, 0.4, 0.3, 0.25),
        "at 32, further apart (published 0.95, 0.9, 0.85, 0.75, 0.65)",
    ),
    "posterise": _ours("digital", "fewer levels", digital.posterise, 5, 4, 3, 2, 1),
    "rotate": _ours("geometric", "turned, degrees", geometric.rotate, 8, 16, 24, 32, 40),
    "shear": _ours("geometric", "slanted, degrees", geometric.shear, 6, 12, 18, 24, 30),
    "translate": _ours(
        "geometric", "moved, of its side", geometric.translate, 0.04, 0.08, 0.12, 0.16, 0.2
    ),
    "elastic": Corruption(
        "geometric", "bent like rubber", geometric.elastic,
        (
            (0, 0, 2.56), (1.6, 6.4, 2.24), (2.56, 1.92, 1.92), (3.2, 1.28, 1.6), (3.2, 0.96, 0.96)
        ),
        (
            (488, 170.8, 24.4), (488, 19.52, 48.8), (12.2, 2.44, 4.88), (17.08, 2.44, 4.88),
            (29.28, 2.44, 4.88),
        ),
    ),
}  # fmt: skip


def strength(name: str, severity: int, side: int) -> tuple[float, ...]:
    """The numbers that a row has at a severity for pictures of that (shorter) side.

    >>> strength("gaussian-noise", 5, 224), strength("gaussian-noise", 5, 28)
    ((0.38,), (0.1,))
    """
    row = CORRUPTIONS[name]
    small, large = row.small[severity - 1], row.large[severity - 1]
    share = math.log(side / SMALL) / math.log(LARGE / SMALL)
    if share <= 0 or share >= 1:
        return small if share <= 0 else large
    return tuple(a ** (1 - share) * b**share for a, b in zip(small, large, strict=True))


@torch.no_grad()
def corrupt(
    pixels: Tensor,
    name: str,
    severity: int,
    *,
    seed: int = 0,
    indices: Sequence[int] | None = None,
) -> Tensor:
    """Pictures (N, C, H, W) in [0, 1], C 1 or 3, under a row of CORRUPTIONS → the same, in [0, 1].

    severity: 1 to 5. What is drawn for a picture depends on the seed, its number and the
    corruption, not on the severity nor on the pictures beside it; indices: the numbers, 0 to N − 1
    if not given.
    Raises Mistake for another name or severity, and for what are no pictures in [0, 1].
    """
    numbers = range(len(pixels)) if indices is None else indices
    _check(pixels, name, severity, numbers)
    if not len(pixels):
        return pixels.clone()
    drawn = chance(seed, numbers, name)
    numbers_of = strength(name, severity, min(pixels.shape[2:]))
    return CORRUPTIONS[name].change(pixels, drawn, *numbers_of).clamp(0, 1)


def _check(pixels: Tensor, name: str, severity: int, numbers: Sequence[int]) -> None:
    if name not in CORRUPTIONS:
        raise unknown("corruption", name, CORRUPTIONS)
    if severity not in SEVERITIES:
        raise Mistake(f"A severity is 1, 2, 3, 4 or 5, not {severity}.")
    if pixels.ndim != 4 or not pixels.is_floating_point() or pixels.shape[1] not in (1, 3):
        raise Mistake(
            f"Pictures are float (N, C, H, W) with 1 channel or 3, not {tuple(pixels.shape)} of "
            f"{pixels.dtype}."
        )
    if len(numbers) != len(pixels):
        raise Mistake(f"{len(pixels)} pictures have {len(numbers)} numbers: give one for each.")
    if len(pixels):
        low, high = (float(bound) for bound in pixels.aminmax())
        if not (low >= 0 and high <= 1):
            raise Mistake(f"Pixels are from 0 to 1; found {low:g} to {high:g}.")
