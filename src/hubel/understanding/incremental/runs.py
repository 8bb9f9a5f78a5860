"""One run of a function of pictures, as the calls of aten's operations that the pictures reach."""

import math
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakTensorKeyDictionary

from hubel.basics.dispatch import Watching
from hubel.understanding.incremental.steps import Alike, Batch, aten


class Untraceable(Exception):
    """The network's operations cannot be written down; the message says why."""


class Made(NamedTuple):
    """A result of a call, by its number among several; of call −1, the pictures."""

    call: int
    number: int


@dataclass(frozen=True)
class Call:
    """One operation: with Made in place of what the pictures have reached, and its results' shapes.

    Of a result that is no tensor the shape is ().
    """

    target: Any
    args: Any
    kwargs: Any
    shapes: tuple[tuple[int, ...], ...]


class Run(Watching):
    """calls: in order, those that the pictures reach. results: the function's, Made or tensors.

    Writing in place is seen as making anew. Raises Untraceable where values decide what is done,
    or chance.
    """

    def __init__(self, function: Callable[[Tensor], Any], pictures: Tensor) -> None:
        super().__init__()
        self.calls: list[Call] = []
        self.made: MutableMapping[Tensor, Made] = WeakTensorKeyDictionary()
        self.made[pictures] = Made(-1, 0)
        plain = torch.func.functionalize(function, remove="mutations")
        with self:
            found = plain(pictures)
        self.results = self._named(found if isinstance(found, tuple | list) else [found])

    def __torch_dispatch__(
        self, func: Any, _types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:  # the signature is torch's
        if torch.Tag.nondeterministic_seeded in func.tags:
            raise Untraceable(f"{func} draws by chance")
        with self:  # with tensors of inference mode, compound operations come undivided
            result = func.decompose(*args, **(kwargs or {}))
        if result is not NotImplemented:
            return result
        result = func(*args, **(kwargs or {}))
        given, options = self._named(args), self._named(kwargs or {})
        if not any(isinstance(leaf, Made) for leaf in _leaves((given, options))):
            return result
        if torch.Tag.data_dependent_output in func.tags:
            raise Untraceable(f"{func} makes what is done data-dependent")
        if func.overloadpacket is aten.as_strided:
            # strides are memory's affair, as long as every number stays where it was
            if result.shape != args[0].shape or not torch.equal(result, args[0]):
                raise Untraceable(f"{func} takes memory apart")
            self.made[result] = self.made[args[0]]
            return result
        several = list(result) if isinstance(result, tuple | list) else [result]
        shapes = [tuple(each.shape) if isinstance(each, Tensor) else () for each in several]
        for k, each in enumerate(several):
            if isinstance(each, Tensor):
                self.made[each] = Made(len(self.calls), k)
        self.calls.append(Call(func, given, options, tuple(shapes)))
        return result

    def _named(self, value: Any) -> Any:
        if isinstance(value, Tensor):
            return self.made.get(value, value)
        if isinstance(value, Mapping):
            return {name: self._named(each) for name, each in value.items()}
        if isinstance(value, list | tuple):
            return [self._named(each) for each in value]
        return value


def matched(first: Any, second: Any, sizes: Sequence[int]) -> Any:
    """Arguments of two runs as one: what differs only by the number of pictures is that number.

    Raises Untraceable for what differs otherwise.
    """
    if isinstance(first, Made) or isinstance(second, Made):
        if first != second:
            raise Untraceable("it takes other paths with another number of pictures")
        return first
    if isinstance(first, Mapping) and isinstance(second, Mapping) and [*first] == [*second]:
        return {name: matched(first[name], second[name], sizes) for name in first}
    lists = isinstance(first, list | tuple) and isinstance(second, list | tuple)
    if lists and len(first) == len(second):
        return [matched(*pair, sizes) for pair in zip(first, second, strict=True)]
    if isinstance(first, Tensor) and isinstance(second, Tensor):
        return _tensors(first, second, sizes)
    if type(first) is int and type(second) is int and first != second:
        times, rest = divmod(first, sizes[0])
        if not rest and second == times * sizes[1]:
            return Batch(times)
    both = isinstance(first, float) and isinstance(second, float)
    if not (first == second or (both and math.isnan(first) and math.isnan(second))):
        raise Untraceable(f"{first!r} is {second!r} with other pictures, or another number of them")
    return first


def _tensors(first: Tensor, second: Tensor, sizes: Sequence[int]) -> Any:
    """A tensor that the pictures have not reached: the same in both runs, or for every picture."""
    facts = [(x.shape, x.stride(), x.dtype, x.data_ptr()) for x in (first, second)]
    if facts[0] == facts[1] or torch.equal(first, second):
        return first
    expanded = [first.shape[:1], second.shape[:1]] == [(n,) for n in sizes]
    if expanded and first.shape[1:] == second.shape[1:]:
        row = first[:1]
        if all(torch.equal(x, row.expand_as(x)) for x in (first, second)):
            return Alike(row)
    raise Untraceable("a tensor hangs on the pictures, or on their number")


def _leaves(value: Any) -> list[Any]:
    return tree_leaves(value, is_leaf=lambda each: isinstance(each, Made))
