"""Look into any network: record, replace and differentiate what its modules hand on.

An intermediate goes by its module's path, and by "path#2" where the module is called a second time,
as `hubel.summary` writes it; of a Model the paths are its network's. Everything happens inside a
`with` block that leaves nothing behind, also when something in it raises; other threads that run
the same network meanwhile notice nothing.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from hubel.mistakes import Mistake, unknown
from hubel.model import Model, evaluating
from hubel.twins import around

Tap = Callable[[Tensor], Tensor | None]  # a module's output → what is handed on (None: the same)
Score = Callable[[Tensor], Tensor]  # a network's output (N, …) → a number for each picture (N,)


@contextmanager
def tapping(
    network: nn.Module,
    taps: Mapping[str, Tap],
    *,
    before: Mapping[str, Callable[[Tensor], None]] | None = None,
) -> Iterator[None]:
    """Call each tap with its intermediate, whenever the network is run inside the block.

    What a tap returns takes the output's place; None leaves it. before: by name, what is called
    with the first tensor that the module is given, before it runs. Raises Mistake for a name that
    the network does not have, for an output that is no tensor, and at the end of the block for an
    intermediate that no run in it has met.
    """
    inner = network.network if isinstance(network, Model) else network
    known = {each for each, _ in inner.named_modules(remove_duplicate=False) if each}
    early = before or {}
    paths = {name: _path(known, name) for name in (*taps, *early)}
    times, met = Counter[str](), set[str]()
    runs = 0

    def begin(_inputs: object, _options: object) -> None:
        nonlocal runs
        times.clear()
        runs += 1

    def given_to(path: str, inputs: tuple[object, ...], _options: object) -> None:
        name = _numbered(path, times[path] + 1)
        first = next((each for each in inputs if isinstance(each, Tensor)), None)
        if first is not None and name in early:
            early[name](first)

    def met_at(path: str, output: object) -> Tensor | None:
        times[path] += 1
        name = _numbered(path, times[path])
        if name not in taps:
            return None
        if not isinstance(output, Tensor):
            raise Mistake(f"{name} hands on a {type(output).__name__}, not one tensor.")
        met.add(name)
        return taps[name](output)

    ahead = [
        (inner.get_submodule(path), partial(given_to, path))
        for path in dict.fromkeys(paths[name] for name in early)
    ]
    behind = [
        (inner.get_submodule(path), partial(met_at, path))
        for path in dict.fromkeys(paths[name] for name in taps)
    ]
    with around([(inner, begin), *ahead], behind):
        yield
    missed = [name for name in taps if name not in met]
    if runs and missed:
        raise Mistake(f"The network did not pass through {', '.join(missed)} here.")


def _numbered(path: str, time: int) -> str:
    return path if time == 1 else f"{path}#{time}"


def _path(known: Collection[str], name: str) -> str:
    """The module's path in an intermediate's name. Raises Mistake, with the nearest that exist."""
    path, mark, number = name.partition("#")
    if path not in known or (mark and not number.isdecimal()):
        raise unknown("layer", name, known)
    return path


@contextmanager
def recording(network: nn.Module, names: Iterable[str]) -> Iterator[dict[str, Tensor]]:
    """Of every run inside the block, the intermediates by name; the last run's stay.

    They are what the modules handed on, part of the graph where gradients are on; an in-place
    operation behind a module works on a copy.

    >>> net = nn.Sequential(nn.Identity(), nn.ReLU(inplace=True))
    >>> with recording(net, ["0"]) as found:
    ...     output = net(torch.tensor([-1.0, 2.0]))
    >>> found["0"].tolist(), output.tolist()
    ([-1.0, 2.0], [0.0, 2.0])
    """
    found: dict[str, Tensor] = {}

    def keep(name: str, output: Tensor) -> Tensor:
        found[name] = output
        return output.clone()

    with tapping(network, {name: partial(keep, name) for name in names}):
        yield found


@contextmanager
def replacing(
    network: nn.Module, values: Mapping[str, Tensor | Callable[[Tensor], Tensor]]
) -> Iterator[None]:
    """Hand on other values: a tensor, or what a function makes of the output.

    Raises Mistake where the shape is not the output's.
    """

    def put(name: str, output: Tensor) -> Tensor:
        value = values[name]
        new = value if isinstance(value, Tensor) else value(output)
        if new.shape != output.shape:
            raise Mistake(
                f"{name} hands on {tuple(output.shape)}, and {tuple(new.shape)} cannot take its "
                "place."
            )
        return new

    with tapping(network, {name: partial(put, name) for name in values}):
        yield


class Slopes(NamedTuple):
    """A run and its derivatives, all detached.

    output: the network's. score: (N,). pixels: the scores' gradient by the input, as it. values and
    gradients: of each intermediate that was asked for, by name, in its shape.
    """

    output: Tensor
    score: Tensor
    pixels: Tensor
    values: dict[str, Tensor]
    gradients: dict[str, Tensor]


def differentiate(
    network: nn.Module, pixels: Tensor, score: Score, *, at: Iterable[str] = ()
) -> Slopes:
    """The gradients of a score for each picture by its pixels, and by intermediates.

    pixels (N, …). The network runs in evaluation mode, where pictures do not mix; its mode and its
    parameters' gradients are left as found, and a caller who has switched gradients off gets them
    all the same. What the score does not depend on has a gradient of zero.
    """
    names = list(at)
    with evaluating(network) as network, torch.inference_mode(False), torch.enable_grad():
        leaf = pixels.detach().clone().requires_grad_()
        with recording(network, names) as values:
            output = network(leaf)
        scores = score(output)
        if scores.shape != output.shape[:1]:
            raise ValueError(f"A score is one number a picture, not {tuple(scores.shape)}.")
        wanted = [leaf, *(values[name] for name in names)]
        if not scores.requires_grad:
            slopes = [torch.zeros_like(tensor) for tensor in wanted]
        else:
            slopes = list(torch.autograd.grad(
                scores.sum(), wanted, allow_unused=True, materialize_grads=True
            ))  # fmt: skip
    return Slopes(
        output.detach(),
        scores.detach(),
        slopes[0],
        {name: values[name].detach() for name in names},
        dict(zip(names, slopes[1:], strict=True)),
    )
