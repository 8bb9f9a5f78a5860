"""Three ways back through a ReLU, for any network: by its own slope, a deconvnet's, or both.

A deconvnet (Zeiler & Fergus 2014, section 2.1) goes from a feature map to the pixels by undoing
each layer: unpooling with the switches of the way forward, rectifying, and the transposed filters.
But for the rectifying this is the gradient (Simonyan et al. 2014, section 4), so that one rule
makes the difference; guided backpropagation (Springenberg et al. 2015, section 3.4) asks for both.

The rule is put under torch's functions while the network runs, in this thread alone: modules,
functional calls and in-place ones are all seen, and nothing is patched.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from hubel.mistakes import Mistake, unknown

# (gradient from above, the function's own slope) → what is handed down
RULES: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "gradient": lambda above, slope: above * slope,
    "deconvnet": lambda above, _slope: above.clamp(min=0),
    "guided": lambda above, slope: above.clamp(min=0) * slope,
}
# ReLU and its relatives, however they are called
RECTIFIERS = frozenset({
    F.relu, F.relu_, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_,
    F.relu6, F.hardtanh, F.hardtanh_, F.threshold, torch.threshold, torch.threshold_,
    F.leaky_relu, F.leaky_relu_, F.prelu, torch.prelu, Tensor.prelu, F.rrelu, torch.rrelu,
    F.elu, F.elu_, F.selu, torch.selu, torch.selu_, F.celu, torch.celu, torch.celu_,
    F.silu, F.gelu, F.mish, F.hardswish, F.softplus,
})  # fmt: skip
CLAMPS = frozenset({
    torch.clamp, torch.clamp_, Tensor.clamp, Tensor.clamp_,
    torch.clamp_min, torch.clamp_min_, Tensor.clamp_min, Tensor.clamp_min_,
    torch.clip, Tensor.clip, Tensor.clip_,
})  # fmt: skip
MAXIMA = frozenset({
    torch.maximum, Tensor.maximum, torch.max, Tensor.max, torch.fmax, Tensor.fmax
})  # fmt: skip
CHOICES = frozenset({torch.where, Tensor.where})
# with the right mask these are ReLUs; what they are told as
MASKING: Mapping[Any, str] = {
    **dict.fromkeys(
        (torch.mul, Tensor.mul, Tensor.mul_, Tensor.__mul__, Tensor.__rmul__, Tensor.__imul__,
         torch.multiply, Tensor.multiply, Tensor.multiply_),
        "x * (x > 0)",
    ),
    **dict.fromkeys((torch.masked_fill, Tensor.masked_fill, Tensor.masked_fill_), "masked_fill"),
    Tensor.__setitem__: "x[x < 0] = 0",
}  # fmt: skip


@contextmanager
def rectifying(network: nn.Module, rule: str) -> Iterator[list[str]]:
    """While the block lasts, gradients go through ReLUs by a row of RULES, in this thread.

    The list that it gives names what may be a ReLU in disguise and keeps its own gradient: `where`,
    and what sets by a mask all to 0 that is below it.
    The response normalisation of local neighbours (AlexNet's) is taken as a division by what it
    divided by, as a switch, unless the rule is the gradient: the papers undo no such layer. Under
    the guided rule a cap (ReLU6's) is passed as if it were not there: the papers have none, and the
    strongest activations lie at it and would answer to nothing. Raises Mistake for an unknown rule,
    and for TorchScript, into which nobody can see.
    """
    if rule not in RULES:
        raise unknown("rule for ReLUs", rule, RULES)
    for name, module in network.named_modules():
        if isinstance(module, torch.jit.ScriptModule):
            raise Mistake(
                f"{name or 'The network'} is TorchScript, whose ReLUs cannot be seen: give the "
                "module that it was made of."
            )
    told: list[str] = []
    if rule == "gradient":
        yield told
        return
    with _Rectifying(rule, told):
        yield told


class _Rectifying(TorchFunctionMode):
    def __init__(self, rule: str, told: list[str]) -> None:
        super().__init__()
        self.rule, self.told = RULES[rule], told

    def __torch_function__(
        self, func: Any, _types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:  # the signature is torch's
        options = dict(kwargs or {})
        if not torch.is_grad_enabled() or not args or not isinstance(args[0], Tensor):
            return func(*args, **options)
        if func in MAXIMA and (x := _beside_zero(args, options)) is not None:
            return self._rectified(F.relu, (x,), {})
        if func in RECTIFIERS or (func in CLAMPS and _is_from_zero(args, options)):
            return self._rectified(func, args, options)
        if func is F.local_response_norm:
            return args[0] * _response_scale(args[0], *args[1:], **options)
        if func in CHOICES:
            self._tell("where")
        if func in MASKING:
            return self._masked(func, args, options)
        return func(*args, **options)

    def _masked(self, func: Any, args: Any, options: Any) -> Any:
        """The function's value; told, if it is a ReLU's of what has a gradient."""
        given = [x for x in args if isinstance(x, Tensor) and x.requires_grad]
        known = given[0].detach().clone() if len(given) == 1 else None
        found = func(*args, **options)
        value = args[0] if found is None else found
        if known is not None and bool((known < 0).any()) and torch.equal(value, known.relu()):
            self._tell(MASKING[func])
        return found

    def _tell(self, name: str) -> None:
        if name not in self.told:
            self.told.append(name)

    def _rectified(self, func: Any, args: Any, options: Any) -> Tensor:
        """The function's value, whose way back is the rule's; in place where it is asked for."""
        x, rest = args[0], args[1:]
        with torch.enable_grad():
            inner = x.detach().requires_grad_()
            value = func(inner.clone(), *rest, **options)
        (slope,) = torch.autograd.grad(value.sum(), inner)
        slope = slope.masked_fill((slope == 0) & (value > 0), 1.0)  # at a cap
        ruled: Tensor = _Ruled.apply(  # type: ignore[no-untyped-call]  # torch's
            x, value.detach, lambda above: self.rule(above, slope)
        )
        return x.copy_(ruled) if _writes(func, args, options) else ruled


class _Ruled(torch.autograd.Function):
    """A value that is known; on the way back what the rule makes of the gradient from above."""

    @staticmethod
    def forward(ctx: Any, _x: Tensor, value: Callable[[], Tensor], rule: Any) -> Tensor:
        ctx.rule = rule
        return value()

    @staticmethod
    def backward(ctx: Any, *above: Tensor) -> Any:
        return ctx.rule(above[0]), None, None


def _writes(func: Any, args: Any, options: Any) -> bool:
    """Whether a call writes into its first argument."""
    if func.__name__.endswith("_"):
        return True
    try:
        given = inspect.signature(func).bind(*args, **options).arguments
    except (TypeError, ValueError):  # a builtin, which has a name for it
        return False
    return bool(given.get("inplace", False))


def _is_from_zero(args: Any, options: Any) -> bool:
    """Whether a clamp begins at 0: a ReLU, or with an end a ReLU6."""
    low = options.get("min", args[1] if len(args) > 1 else None)
    return isinstance(low, int | float) and low == 0


def _beside_zero(args: Any, options: Any) -> Tensor | None:
    """What a maximum of two tensors compares with zeros."""
    pair = [*args, *options.values()]
    if len(pair) != 2 or not all(isinstance(each, Tensor) for each in pair):
        return None
    for x, other in (pair, pair[::-1]):
        if not other.requires_grad and not other.any():
            return x  # type: ignore[no-any-return]
    return None


def _response_scale(x: Tensor, *given: Any, **options: Any) -> Tensor:
    """What a local response normalisation multiplies each value by, as a number."""
    with torch.no_grad():
        # nothing can be read off a 0; next to it the scale is the same
        near = torch.where(x == 0, torch.finfo(x.dtype).tiny ** 0.5, x)
        scale: Tensor = F.local_response_norm(near, *given, **options) / near
    return scale
