"""What style transfer starts from."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from hubel.mistakes import Mistake, unknown

# Of what is started from, about mid-grey. Where a picture is black or white, the sigmoid that it is
# optimised behind hardly moves: of an astronaut with a black helmet, the loss after 100 steps was
# 1.6 times as high at full contrast; of pictures with little black it was the same.
CONTRAST = 0.8
NOISE = 0.1  # the width of the noise that is started from: of a wider one something stays


def begin(start: str | Tensor, content: Tensor, style: Tensor, seed: int) -> Tensor:
    """The first picture, as the content: a row of STARTS, or a picture, as it is.

    Raises Mistake for another name or shape.
    """
    if isinstance(start, Tensor):
        if start.shape != content.shape:
            raise Mistake(
                f"The start has the content's shape {tuple(content.shape)}, "
                f"not {tuple(start.shape)}."
            )
        return start
    if start not in STARTS:
        raise unknown("start", start, STARTS)
    return STARTS[start](content, style, seed)


def _noise(content: Tensor, _style: Tensor, seed: int) -> Tensor:
    drawn = torch.rand(content.shape, generator=torch.Generator().manual_seed(seed))
    return (0.5 + NOISE * (drawn - 0.5)).to(content)


def _stretched(content: Tensor, style: Tensor, _seed: int) -> Tensor:
    size = (content.shape[1], content.shape[2])
    resized = F.interpolate(style[None], size=size, mode="bilinear", antialias=True)[0]
    return _softened(resized.clamp(0, 1))


def _softened(image: Tensor) -> Tensor:
    return 0.5 + CONTRAST * (image - 0.5)


STARTS: dict[str, Callable[[Tensor, Tensor, int], Tensor]] = {
    "content": lambda content, _style, _seed: _softened(content),
    "style": _stretched,
    "noise": _noise,
}
