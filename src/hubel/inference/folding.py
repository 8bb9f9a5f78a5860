"""Batch normalisation folded into the convolutions before it (Jacob et al. 2018, section 3.2).

In evaluation a batch norm is an affine map of each channel with known numbers, and a convolution
followed by one is another convolution: a pass over every feature map less.
"""

import copy
from collections import Counter
from collections.abc import Iterator
from typing import TypeVar

from torch import fx, nn
from torch.nn.utils import fuse_conv_bn_eval

Network = TypeVar("Network", bound=nn.Module)
FOLDS = {
    nn.Conv1d: nn.BatchNorm1d,
    nn.Conv2d: nn.BatchNorm2d,
    nn.Conv3d: nn.BatchNorm3d,
}


def folded(network: Network) -> Network:
    """A copy in evaluation mode without the batch norms that follow a convolution directly.

    The copy keeps the structure and its names; a folded norm is an Identity there. Its output is
    the network's up to float rounding. What the tracer cannot follow (a forward that decides by
    the values it sees) is copied as it is. The copy is for answering only, never for training.
    """
    ready = copy.deepcopy(network).eval()
    for before, norm in list(_pairs(ready)):
        pair = ready.get_submodule(before), ready.get_submodule(norm)
        ready.set_submodule(before, fuse_conv_bn_eval(*pair))  # type: ignore[type-var, arg-type]
        ready.set_submodule(norm, nn.Identity())
    return ready


class _Tracer(fx.Tracer):
    """Looks only into modules that hold others: what happens inside a layer is its own affair."""

    def is_leaf_module(self, m: nn.Module, _name: str) -> bool:
        return next(m.children(), None) is None


def _pairs(network: nn.Module) -> Iterator[tuple[str, str]]:
    """(convolution, norm) by name, where the norm is all that the convolution's output is for."""
    try:
        graph = _Tracer().trace(network)
    except Exception:  # whatever a stranger's forward does with what is no tensor
        return
    # a module with two names keeps one of them when it is replaced under the other
    places = Counter(id(part) for _, part in network.named_modules(remove_duplicate=False))
    twice = [part for part in network.modules() if places[id(part)] > 1]
    shared = {id(part) for top in twice for part in top.modules()}
    calls = Counter(str(node.target) for node in graph.nodes if node.op == "call_module")
    read = [str(node.target) for node in graph.nodes if node.op == "get_attr"]
    for node in graph.nodes:
        if node.op != "call_module" or len(node.args) != 1 or node.kwargs:
            continue
        before = node.args[0]
        if not isinstance(before, fx.Node) or before.op != "call_module" or len(before.users) > 1:
            continue
        names = str(before.target), str(node.target)
        first, second = (network.get_submodule(name) for name in names)
        alone = all(calls[name] == 1 for name in names)
        untouched = not any(name.startswith((f"{names[0]}.", f"{names[1]}.")) for name in read)
        once = id(first) not in shared and id(second) not in shared
        if alone and once and untouched and _fits(first, second):
            yield names


def _fits(first: nn.Module, second: nn.Module) -> bool:
    """Whether these are a plain convolution and a norm that has measured its statistics.

    Exact types only: a subclass, a parametrised or a hooked module may do something else.
    """
    if type(second) is not FOLDS.get(type(first)):  # type: ignore[arg-type]
        return False
    hooked = any(
        getattr(module, name)
        for module in (first, second)
        for name in ("_forward_hooks", "_forward_pre_hooks")
    )
    measured = getattr(second, "running_mean", None) is not None
    return measured and not hooked
