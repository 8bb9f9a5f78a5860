"""Polynomial mutation of bounded numbers (Deb & Goyal 1996; Deb 2001, section 4.3)."""

import torch
from torch import Tensor

STRENGTH = 15.0  # η of Nguyen et al. 2015: the larger, the smaller the steps


def steps(n: int, generator: torch.Generator, *, strength: float = STRENGTH) -> Tensor:
    """(n,) steps in (−1, 1), in parts of a number's range; half of them below 0.04 at η = 15.

    Of a uniform u: (2u)^(1/(η+1)) − 1 below a half, 1 − (2 − 2u)^(1/(η+1)) from there on.
    """
    drawn = 2 * torch.rand(n, generator=generator, device=generator.device)
    small = torch.minimum(drawn, 2 - drawn).pow_(1 / (strength + 1)).sub_(1)  # in [−1, 0]
    return torch.where(drawn < 1, small, -small)


def chosen(like: Tensor, rate: float, generator: torch.Generator) -> Tensor:
    """bool like a tensor: which numbers are mutated, each with the probability `rate`."""
    drawn = torch.rand(like.shape, generator=generator, device=generator.device)
    return drawn < rate
