"""What a classifier's network may answer with, asked wherever an answer is first seen.

Anything else is refused by name: of one number there is no second class to be fooled into, and of
NaN the first class would always be named.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from hubel.mistakes import Failure, Mistake

# the softmax of (0, x) is (1 − sigmoid(x), sigmoid(x))
ONE = "let it return torch.cat((torch.zeros_like(x), x), 1) of that logit x (N, 1), and no sigmoid"
WRAP = "wrap it in a module that returns its logits alone"
NAN = "The network's answers are not finite: its weights are damaged, or its precision too low."


def checked(output: Any, n: int, *, classes: int | None = None) -> Tensor:
    """The output of a network for n images as what it is to be: float logits (n, K), K ≥ 2.

    classes: how many they must be. Half precision is widened to float32, so that whatever is
    reckoned from logits is exact enough. Raises Mistake for anything else; whether the numbers are
    finite is asked by `finite`, because a network may be looked at without any.

    >>> checked(torch.ones(5, 3, dtype=torch.half), 5).dtype
    torch.float32
    """
    if isinstance(output, Tensor) and output.is_floating_point() and output.ndim == 2:
        rows, found = output.shape
        if rows == n and found > 1 and classes in (None, found):
            return output.to(torch.promote_types(output.dtype, torch.float32))
    wanted = "two classes or more" if classes is None else f"its {classes} classes"
    raise Mistake(
        f"A classifier's network answers with logits (N, K), one for each of {wanted}; this one "
        f"answers with {_told(output, n)}."
    )


def finite(logits: Tensor) -> Tensor:
    """The logits. Raises Failure where they are not finite: they would name the first class."""
    if not bool(logits.detach().isfinite().all()):
        raise Failure(NAN)
    return logits


def answered(network: nn.Module, pixels: Tensor) -> Tensor:
    """Any network's finite logits (N, K) for pixels (N, C, H, W), in the pixels' precision."""
    return finite(checked(network(pixels), len(pixels))).to(pixels.dtype)


def _told(output: Any, n: int) -> str:
    """What it is, and what to do about it."""
    if isinstance(output, Mapping):
        keys = ", ".join(repr(key) for key in list(output)[:4])
        return f"a {type(output).__name__} of {keys}: {WRAP}"
    if isinstance(output, list | tuple):
        return f"a {type(output).__name__} of {len(output)}: {WRAP}"
    if not isinstance(output, Tensor):
        return f"a {type(output).__name__}: {WRAP}"
    shape = tuple(output.shape)
    if shape in {(n,), (n, 1)} and output.is_floating_point():
        return f"one number for each image: {ONE}"
    return f"{str(output.dtype).removeprefix('torch.')} {shape} for a batch of {n}"
