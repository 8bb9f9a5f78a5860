"""Going on with weights learned elsewhere: what is trained, from when on, and how fast.

After Yosinski et al. 2014 (early layers are general, late ones special), Howard & Ruder 2018
(section 3.2: slower rates for earlier layers; 3.3: unfreezing from the end), and Kumar et al. 2022
(the head first, so that the features are not torn apart by a random one).
"""

import copy
import math
from collections.abc import Mapping

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from hubel.basics.dispatch import Drawing
from hubel.mistakes import Mistake
from hubel.transfer.features import head


def with_head(network: nn.Module, old: int, new: int, *, seed: int) -> tuple[nn.Module, str]:
    """A copy whose last layer has `new` outputs in place of `old`, and that layer's name.

    The new layer is drawn from the seed (PyTorch's uniform draw).
    """
    name = head(network, old)
    made = copy.deepcopy(network)
    before = made.get_submodule(name)
    assert isinstance(before, nn.Linear)  # noqa: S101 - `head` gives nothing else
    with Drawing(seed):
        made.set_submodule(name, nn.Linear(before.in_features, new, before.bias is not None))
    return made, name


def depths(network: nn.Module) -> dict[str, float]:
    """How deep each parameter lies, by name: 0 for the first layer with any, 1 for the last.

    Layers are counted in the order in which the network lists them, which is that of its making; a
    single one is the last.
    """
    layers = [name for name, part in network.named_modules() if _own(part)]
    gaps = max(1, len(layers) - 1)
    return {
        f"{layer}.{name}" if layer else name: 1 - after / gaps
        for after, layer in enumerate(reversed(layers))
        for name in _own(network.get_submodule(layer))
    }


def rates(network: nn.Module, first: float) -> dict[str, float]:
    """The rate of each parameter as a share of the last layer's: `first` at the first layer.

    Between them it grows geometrically.
    """
    if not 0 < first <= 1:
        raise Mistake(f"The first layer's rate is a share of the last one's, not {first}.")
    return {name: first ** (1 - depth) for name, depth in depths(network).items()}


def thaw(network: nn.Module, share: float) -> None:
    """Let the last `share` of the layers learn, at least the last one, and freeze the others."""
    learning = _last(network, share)
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(name in learning)


def learned(network: nn.Module, epoch: int, *, epochs: int, share: float) -> int:
    """How many numbers were trained by the end of an epoch (from 1) of so many.

    In the first one the last layer alone is fitted; share: what learns in the end.
    """
    part = thawed(epoch - 1, first=1, last=epochs - 1, share=share) if epoch > 1 else 0.0
    names = _last(network, part)
    return sum(each.numel() for name, each in network.named_parameters() if name in names)


def thawed(epoch: int, *, first: int, last: int, share: float) -> float:
    """The share of layers that learn in an epoch: growing evenly to `share`, half way to the end.

    first, last: the epochs, from 0, in which more than the head is trained.

    >>> [thawed(epoch, first=1, last=8, share=1.0) for epoch in (1, 2, 3, 4, 8)]
    [0.25, 0.5, 0.75, 1.0, 1.0]
    """
    growing = max(1, (last - first + 1) // 2)
    return share * min(1.0, (epoch - first + 1) / growing)


def slack(n: int) -> float:
    """One standard error of an accuracy of 90 % on n pictures: so much lower is as good.

    The validation pictures of a small data set are few, and the best of several epochs on them is
    the luckiest; within chance of it the last is kept, which saw most of the schedule (the rule of
    one standard error: Breiman et al. 1984, section 3.4.3).

    >>> slack(100)
    0.03
    """
    return 0.3 / math.sqrt(max(n, 1))


def train_mode(model: nn.Module) -> None:
    """Training mode, but for batch norms: these keep the statistics that they came with.

    A few dozen pictures a step would give poor statistics, and running means that drift away from
    what the weights after them were learned with.
    """
    model.train()
    for part in model.modules():
        if isinstance(part, _BatchNorm):
            part.eval()


def _last(network: nn.Module, share: float) -> set[str]:
    """The parameters of the last `share` of the layers, of the last layer at least."""
    return {name for name, depth in depths(network).items() if depth >= min(1 - share, 1.0)}


def _own(part: nn.Module) -> Mapping[str, nn.Parameter]:
    return dict(part.named_parameters(recurse=False))
