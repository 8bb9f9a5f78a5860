"""Colours by hue, saturation and value (Smith 1978), in which evolved images are encoded."""

import torch
from torch import Tensor


def rgb(hue: Tensor, saturation: Tensor, value: Tensor) -> Tensor:
    """Three (N, …) in [0, 1] → (N, 3, …) in [0, 1]: red, green, blue. Hue 1 is hue 0 again.

    Each channel is v − v·s·clamp(min(k, 4 − k), 0, 1), k = (n + 6h) mod 6, with n 5, 3 and 1.
    """
    sextant, chroma = 6 * hue, value * saturation
    channels = []
    for n in (5, 3, 1):
        k = (sextant + n).remainder_(6)
        share = torch.minimum(k, 4 - k).clamp_(0, 1)
        channels.append(torch.addcmul(value, chroma, share, value=-1))
    return torch.stack(channels, 1)


def levels(planes: Tensor) -> Tensor:
    """Planes (N, C, …) in [0, 1] → uint8 (N, C, …): three planes are hue, saturation and value."""
    image = rgb(*planes.unbind(1)) if planes.shape[1] == 3 else planes
    return image.mul(255).round_().to(torch.uint8)
