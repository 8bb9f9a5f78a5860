"""The direct encoding: a genome is the image's numbers, and each mutates by itself.

Nguyen, Yosinski & Clune 2015, section 2.2: a grey picture is one whole number from 0 to 255 for
each pixel, a colour picture three (hue, saturation, value). Images start as uniform noise. A number
is mutated with a probability of 0.1, which is halved every 1,000 generations (of 400 images), by
the polynomial operator of strength 15.
"""

import torch
from torch import Tensor

from hubel.breaking import polynomial
from hubel.breaking.hsv import levels
from hubel.breaking.map_elites import Encoding, Genomes, Shape

RATE = 0.1
HALVED = 400_000  # evaluations


def start(n: int, shape: Shape, generator: torch.Generator) -> Genomes:
    """Uniform noise: "numbers" uint8 (n, C, H, W)."""
    drawn = torch.randint(
        256, (n, *shape), generator=generator, device=generator.device, dtype=torch.uint8
    )
    return {"numbers": drawn}


def mutate(genomes: Genomes, evaluations: int, generator: torch.Generator) -> Genomes:
    """Offspring, in which each number is changed with the probability of the time."""
    numbers = genomes["numbers"].clone()
    rate = RATE * 0.5 ** (evaluations // HALVED)
    flat = numbers.view(-1)
    places = polynomial.chosen(flat, rate, generator).nonzero()[:, 0]
    steps = polynomial.steps(len(places), generator)
    flat[places] = (flat[places] + 255 * steps).round_().clamp_(0, 255).to(torch.uint8)
    return {"numbers": numbers}


def render(genomes: Genomes, _shape: Shape, device: torch.device) -> Tensor:
    """uint8 (n, C, H, W): the numbers themselves; of three channels, the colours they mean."""
    numbers = genomes["numbers"].to(device)
    return levels(numbers.float().div_(255)) if numbers.shape[1] == 3 else numbers


DIRECT = Encoding(start, mutate, render, beside=True)
