"""A network as a list of aten's operations on the picture, as two runs of it carry them out.

What differs between the runs, on other pictures and another number of them, is either that number
or nothing that could be written down.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from hubel.understanding.incremental import winograd
from hubel.understanding.incremental.runs import Call, Made, Run, Untraceable, matched
from hubel.understanding.incremental.steps import (
    Batch,
    Operation,
    Picture,
    Ref,
    Step,
    Whole,
    aten,
    multiply_adds,
    spread,
)

SIZES = 2, 3  # pictures in the two runs
SAME = {aten.clone, aten.detach, aten.alias, aten.contiguous, aten.lift_fresh}
SHAPING = {aten.view, aten._unsafe_view, aten.reshape, aten.expand}
NORMS = {aten._native_batch_norm_legit_no_training, aten.native_batch_norm, aten.cudnn_batch_norm}
PARTS = {aten.split, aten.split_with_sizes, aten.chunk}


@dataclass(frozen=True)
class Traced:
    """Steps in order, the first the picture; which of them are the results."""

    steps: tuple[Step, ...]
    results: tuple[int, ...]

    @property
    def whole(self) -> tuple[str, ...]:
        """Operations from maps to maps that no rule knows: from there on maps are whole."""
        found = [
            step.name
            for step in self.steps
            if isinstance(step.spread, Whole)
            and step.is_map
            and any(self.steps[i].is_map for i in step.inputs)
        ]
        return tuple(dict.fromkeys(found))


def traced(
    function: Callable[[Tensor], Any],
    shape: Sequence[int],
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> Traced:
    """The operations of function(pixels (N, C, H, W)) → a tensor or several, each (N, …).

    shape: (C, H, W) of a picture. device: where the function's own tensors are; dtype: the
    picture's. Raises Untraceable, for a forward that decides by the values that it sees, say.
    """
    drawn = torch.Generator().manual_seed(0)
    runs = []
    for n in SIZES:
        pictures = torch.rand(n, *shape, generator=drawn).to(device, dtype)
        try:
            with torch.inference_mode(False), torch.no_grad(), _Plainly():
                runs.append(Run(function, pictures))
        except Untraceable:
            raise
        except Exception as wrong:  # whatever a stranger's forward does when it is watched
            raise Untraceable(f"{type(wrong).__name__}: {str(wrong).splitlines()[0]}") from wrong
    return _Lowering(shape).traced(*runs)


# What reads a tensor's memory behind torch's back. While tracing there is none to read: numpy and
# tolist find whatever lies there, and dlpack ends the process.
_READS_MEMORY = frozenset(
    {Tensor.numpy, Tensor.__array__, Tensor.tolist, Tensor.__dlpack__, Tensor.__dlpack_device__,
     Tensor.data_ptr, Tensor.storage, Tensor.untyped_storage}
)  # fmt: skip


class _Plainly(TorchFunctionMode):
    """While tracing: what torch writes in a roundabout way, in operations that have rules.

    Raises Untraceable where numbers are taken out of torch's sight.
    """

    def __torch_function__(
        self, func: Any, _types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:  # the signature is torch's
        if func is F.local_response_norm:
            return _response_norm(*args, **(kwargs or {}))
        if func in _READS_MEMORY and torch._is_functional_tensor(args[0]):
            raise Untraceable(f"{func.__name__} takes numbers out of torch's sight")
        return func(*args, **(kwargs or {}))


def _response_norm(
    input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Tensor:
    """Local response normalisation, its sum over neighbouring maps as a 1×1 convolution."""
    maps = input.shape[1]
    place = torch.arange(maps, device=input.device)
    ahead = place[None, :] - place[:, None] + size // 2  # torch takes size // 2 maps before
    near = ((ahead >= 0) & (ahead < size)).float()[:, :, None, None]
    total: Tensor = torch.conv2d(input * input, near * (alpha / size))
    return input / (total + k) ** beta


class _Lowering:
    """From two runs' calls to steps."""

    def __init__(self, shape: Sequence[int]) -> None:
        self.steps: list[Step] = []
        self.values: dict[Made, Any] = {}
        self.used: set[Made] = set()
        self.values[Made(-1, 0)] = self._add(
            Step("picture", torch.clone, (), {}, (1, *shape), (), Picture())
        )

    def traced(self, first: Run, second: Run) -> Traced:
        if [call.target for call in first.calls] != [call.target for call in second.calls]:
            raise Untraceable("it does other things with another number of pictures")
        results = matched(first.results, second.results, SIZES)
        if not all(isinstance(each, Made) for each in results):
            raise Untraceable("a result does not depend on the picture")
        self.used |= {*results}
        pairs = []
        for i in reversed(range(len(first.calls))):  # what nothing is made of is left out
            if any(made.call == i for made in self.used):
                pair = first.calls[i], second.calls[i]
                given, options = matched(
                    (pair[0].args, pair[0].kwargs), (pair[1].args, pair[1].kwargs), SIZES
                )
                self.used |= {*_found(Made, (given, options))}
                pairs.append((i, pair, given, options))
        for i, pair, given, options in reversed(pairs):
            self._lower(i, pair, given, options)
        return Traced(tuple(self.steps), tuple(self.values[each].step for each in results))

    def _add(self, step: Step) -> Ref:
        self.steps.append(step)
        return Ref(len(self.steps) - 1)

    def _lower(self, i: int, pair: tuple[Call, Call], given: Any, options: Any) -> None:
        """One operation on the picture, of which at least one result is used."""
        target = pair[0].target
        given, options = self._known(given), self._known(options)
        used = [made.number for made in self.used if made.call == i]
        packet = getattr(target, "overloadpacket", None)
        if packet in SAME:
            self.values[Made(i, 0)] = given[0]
            return
        shapes = {k: _apart(target, *(call.shapes[k] for call in pair)) for k in sorted(used)}
        refs = tuple(dict.fromkeys(ref.step for ref in _found(Ref, (given, options))))
        arguments = _bound(target, given, options)
        for k, shape in shapes.items():
            if packet is aten.max_pool2d_with_indices and k == 0:
                made = self._step(aten.max_pool2d.default, given, options, shape, refs)
            elif packet in NORMS and k == 0:
                made = self._norm(target, arguments, shape, refs)
            elif packet in PARTS:
                dim = arguments.get("dim", 0)
                start = sum(each[dim] for each in pair[0].shapes[:k])
                piece = (given[0], dim, start, start + shape[dim])
                made = self._step(aten.slice.Tensor, piece, {}, shape, refs)
            elif len(pair[0].shapes) > 1:
                made = self._step(partial(_result, target, k), given, options, shape, refs)
            else:
                made = self._step(target, given, options, shape, refs)
            self.values[Made(i, k)] = made

    def _known(self, value: Any) -> Any:
        """With steps for what calls have made."""
        if isinstance(value, Made):
            return self.values[value]
        if isinstance(value, Mapping):
            return {name: self._known(each) for name, each in value.items()}
        if isinstance(value, list | tuple):
            return [self._known(each) for each in value]
        return value

    def _step(
        self, target: Any, given: Any, options: Any, shape: tuple[int, ...], refs: tuple[int, ...]
    ) -> Ref:
        shapes = [step.shape for step in self.steps]
        way = spread(target, Operation(_bound(target, given, options), shape, shapes))
        name = _name(target)
        if getattr(target, "overloadpacket", None) in SHAPING:
            given = (given[0], [Batch(), *shape[1:]])
            target = torch.Tensor.expand if target is aten.expand.default else torch.reshape
        products = multiply_adds(target, given, shape)
        if target is aten.convolution.default:
            target = winograd.convolution
        return self._add(
            Step(name, target, tuple(given), dict(options), shape, refs, way, products)
        )

    def _norm(
        self, target: Any, given: Mapping[str, Any], shape: tuple[int, ...], refs: tuple[int, ...]
    ) -> Ref:
        shapes = [step.shape for step in self.steps]
        way = spread(target, Operation(given, shape, shapes))
        names = ("input", "running_mean", "running_var", "weight", "bias")
        if given.get("training"):
            raise Untraceable("batch statistics mix the pictures: evaluation mode does not")
        eps = given["eps"] if "eps" in given else given["epsilon"]
        arguments = (*(given[name] for name in names), False, 0.0, eps)
        return self._add(Step("batch_norm", F.batch_norm, arguments, {}, shape, refs, way))


