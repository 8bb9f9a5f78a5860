"""The layout of weights in which convolutions are fastest, for networks that can work in it."""

import torch
from torch import Tensor, nn

USUAL, CHANNELS_LAST = torch.contiguous_format, torch.channels_last


def lay_out(network: nn.Module, pixels: Tensor) -> torch.memory_format:
    """Turn a network's weights channels last, and say so; one that cannot work so keeps the usual.

    A network that takes its maps apart by `view` cannot. It is asked, with the first of the pixels
    (N, C, H, W), N ≥ 1, twice: a batch of one can be viewed in either. Call it with a copy of one's
    own.
    """
    network.to(memory_format=CHANNELS_LAST)  # type: ignore[call-overload]  # torch's stub
    pair = pixels[:1].expand(2, *pixels.shape[1:])
    with torch.no_grad():
        try:
            network(torch.empty_like(pair, memory_format=CHANNELS_LAST).copy_(pair))
        except RuntimeError:
            network.to(memory_format=USUAL)  # type: ignore[call-overload]
            return USUAL
    return CHANNELS_LAST
