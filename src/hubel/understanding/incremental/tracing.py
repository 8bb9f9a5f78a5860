"""A network as a list of aten's operations on the picture, by torch.fx."""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, fx
from torch.fx.experimental.proxy_tensor import make_fx
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from hubel.understanding.incremental import winograd
from hubel.understanding.incremental.steps import (
    Operation,
    Picture,
    Ref,
    Step,
    Whole,
    aten,
    multiply_adds,
    spread,
)

BATCH = 7  # pictures in the traced batch: a number by which a shape's batch is told from the rest
SAME = {aten.clone, aten.detach, aten.alias, aten.contiguous, aten.lift_fresh}
SHAPING = {aten.view, aten._unsafe_view, aten.reshape, aten.expand}
NORMS = {aten._native_batch_norm_legit_no_training, aten.native_batch_norm, aten.cudnn_batch_norm}
PARTS = {aten.split, aten.split_with_sizes, aten.chunk}


class Untraceable(Exception):
    """The network's operations cannot be written down; the message says why."""


class Batch:
    """In arguments: the number of pictures."""


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
    pictures = torch.zeros(BATCH, *shape, device=device, dtype=dtype)
    try:
        with torch.no_grad(), _Plainly():
            module = make_fx(
                torch.func.functionalize(function, remove="mutations"),
                tracing_mode="fake",
                _allow_non_fake_inputs=True,
            )(pictures)
    except Exception as wrong:  # whatever a stranger's forward does with what is no tensor
        raise Untraceable(f"{type(wrong).__name__}: {str(wrong).splitlines()[0]}") from wrong
    module.graph.eliminate_dead_code()
    return _Lowering(module).traced()


class _Plainly(TorchFunctionMode):
    """While tracing: what torch writes in a roundabout way, in operations that have rules."""

    def __torch_function__(
        self, func: Any, _types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:  # the signature is torch's
        if func is F.local_response_norm:
            return _response_norm(*args, **(kwargs or {}))
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
    """From torch.fx's nodes to steps; what does not depend on the picture is computed at once."""

    def __init__(self, module: fx.GraphModule) -> None:
        self.module = module
        self.steps: list[Step] = []
        self.values: dict[fx.Node, Any] = {}

    def traced(self) -> Traced:
        results: list[int] = []
        for node in self.module.graph.nodes:
            if node.op == "placeholder":
                shape = (1, *node.meta["val"].shape[1:])
                self.values[node] = self._add(
                    Step("picture", torch.clone, (), {}, shape, (), Picture())
                )
            elif node.op == "get_attr":
                self.values[node] = getattr(self.module, str(node.target))
            elif node.op == "call_function":
                self.values[node] = self._lowered(node)
            elif node.op == "output":
                found = fx.node.map_arg(node.args[0], lambda n: self.values[n])
                for value in found if isinstance(found, tuple | list) else [found]:
                    if not isinstance(value, Ref):
                        raise Untraceable("a result does not depend on the picture")
                    results.append(value.step)
        return Traced(tuple(self.steps), tuple(results))

    def _add(self, step: Step) -> Ref:
        self.steps.append(step)
        return Ref(len(self.steps) - 1)

    def _lowered(self, node: fx.Node) -> Any:
        given: Any = fx.node.map_arg(node.args, lambda n: self.values[n])
        options: Any = fx.node.map_arg(node.kwargs, lambda n: self.values[n])
        target: Any = node.target
        if target is operator.getitem and isinstance(given[0], _Several):
            return given[0].part(given[1])
        refs = _refs((given, options))
        if not refs:
            return target(*given, **options)
        packet = getattr(target, "overloadpacket", None)
        meta = node.meta["val"]
        # strides are memory's affair
        striding = packet in (aten.as_strided, aten.as_strided_)
        restrided = striding and list(meta.shape) == list(given[1])
        if packet in SAME or restrided:
            return given[0]
        arguments = _bound(target, given, options)
        if packet is aten.max_pool2d_with_indices:
            return _Several({0: self._step(aten.max_pool2d.default, given, options, meta[0], refs)})
        if packet in NORMS:
            return _Several({0: self._norm(target, arguments, meta[0], refs)})
        if packet in PARTS and isinstance(meta, list | tuple):
            return self._parts(given[0], arguments.get("dim", 0), meta)
        if not isinstance(meta, Tensor):
            used = {int(str(user.args[1])) for user in node.users}
            return _Several({
                k: self._step(partial(_result, target, k), given, options, meta[k], refs)
                for k in used
            })  # fmt: skip
        return self._step(target, given, options, meta, refs)

    def _step(
        self, target: Any, given: Any, options: Any, meta: Tensor, refs: tuple[int, ...]
    ) -> Ref:
        if meta.shape[:1] != (BATCH,):
            raise Untraceable(f"{target} has a result in which pictures are not apart")
        shape = (1, *meta.shape[1:])
        shapes = [step.shape for step in self.steps]
        way = spread(target, Operation(_bound(target, given, options), shape, shapes))
        name = _name(target)
        if getattr(target, "overloadpacket", None) in SHAPING:
            given = (given[0], [Batch(), *given[1][1:]])
            target = torch.Tensor.expand if target is aten.expand.default else torch.reshape
        products = multiply_adds(target, given, shape)
        if target is aten.convolution.default:
            target = winograd.convolution
        return self._add(
            Step(name, target, tuple(given), dict(options), shape, refs, way, products)
        )

    def _norm(
        self, target: Any, given: Mapping[str, Any], meta: Tensor, refs: tuple[int, ...]
    ) -> Ref:
        shapes = [step.shape for step in self.steps]
        shape = (1, *meta.shape[1:])
        way = spread(target, Operation(given, shape, shapes))
        names = ("input", "running_mean", "running_var", "weight", "bias")
        if given.get("training"):
            raise Untraceable("batch statistics mix the pictures: evaluation mode does not")
        eps = given["eps"] if "eps" in given else given["epsilon"]
        arguments = (*(given[name] for name in names), False, 0.0, eps)
        return self._add(Step("batch_norm", F.batch_norm, arguments, {}, shape, refs, way))

    def _parts(self, source: Ref, dim: int, metas: Sequence[Tensor]) -> "_Several":
        found, start = {}, 0
        for k, meta in enumerate(metas):
            length = meta.shape[dim]
            given = (source, dim, start, start + length)
            found[k] = self._step(aten.slice.Tensor, given, {}, meta, (source.step,))
            start += length
        return _Several(found)


@dataclass(frozen=True)
class _Several:
    """The results of one operation, of which some are known."""

    known: Mapping[int, Ref]

    def part(self, index: int) -> Ref:
        if index not in self.known:
            raise Untraceable(
                f"result {index} of an operation is used, and only the first is known"
            )
        return self.known[index]


def _refs(values: Any) -> tuple[int, ...]:
    """The steps that arguments refer to, each once, in order."""
    found: dict[int, None] = {}

    def look(value: Any) -> None:
        if isinstance(value, Ref):
            found[value.step] = None
        elif isinstance(value, _Several):
            raise Untraceable("several results at once are the argument of an operation")
        elif isinstance(value, Mapping):
            look(list(value.values()))
        elif isinstance(value, list | tuple):
            for each in value:
                look(each)

    look(values)
    return tuple(found)


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