def _apart(target: Any, *shapes: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of a result for one picture, of those in the two runs."""
    if any(shape[:1] != (n,) for shape, n in zip(shapes, SIZES, strict=True)):
        raise Untraceable(f"{target} has a result in which pictures are not apart")
    if shapes[0][1:] != shapes[1][1:]:
        raise Untraceable(f"{target} has a result whose size hangs on the number of pictures")
    return (1, *shapes[0][1:])


def _found(kind: type[Any], value: Any) -> list[Any]:
    """All of that kind in nested arguments, in order."""
    if isinstance(value, kind):
        return [value]
    if isinstance(value, Mapping):
        return _found(kind, list(value.values()))
    if isinstance(value, list | tuple) and not isinstance(value, Made):
        return [each for part in value for each in _found(kind, part)]
    return []


def _result(target: Callable[..., Any], index: int, *given: Any, **options: Any) -> Tensor:
    """One result of an operation that has several."""
    found: Tensor = target(*given, **options)[index]
    return found


def _name(target: Any) -> str:
    """As aten calls it."""
    if isinstance(target, partial):
        target = target.args[0]
    return str(getattr(target, "overloadpacket", target)).removeprefix("aten.")


def _bound(target: Any, given: Sequence[Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments by the names of the schema, defaults included."""
    schema = getattr(target, "_schema", None)
    if schema is None:
        return {}
    found = {a.name: a.default_value for a in schema.arguments if a.has_default_value()}
    names = [a.name for a in schema.arguments]
    return found | dict(zip(names, given, strict=False)) | dict(options)
