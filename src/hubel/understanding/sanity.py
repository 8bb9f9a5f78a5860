"""Whether an explanation has to do with what was learned: randomise the weights and explain again.

A map that stays has nothing to do with them (Adebayo et al. 2018, "Sanity checks for saliency
maps"): pretty, and no explanation.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hubel import draws
from hubel.basics.dispatch import Drawing
from hubel.basics.tracing import Tracer, watching
from hubel.mistakes import Failure, Mistake
from hubel.model import Model, evaluating
from hubel.twins import copied

Explain = Callable[[nn.Module, Tensor], Tensor]  # network, pixels (N, C, H, W) → maps (N, H, W)
STAYS = 0.5  # a mean rank correlation from which on a map is said to have stayed
WINDOW = 7  # pixels a side of the structural similarity's window, or less on smaller maps


@dataclass(frozen=True)
class Sanity:
    """A map against itself, as the layers are randomised one after another from the output down.

    layers: the last one randomised at each of P points; "" is the network's own parameters.
    rank: (P, N), Spearman's correlation of the maps' sizes, in [−1, 1]. similarity: (P, N),
    structural similarity of the same, each scaled to [0, 1]. Both are 1 for a map that stayed.
    last: (R, N), the rank correlation with all random, of R draws; the first is the curve's.
    """

    layers: tuple[str, ...]
    rank: Tensor
    similarity: Tensor
    last: Tensor

    @property
    def changes(self) -> bool:
        """Whether the rank correlation is below 0.5 in the mean of the pictures and the draws.

        The paper draws no line; 0.5 is ours. One draw is not enough for a coarse map: of the
        Grad-CAMs of 100 random EfficientNet-Lite0s a quarter correlated by more with the trained
        one's, by chance (mean 0.2, standard deviation 0.35). Similarity is high of any dark maps.
        """
        return float(self.last.mean()) < STAYS


def sanity_check(
    network: nn.Module,
    pixels: Tensor,
    explain: Explain,
    *,
    seed: int = 0,
    points: int | None = None,
    repeats: int = 10,
) -> Sanity:
    """Cascading randomisation (Adebayo et al. 2018, section 4.1).

    pixels (N, C, H, W), N ≥ 1. explain has to explain the same class each time, so fix it: the
    random network's first choice is another. On a copy, the parameters that the picture meets are
    drawn anew, module after module from the output to the input: by the module's own
    `reset_parameters`, which gives a batch norm its first statistics, or where it has none by
    permuting the values. points: at how many of the layers to compare, evenly spread and the last
    included; None: at all. repeats: how many networks to make all random, for the verdict. Flat
    maps have no ranks: their correlation is 1 with a flat map, 0 with others. Raises Mistake for
    maps that are not (N, H, W) of 3×3 or more.
    """
    if not len(pixels):
        raise Mistake("There is no picture to explain.")
    if repeats < 1 or (points is not None and points < 1):
        raise Mistake(f"points and repeats are 1 or more, not {points} and {repeats}.")
    with torch.inference_mode(False):
        pixels = pixels.detach().clone()
        try:
            own = copied(network)
        except (RuntimeError, TypeError) as wrong:
            raise Failure(f"The network cannot be copied: {wrong}") from None
        inner = own.network if isinstance(own, Model) else own
        names = _from_the_output(own, pixels[:1])
        if not names:
            raise Mistake("This network has no parameters to randomise.")
        first = _maps(explain, own, pixels)
        stops = np.linspace(len(names), 0, points or len(names), endpoint=False).round()
        layers, rows = [], []
        for number, name in enumerate(names * repeats, 1):
            _randomise(inner.get_submodule(name), draws.integer(seed, "cascade", number))
            if number in stops or number % len(names) == 0:
                pairs = list(zip(first, _maps(explain, own, pixels), strict=True))
                rows.append([[f(*two) for two in pairs] for f in (_rank_correlation, _similarity)])
                layers.append(name)
    rank, similarity = torch.tensor(rows).unbind(1)
    p = len(rows) - repeats + 1  # points of the curve; what follows are more random networks
    return Sanity(tuple(layers[:p]), rank[:p], similarity[:p], last=rank[p - 1 :])


def _from_the_output(network: nn.Module, one: Tensor) -> list[str]:
    """The modules whose own parameters, or statistics, the picture meets; the last met first."""
    with evaluating(network) as network:
        inner = network.network if isinstance(network, Model) else network
        tracer = Tracer(inner, one)
        with watching(inner, tracer):
            network(one)
    met: dict[str, int] = {}
    for number, operation in enumerate(tracer.operations):
        met |= dict.fromkeys((name.rpartition(".")[0] for name in operation.parameters), number)
    for call in tracer.calls:  # a batch norm without parameters has learned its statistics
        if call.path and _resets(call.module) and list(call.module.buffers(recurse=False)):
            met.setdefault(call.path, call.before)
    return sorted(met, key=lambda name: met[name], reverse=True)


def _resets(module: nn.Module) -> bool:
    return callable(getattr(module, "reset_parameters", None))


@torch.no_grad()
def _randomise(module: nn.Module, seed: int) -> None:
    """Drawn on the CPU: the same on every device."""
    own = [*module.parameters(recurse=False), *module.buffers(recurse=False)]
    device = own[0].device
    with Drawing(seed):
        module.cpu()
        if _resets(module):
            module.reset_parameters()  # type: ignore[operator]  # it is one, says _resets
        else:
            for parameter in module.parameters(recurse=False):
                flat = parameter.flatten()
                parameter.copy_(flat[torch.randperm(len(flat))].view_as(parameter))
        module.to(device)


def _maps(explain: Explain, network: nn.Module, pixels: Tensor) -> NDArray[np.float64]:
    """The sizes of the explanation's values, (N, H, W)."""
    found = explain(network, pixels)
    shape = tuple(found.shape)
    if len(shape) != 3 or len(found) != len(pixels) or min(shape[1:]) < 3:
        raise Mistake(f"An explanation gives a map a picture, (N, H, W), 3×3 or more, not {shape}.")
    if not found.isfinite().all():
        raise Failure("A map that the explanation gives is not finite.")
    return np.asarray(found.detach().double().abs().cpu())


def _rank_correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Spearman's, with the mean rank for equal values."""
    from scipy.stats import rankdata  # heavy: only where it is needed

    x, y = (ranks - ranks.mean() for ranks in (rankdata(a), rankdata(b)))
    if not x.any() or not y.any():
        return float(x.any() == y.any())
    return float((x * y).sum() / np.sqrt((x * x).sum() * (y * y).sum()))


def _similarity(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Wang et al. 2004, over windows of equal weights; of maps scaled to [0, 1]."""
    from skimage.metrics import structural_similarity  # heavy: only where it is needed

    side = min(WINDOW, *a.shape)
    a, b = ((each - each.min()) / (np.ptp(each) or 1) for each in (a, b))
    window: int = side - (side + 1) % 2
    return float(structural_similarity(a, b, win_size=window, data_range=1.0))  # type: ignore[no-untyped-call]  # skimage's
