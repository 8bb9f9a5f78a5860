"""The numerical gradient, and the check of an analytic gradient against it.

The numerical gradient is slow and approximate; the analytic one is fast and exact, if it is right.
Where a function has a kink (ReLU at 0, equals under a maximum, a hinge at its margin) it has no
gradient, and the two may differ without an error: such places are told apart, not counted.
"""

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from hubel.basics.slopes import slope
from hubel.mistakes import Mistake, unknown

Function = Callable[..., Tensor]
Backward = Callable[..., Sequence[Tensor]]  # (gradient at the output, *inputs) → at the inputs

FLOOR = 1e-2  # entries below this share of their tensor's largest are measured against it


def numerical_gradient(
    function: Callable[[Tensor], Tensor | float],
    x: Tensor,
    *,
    step: float = 1e-4,
    differences: str = "central",
) -> Tensor:
    """∂f/∂x by finite differences, one dimension at a time; f of x (any shape) is a number.

    central: (f(x + h) − f(x − h))/2h, whose error falls with h². forward: (f(x + h) − f(x))/h,
    with h. In x's own precision, which for float32 leaves about three digits. x is left as found.
    Raises Mistake for other differences, an x of whole numbers, or an h that is not above 0.

    >>> numerical_gradient(lambda x: x.square().sum(), torch.tensor([3.0, -1.0]).double()).tolist()
    [6.0000..., -2.0000...]
    """
    if differences not in ("central", "forward"):
        raise unknown("kind of differences", differences, ["central", "forward"])
    if not x.is_floating_point():
        raise Mistake(f"Differences are of floating-point numbers, not of {x.dtype}.")
    if not step > 0:
        raise Mistake(f"The step of a difference is above 0, not {step}.")
    moved = x.detach().clone(memory_format=torch.contiguous_format)
    gradient = torch.zeros(x.numel(), dtype=x.dtype, device=x.device)
    flat = moved.view(-1)
    with torch.no_grad():
        here = float(function(moved))
        for i in range(len(flat)):
            before = float(flat[i])
            flat[i] = before + step
            after = float(function(moved))
            if differences == "central":
                flat[i] = before - step
                gradient[i] = (after - float(function(moved))) / (2 * step)
            else:
                gradient[i] = (after - here) / step
            flat[i] = before
    return gradient.view(x.shape)


class Kink(NamedTuple):
    """A place without a gradient: its index, the slopes on both sides, and what was claimed."""

    at: tuple[int, ...]
    left: float
    right: float
    analytic: float


@dataclass(frozen=True)
class Part:
    """The check of one tensor: an input, or a parameter by its name.

    entries: how many it has; checked: at how many the two gradients were compared. error: the
    largest relative error there, at index `at`, with both gradients' values. kinks: the places that
    have no gradient.
    """

    name: str
    entries: int
    checked: int
    error: float
    at: tuple[int, ...]
    analytic: float
    numeric: float
    kinks: tuple[Kink, ...]


@dataclass(frozen=True)
class Report:
    """A gradient check, tensor by tensor; printed, it is a table."""

    parts: tuple[Part, ...]
    tolerance: float

    @property
    def wrong(self) -> tuple[Part, ...]:
        """What is not shown to be right: too large an error, or nothing but kinks."""
        return tuple(
            part
            for part in self.parts
            if part.entries and (not part.checked or not part.error < self.tolerance)
        )

    @property
    def right(self) -> bool:
        return not self.wrong

    @property
    def error(self) -> float:
        """The largest relative error of all parts, kinks aside."""
        return max((part.error for part in self.parts), default=0.0)

    @property
    def kinks(self) -> int:
        return sum(len(part.kinks) for part in self.parts)

    def __str__(self) -> str:
        lines = []
        for part in self.parts:
            line = f"{part.name}: {part.checked} of {part.entries}, relative error {part.error:.1e}"
            if part in self.wrong and part.checked:
                line += f" at {part.at}: {part.analytic:.6g} claimed, {part.numeric:.6g} measured"
            elif part in self.wrong:
                line += ", nothing but kinks"
            lines.append(line + (f"; {len(part.kinks)} kinks" if part.kinks else ""))
        return "\n".join(lines)


