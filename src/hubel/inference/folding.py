"""Batch normalisation folded into the convolutions before it (Jacob et al. 2018, section 3.2).

In evaluation a batch norm is an affine map of each channel with known numbers, and a convolution
followed by one is another convolution: a pass over every feature map less.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils import fuse_conv_bn_eval
from torch.utils._pytree import tree_leaves, tree_map

from hubel.basics.dispatch import Watching
from hubel.model import Model
from hubel.twins import around, copied, hooked

Network = TypeVar("Network", bound=nn.Module)
FOLDS = {
    nn.Conv1d: nn.BatchNorm1d,
    nn.Conv2d: nn.BatchNorm2d,
    nn.Conv3d: nn.BatchNorm3d,
}


def folded(network: Network, pixels: Tensor, *, recorded: Collection[str] = ()) -> Network:
    """A copy in evaluation mode without the batch norms that follow a convolution directly.

    The copy keeps the structure and its names; a folded norm is an Identity there. Its output is
    the network's up to float rounding, for pixels of that shape (N, C, H, W), type and device. So
    is what the layers hand on whose names are in `recorded` (of a Model its network's): a
    convolution whose own output that is keeps its norm. Where it cannot be seen what becomes of the
    pixels (a forward that decides by their values), nothing is folded. The copy is for answering
    only, never for training. Raises RuntimeError or TypeError where the network cannot be copied.
    """
    ready = copied(network).eval()
    inside = "network." if isinstance(network, Model) else ""
    kept = {inside + name.partition("#")[0] for name in recorded}
    for before, norm in list(_pairs(ready, pixels, kept)):
        pair = ready.get_submodule(before), ready.get_submodule(norm)
        ready.set_submodule(before, fuse_conv_bn_eval(*pair))  # type: ignore[type-var, arg-type]
        ready.set_submodule(norm, nn.Identity())
    return ready


def _pairs(network: nn.Module, pixels: Tensor, kept: Collection[str]) -> Iterator[tuple[str, str]]:
    """(convolution, norm) by name, where the norm is all that the convolution's output is for."""
    # a module with two names keeps one of them when it is replaced under the other
    places = Counter(id(part) for _, part in network.named_modules(remove_duplicate=False))
    twice = [part for part in network.modules() if places[id(part)] > 1]
    shared = {id(part) for top in twice for part in top.modules()}
    run = _Run(network, kept)
    try:
        run(pixels)
    except Exception:  # whatever a stranger's forward does with pixels that have no values
        return
    names = {id(part): name for name, part in network.named_modules()}
    for norm, first in run.given.items():
        alone = run.calls[norm] == run.calls[first] == 1 and run.users[first] == {norm}
        untouched = run.readers[first] <= {first} and run.readers[norm] <= {norm}
        once = id(first) not in shared and id(norm) not in shared
        if alone and untouched and once and _fits(first, norm):
            yield names[id(first)], names[id(norm)]


class _Run(Watching):
    """One run of a network on pixels without values, and who took what in it.

    given: by norm, the convolution whose output it was called with. calls: of each of these
    modules. users: by convolution, which of them used its output; None stands for anybody else, or
    for being handed on to where it can be seen. readers: by module, who used its parameters.
    """

    def __init__(self, network: nn.Module, kept: Collection[str]) -> None:
        super().__init__()
        self.network = network
        kinds = {*FOLDS, *FOLDS.values()}
        self.parts = [part for part in network.modules() if type(part) in kinds]
        self.seen = [m for name, m in network.named_modules() if name in kept or hooked(m)]
        self.given: dict[nn.Module, nn.Module] = {}
        self.calls = Counter[nn.Module]()
        self.users: dict[nn.Module, set[nn.Module | None]] = defaultdict(set)
        self.readers: dict[nn.Module, set[nn.Module | None]] = defaultdict(set)
        self.running: list[nn.Module] = []
        self.outputs: dict[int, tuple[nn.Module, Tensor]] = {}  # held, so that no number is reused
        self.owners = {
            id(tensor): part
            for part in self.parts
            for tensor in (*part.parameters(recurse=False), *part.buffers(recurse=False))
        }

    def __call__(self, pixels: Tensor) -> None:
        """Run it: two pictures on the device "meta", where nothing has values or takes time."""
        before = [(part, lambda given, options, part=part: self._enter(part, given, options))
                  for part in self.parts]  # fmt: skip
        after = [(part, lambda output, part=part: self._leave(part, output)) for part in self.parts]
        seen = [
            (part, lambda given, options: self._shown((given, options))) for part in self.seen
        ], [(part, self._shown) for part in self.seen]  # fmt: skip
        picture = torch.empty(2, *pixels.shape[1:], dtype=pixels.dtype, device="meta")
        with around([*before, *seen[0]], [*after, *seen[1]]), torch.no_grad(), self:
            self._shown(self.network(picture))

    def _enter(self, part: nn.Module, given: tuple[Any, ...], options: dict[str, Any]) -> None:
        self.running.append(part)
        self.calls[part] += 1
        first = self.outputs.get(id(given[0])) if len(given) == 1 and not options else None
        if first is not None:
            self.given[part] = first[0]

    def _leave(self, part: nn.Module, output: Any) -> None:
        self.running.pop()
        if type(part) in FOLDS:
            self.outputs[id(output)] = part, output

    def _shown(self, values: Any) -> None:
        """Somebody sees these values."""
        for leaf in tree_leaves(values):
            if id(leaf) in self.outputs:
                self.users[self.outputs[id(leaf)][0]].add(None)

    def __torch_dispatch__(
        self, func: Any, _types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:  # the signature is torch's
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        user = self.running[-1] if self.running else None
        for tensor in tensors:
            if id(tensor) in self.outputs:
                self.users[self.outputs[id(tensor)][0]].add(user)
            if id(tensor) in self.owners:
                self.readers[self.owners[id(tensor)]].add(user)
        if any(tensor.is_meta for tensor in tensors):  # weights have values: not among these
            args, kwargs = tree_map(_without_values, (args, kwargs or {}))
            kwargs = kwargs | ({"device": torch.device("meta")} if kwargs.get("device") else {})
        return func(*args, **(kwargs or {}))


def _without_values(value: Any) -> Any:
    return value.to("meta") if isinstance(value, Tensor) else value


def _fits(first: nn.Module, second: nn.Module) -> bool:
    """Whether these are a plain convolution and a norm that has measured its statistics.

    Exact types only: a subclass, a parametrised or a hooked module may do something else.
    """
    if type(second) is not FOLDS.get(type(first)):  # type: ignore[arg-type]
        return False
    own = any(hooked(module) or "forward" in vars(module) for module in (first, second))
    return getattr(second, "running_mean", None) is not None and not own
