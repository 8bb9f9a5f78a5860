"""The layout of pixels that a network's convolutions are fastest with."""

import torch
from torch import Tensor, nn

USUAL, CHANNELS_LAST = torch.contiguous_format, torch.channels_last


def best_layout(network: nn.Module, pixels: Tensor) -> torch.memory_format:
    """Of pixels (N, C, H, W): channels last on the CPU where the network takes them, or the usual.

    A convolution keeps the layout of what it is given, so that the network need not be changed. One
    that takes its maps apart by `view` cannot have them so; it is asked, with a picture twice.
    """
    if pixels.device.type != "cpu" or not len(pixels):
        return USUAL
    with torch.no_grad():
        try:
            network(laid_out(pixels[:1].expand(2, *pixels.shape[1:]), CHANNELS_LAST))
        except RuntimeError:
            return USUAL
    return CHANNELS_LAST


def laid_out(pixels: Tensor, layout: torch.memory_format) -> Tensor:
    """A copy in this layout: also of one channel, for which `contiguous` would change nothing."""
    return torch.empty_like(pixels, memory_format=layout).copy_(pixels)