def gradient_check(
    function: Function | nn.Module,
    *inputs: Tensor,
    backward: Backward | None = None,
    most: int | None = None,
    seed: int = 0,
    tolerance: float = 1e-6,
) -> Report:
    """Compare analytic gradients with numerical ones, in float64, at all entries or `most` of each.

    function: tensors → one tensor of any shape; of more than one number a fixed random weighting is
    differentiated. A module's parameters are checked too, of a copy. Whole-number inputs, such as
    labels, are passed on unchecked. backward: (gradient at the output, *inputs) → gradients at the
    floating-point inputs; autograd's unless given. The caller's tensors are left as found.

    The error at an entry is |a − n| / max(|a|, |n|, a hundredth of the tensor's largest, a
    millionth of the largest of all, a million times what rounding can make of n); how n and kinks
    are found is in `slopes`. Raises Mistake for a function that answers differently when asked
    twice (dropout: use eval()), or not with one real tensor.
    """
    if isinstance(function, nn.Module):
        function = copy.deepcopy(function).double()
    own = [x.detach().clone(memory_format=torch.contiguous_format) for x in inputs]
    own = [x.double().requires_grad_() if x.is_floating_point() else x for x in own]
    leaves = {f"input {i}": x for i, x in enumerate(own) if x.is_floating_point()}
    asked = list(leaves)
    if isinstance(function, nn.Module):
        for name, parameter in function.named_parameters():
            parameter.data = parameter.data.contiguous()  # to be moved entry by entry
            leaves[name] = parameter.requires_grad_()

    def run() -> Tensor:
        return function(*[x.clone() for x in own])  # clones: an in-place layer may change its input

    y = run()
    _check_output(y, run)
    generator = torch.Generator().manual_seed(seed)
    dy = torch.randn(y.shape, generator=generator, dtype=torch.float64)
    dy = torch.ones_like(y) if y.numel() == 1 else dy
    if backward is None and not y.requires_grad:
        found: tuple[Tensor | None, ...] = (None,) * len(leaves)
    elif backward is None:
        found = torch.autograd.grad(y, list(leaves.values()), dy, allow_unused=True)
    else:
        leaves = {name: leaves[name] for name in asked}
        found = tuple(backward(dy, *(x.detach() for x in own)))
    analytic = {
        name: torch.zeros_like(x) if slope is None else slope.detach()
        for (name, x), slope in zip(leaves.items(), found, strict=True)
    }
    for name, x in leaves.items():
        if analytic[name].shape != x.shape:
            shapes = f"{tuple(x.shape)}, not {tuple(analytic[name].shape)}"
            raise Mistake(f"The gradient at {name} has its shape, {shapes}.")
    largest = max((float(a.abs().max()) for a in analytic.values() if a.numel()), default=0.0)
    with torch.no_grad():
        parts = [
            _part(name, x, analytic[name], run, dy, 1e-6 * largest, _chosen(x, most, generator))
            for name, x in leaves.items()
        ]
    return Report(tuple(parts), tolerance)


def check_layers(
    network: nn.Module, *inputs: Tensor, most: int | None = None, seed: int = 0,
    tolerance: float = 1e-6,
) -> dict[str, Report]:  # fmt: skip
    """Each layer of a network by itself, on what reaches it: name → report.

    A layer is a module without children, or with parameters of its own, at its first call. An
    error is so found in the layer that makes it, not in all those before it.
    """
    network = copy.deepcopy(network).double()
    reached: dict[str, tuple[Tensor, ...]] = {}
    hooks = []
    for name, module in network.named_modules():
        if not list(module.children()) or list(module.parameters(recurse=False)):

            def keep(_module: nn.Module, given: tuple[Tensor, ...], name: str = name) -> None:
                reached.setdefault(name, tuple(x.detach().clone() for x in given))

            hooks.append(module.register_forward_pre_hook(keep))
    try:
        network(*(x.double() if x.is_floating_point() else x for x in inputs))
    finally:
        for hook in hooks:
            hook.remove()
    return {
        name: gradient_check(
            network.get_submodule(name), *given, most=most, seed=seed, tolerance=tolerance
        )
        for name, given in reached.items()
    }


def _part(
    name: str, x: Tensor, analytic: Tensor, run: Callable[[], Tensor], dy: Tensor, least: float,
    chosen: list[int],
) -> Part:  # fmt: skip
    flat, claimed = x.view(-1), analytic.reshape(-1)
    here = run()
    noise = 8 * torch.finfo(torch.float64).eps * float((here * dy).abs().sum())
    largest = float(claimed.abs().max()) if chosen else 0.0
    least = max(least, FLOOR * largest, torch.finfo(torch.float64).tiny)
    worst, at, kinks, checked = (-1.0, 0.0, 0.0), 0, [], 0
    for i in chosen:
        found = slope(flat, i, lambda: float(((run() - here) * dy).sum()), noise, least)
        a, n = float(claimed[i]), found.best
        if found.kink:
            kinks.append(Kink(_index(i, x), found.left, found.right, a))
            continue
        checked += 1
        error = abs(a - n) / max(abs(a), abs(n), least, 1e6 * found.blur)
        if error > worst[0] or not math.isfinite(error):
            worst, at = (error, a, n), i
    error, a, n = worst if checked else (0.0, 0.0, 0.0)
    place = _index(at, x) if checked else ()
    return Part(name, x.numel(), checked, error, place, a, n, tuple(kinks))


def _check_output(y: Tensor, run: Callable[[], Tensor]) -> None:
    if not isinstance(y, Tensor) or y.dtype != torch.float64:
        what = y.dtype if isinstance(y, Tensor) else type(y).__name__
        raise Mistake(
            f"A function to check gives one float64 tensor for float64 inputs, not {what}."
        )
    if not torch.equal(y, run()) and bool(y.isfinite().all()):
        raise Mistake(
            "The function answers differently when asked twice, so it has no gradient to check: "
            "if it draws at random (dropout), use eval() or fix its draws."
        )


def _chosen(x: Tensor, most: int | None, generator: torch.Generator) -> list[int]:
    if most is None or x.numel() <= most:
        return list(range(x.numel()))
    return sorted(torch.randperm(x.numel(), generator=generator)[:most].tolist())


def _index(i: int, x: Tensor) -> tuple[int, ...]:
    return tuple(int(n) for n in torch.unravel_index(torch.tensor(i), x.shape))
