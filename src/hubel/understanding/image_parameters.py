"""What gradient ascent moves when it looks for an image: its pixels, or its Fourier spectrum.

A parameterisation is a row: how parameters become an image and back, and by which rule they are
moved. The optimum is the same in every one of them; where an ascent of some hundred steps ends is
not, which is why spectra scaled like those of photographs give smoother images (Olah, Mordvintsev &
Schubert 2017, "Feature Visualization", section "Preconditioning and Parameterization").
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from hubel.mistakes import Mistake

# (gradient of the score by the parameters (n, …), what the rule remembers, step from 1) → direction
# (n, …), each image's on its own; of unit size, so that lr means the same for every network
Rule = Callable[[Tensor, dict[str, Tensor], int], Tensor]

# How the colours of ImageNet's pixels vary together, as the authors of Olah et al. 2017 publish it
# with their code (lucid, optvis/param/color.py): a square root of the covariance, columns by size.
COLOURS = ((0.26, 0.09, 0.02), (0.27, 0.00, -0.05), (0.27, -0.09, 0.03))
EDGE = 1e-3  # a sigmoid's image is kept so far from black and white where it is turned back
FIRST, SECOND, TINY = 0.9, 0.999, 1e-8  # Adam's own (Kingma & Ba 2015, algorithm 1)


class Parameterisation(NamedTuple):
    """How an image (n, C, H, W) in [0, 1] is written as parameters (n, …), and how these move.

    decode and encode are each other's inverse on images (up to EDGE where they say so); decode is
    differentiable. keep: puts parameters that have been moved back where they mean an image. rule:
    the direction of a step. lr: the size of a step that usually does.
    """

    decode: Callable[[Tensor], Tensor]
    encode: Callable[[Tensor], Tensor]
    keep: Callable[[Tensor], Tensor]
    rule: Rule
    lr: float


# (shape (C, H, W), the image that counts as zero (C, 1, 1)) → a parameterisation
Make = Callable[[tuple[int, int, int], Tensor], Parameterisation]


def gradient(slope: Tensor, _memory: dict[str, Tensor], _number: int) -> Tensor:
    """Steepest ascent: the gradient itself, with a root mean square of 1 for each image.

    An image without a gradient stays where it is.
    """
    size = slope.flatten(1).square().mean(1).sqrt()
    return slope / size.clamp_min(torch.finfo(slope.dtype).tiny).view(-1, *[1] * (slope.ndim - 1))


def adam(slope: Tensor, memory: dict[str, Tensor], number: int) -> Tensor:
    """Adam's direction (Kingma & Ba 2015, algorithm 1): every parameter at a pace of its own.

    Departure: the constant that keeps it from dividing by zero is relative to the image's gradient,
    so that a network with small scores is climbed like one with large ones.
    """
    size = gradient(slope, {}, number)
    if not memory:
        memory["mean"] = memory["square"] = torch.zeros_like(slope)
    memory["mean"] = mean = FIRST * memory["mean"] + (1 - FIRST) * size
    memory["square"] = square = SECOND * memory["square"] + (1 - SECOND) * size.square()
    root = (square / (1 - SECOND**number)).sqrt()
    return mean / (1 - FIRST**number) / (root + TINY)


def pixels(_shape: tuple[int, int, int], _zero: Tensor) -> Parameterisation:
    """The image itself, moved along its gradient and cut off at 0 and 1 after every step."""
    return Parameterisation(
        decode=lambda image: image,
        encode=lambda image: image,
        keep=lambda image: image.clamp(0, 1),
        rule=gradient,
        lr=0.05,
    )


def fourier(shape: tuple[int, int, int], zero: Tensor) -> Parameterisation:
    """The image's spectrum over 1/f, its colours decorrelated, through a sigmoid; moved by Adam.

    Olah et al. 2017. Parameters (n, C, H, W // 2 + 1, 2): real and imaginary parts, of the zero
    image all 0. Photographs hold energy as 1/f² over frequencies f; scaled so, equal steps in all
    parameters are steps of a photograph's kind. Three channels are mixed by COLOURS, others are
    left as they are. The sigmoid keeps the image in (0, 1), and is centred on the zero image; a
    pixel that has gone far towards black or white has hardly a gradient to come back by.
    """
    channels, height, width = shape
    scale = spectrum(height, width).to(zero)[:, :, None]
    mix = torch.tensor(COLOURS).to(zero)
    mix = mix / mix.norm(dim=0).max() if channels == 3 else torch.eye(channels).to(zero)
    apart = torch.linalg.inv(mix)
    base = torch.logit(zero, eps=EDGE)

    def decode(parameters: Tensor) -> Tensor:
        waves = torch.view_as_complex((parameters * scale).contiguous())
        image = torch.fft.irfft2(waves, s=(height, width), norm="ortho")
        return torch.sigmoid(torch.einsum("ij,njhw->nihw", mix, image) + base)

    def encode(image: Tensor) -> Tensor:
        flat = torch.einsum("ij,njhw->nihw", apart, torch.logit(image, eps=EDGE) - base)
        return torch.view_as_real(torch.fft.rfft2(flat, norm="ortho")) / scale

    return Parameterisation(decode, encode, keep=lambda p: p, rule=adam, lr=0.05)


def spectrum(height: int, width: int) -> Tensor:
    """1/f over a real image's frequencies, (height, width // 2 + 1), with a mean square of 1.

    f in cycles a pixel; the mean over the image, frequency 0, has the scale of the lowest other.
    """
    down, across = torch.fft.fftfreq(height)[:, None], torch.fft.rfftfreq(width)[None]
    scale = 1 / (down.square() + across.square()).sqrt().clamp_min(1 / max(height, width))
    found: Tensor = scale / scale.square().mean().sqrt()
    return found


PARAMETERISATIONS: dict[str, Make] = {"pixels": pixels, "fourier": fourier}


def level(value: float | Tensor | None, channels: int, usual: tuple[float, ...] | None) -> Tensor:
    """The image that counts as zero, (C, 1, 1): one value or C; by default usual, else mid-grey."""
    if value is None:
        value = 0.5 if usual is None else torch.tensor(usual)
    found = torch.as_tensor(value, dtype=torch.float64).flatten()
    if len(found) not in (1, channels) or not bool(((found >= 0) & (found <= 1)).all()):
        raise Mistake(
            f"The image that counts as zero is one level in [0, 1], or {channels}; "
            f"found {found.tolist()}."
        )
    return found.expand(channels).reshape(channels, 1, 1)
