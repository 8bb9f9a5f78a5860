"""A network in evaluation mode, and functions called around its modules, unseen by other threads.

Modes and hooks are kept in a network's modules, which all threads share. A mode that is changed for
a while, and changed back, is changed for everybody: in training mode a batch norm answers by the
batch and learns from it. So what has to be changed is changed in a twin, which shares the weights.
"""

import copy
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar

from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

Network = TypeVar("Network", bound=nn.Module)
Before = Callable[[tuple[Any, ...], dict[str, Any]], None]  # arguments of a module's call
After = Callable[[Any], Any]  # its output → what is handed on (None: the same)

# torch numbers hooks by a counter that two threads can read at once: one hook would be lost
_REGISTERING = threading.Lock()


def evaluated(network: Network) -> Network:
    """The network where all of it is in evaluation mode; otherwise a twin that is."""
    if not any(part.training for part in network.modules()):
        return network
    return twin(network).eval()


def twin(network: Network) -> Network:
    """A copy whose modules are its own, and whose tensors and hooks are the network's.

    It answers as the network does, also after the network has learned on; gradients by weights are
    the network's. What a forward keeps in its module is kept in the twin. Where an attribute cannot
    be copied (a lock, say), both have the same one.

    >>> net = nn.Sequential(nn.Linear(2, 2), nn.Dropout())
    >>> other = twin(net).eval()
    >>> net[1].training, other[0].weight is net[0].weight
    (True, True)
    """
    try:
        return copy.deepcopy(network, _hooks(network) | _tensors(network))
    except Exception:  # whatever a stranger's attributes do when they are copied
        return _by_hand(network, {})


def copied(network: Network) -> Network:
    """A deep copy, but for the functions that are hooks; other threads may put on some meanwhile.

    Raises RuntimeError or TypeError where an attribute cannot be copied.
    """
    return copy.deepcopy(network, _hooks(network))


def hooked(module: nn.Module) -> bool:
    """Whether functions are called around its own calls."""
    names = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return any(getattr(module, name) for name in names)


def _hooks(network: nn.Module) -> dict[int, Any]:
    """For a deep copy, by identity: the tables of hooks as they stand, with the same functions."""
    return {
        id(value): value.copy()
        for module in network.modules()
        for name, value in list(vars(module).items())
        if "_hooks" in name and isinstance(value, dict)
    }


def _tensors(network: nn.Module) -> dict[int, Any]:
    """All tensors that are attributes of its modules, by identity."""
    return {
        id(leaf): leaf
        for module in network.modules()
        for name, value in list(vars(module).items())
        if name != "_modules"
        for leaf in tree_leaves(value)
        if isinstance(leaf, Tensor)
    }


def _by_hand(module: Network, made: dict[int, nn.Module]) -> Network:
    """Module by module; all other attributes are the same objects."""
    if id(module) not in made:
        own = made[id(module)] = module.__class__.__new__(module.__class__)
        for name, value in list(vars(module).items()):
            value = value.copy() if isinstance(value, dict) else value
            object.__setattr__(own, name, value)
        for name, child in module._modules.items():
            own._modules[name] = child and _by_hand(child, made)
    return made[id(module)]  # type: ignore[return-value]  # of the same class


@contextmanager
def around(
    before: Iterable[tuple[nn.Module, Before]], after: Iterable[tuple[nn.Module, After]]
) -> Iterator[None]:
    """Inside the block, and in this thread alone, call functions around those modules' calls."""
    here = threading.get_ident()

    def early(function: Before) -> Callable[..., None]:
        # torch puts a hook up before it notes that options are to be given: another thread's call
        # may come in between
        def hook(
            _module: nn.Module, given: tuple[Any, ...], options: dict[str, Any] | None = None
        ) -> None:
            if threading.get_ident() == here:
                function(given, options or {})

        return hook

    def late(function: After) -> Callable[..., Any]:
        def hook(_module: nn.Module, _given: object, output: Any) -> Any:
            return function(output) if threading.get_ident() == here else None

        return hook

    with ExitStack() as handles:
        for module, begins in before:
            with _REGISTERING:
                handle = module.register_forward_pre_hook(early(begins), with_kwargs=True)
            handles.callback(handle.remove)
        for module, ends in after:
            with _REGISTERING:
                handle = module.register_forward_hook(late(ends))
            handles.callback(handle.remove)
        yield
