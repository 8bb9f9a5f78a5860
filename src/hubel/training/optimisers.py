"""Optimisers by name, and their whole state as plain tensors and numbers: never a pickle.

sgd: Sutskever et al. 2013 (momentum, Nesterov). adam, adamw: Kingma & Ba 2015; Loshchilov & Hutter
2019. muon: Jordan 2024, momentum orthogonalised by a Newton–Schulz iteration, for the matrices of
the hidden layers, beside SGD for everything else.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from hubel.mistakes import Failure, Mistake, unknown
from hubel.training.muon import Muon

Named = list[tuple[str, nn.Parameter]]

# Muon's own settings as its author gives them; the rates of the two parts differ by nature:
# an orthogonalised step has a size that does not depend on the gradient's.
MUON_MOMENTUM = 0.95
SGD_PER_MUON = 1.0


class Optimiser:
    """One or more torch optimisers that step together over named parameters.

    `scale` sets every rate to a multiple of its base rate; `tensors` and `facts` are all that has
    to be kept to go on bit-equal after `restore`.
    """

    def __init__(
        self, kind: str, parts: list[tuple[torch.optim.Optimizer, Named]], views: "Views"
    ) -> None:
        self._kind = kind
        self._parts = parts
        self._views = views
        self._base = [group["lr"] for part, _ in parts for group in part.param_groups]

    def zero_grad(self) -> None:
        for part, _ in self._parts:
            part.zero_grad()
        self._views.forget()

    def step(self) -> None:
        self._views.refresh()
        for part, _ in self._parts:
            part.step()

    def scale(self, factor: float) -> None:
        """Set each rate to factor × its base rate."""
        groups = (group for part, _ in self._parts for group in part.param_groups)
        for base, group in zip(self._base, groups, strict=True):
            group["lr"] = base * factor

    def rates(self) -> list[float]:
        """The rates now, one for each group of parameters."""
        return [float(group["lr"]) for part, _ in self._parts for group in part.param_groups]

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor of the state, as "<parameter>|<key>"; empty before the first step.

        Each is of its parameter's shape (Muon's too, so that the state of a run in one layout can
        go on in another) or a scalar, and shares the optimiser's memory.
        """
        return {
            f"{name}|{key}": self._views.unfolded(parameter, value) if value.ndim else value
            for part, named in self._parts
            for name, parameter in named
            for key, value in part.state.get(parameter, {}).items()
            if isinstance(value, Tensor)
        }

    def facts(self) -> dict[str, Any]:
        """What of the state is no tensor: JSON values."""
        return {"kind": self._kind, "rates": self.rates()}

    def restore(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Take back copies of what `tensors` and `facts` gave.

        Raises Failure for another optimiser's or another network's; nothing is changed then.
        """
        if facts.get("kind") != self._kind or len(facts.get("rates", ())) != len(self._base):
            raise Failure(f"The state is that of another optimiser than {self._kind!r}: {facts}.")
        known = {name: (part, p) for part, named in self._parts for name, p in named}
        fresh: list[tuple[dict[str, Any], str, Tensor]] = []
        for key, value in tensors.items():
            name, _, entry = key.partition("|")
            if name not in known:
                raise Failure(f"The optimiser's state has {name!r}, which is not trained here.")
            part, parameter = known[name]
            shape = self._views.unfolded(parameter, parameter).shape
            if value.ndim and value.shape != shape:
                raise Failure(
                    f"The optimiser's state of {name} has shape {tuple(value.shape)}, "
                    f"not {tuple(shape)}."
                )
            own = self._views.folded(parameter, value) if value.ndim else value.clone()
            fresh.append((part.state[parameter], entry, own))
        for state, entry, own in fresh:
            state[entry] = own
        groups = (group for part, _ in self._parts for group in part.param_groups)
        for rate, group in zip(facts["rates"], groups, strict=True):
            group["lr"] = rate


class Views:
    """Kernels (out, in, h, w) as matrices (out, in·h·w) that share their storage.

    Muon takes matrices only. In the channels-last layout the columns come in another order,
    which the orthogonalisation does not see.
    """

    def __init__(self, kernels: Iterable[nn.Parameter]) -> None:
        self._pairs = [(kernel, nn.Parameter(_matrix(kernel.detach()))) for kernel in kernels]
        self._kernels = {matrix: kernel for kernel, matrix in self._pairs}

    def unfolded(self, parameter: nn.Parameter, value: Tensor) -> Tensor:
        """A value of the parameter that is stepped, in the shape of the network's own."""
        kernel = self._kernels.get(parameter)
        if kernel is None or kernel.ndim == 2 or kernel.is_contiguous():
            return value if kernel is None else value.view(kernel.shape)
        out, channels, height, width = kernel.shape
        return value.view(out, height, width, channels).permute(0, 3, 1, 2)

    def folded(self, parameter: nn.Parameter, value: Tensor) -> Tensor:
        """The inverse of `unfolded`: a copy in the parameter's layout, whose bits the steps see."""
        kernel = self._kernels.get(parameter)
        like = parameter if kernel is None else kernel
        own = torch.empty_like(like, requires_grad=False).copy_(value)
        return own if kernel is None else _matrix(own)

    @property
    def matrices(self) -> list[nn.Parameter]:
        return [matrix for _, matrix in self._pairs]

    def refresh(self) -> None:
        """Give the matrices their kernels' gradients, and follow weights that were moved."""
        for kernel, matrix in self._pairs:
            if kernel.data_ptr() != matrix.data_ptr():
                matrix.data = _matrix(kernel.detach())
            if kernel.grad is None:  # the network's own zero_grad does not know the matrices
                matrix.grad = None
            else:
                like = torch.empty_like(kernel, requires_grad=False).copy_(kernel.grad)
                matrix.grad = _matrix(like)

    def forget(self) -> None:
        for kernel, _ in self._pairs:
            kernel.grad = None


def _matrix(kernel: Tensor) -> Tensor:
    if kernel.ndim == 2 or kernel.is_contiguous():
        return kernel.view(len(kernel), -1)
    return kernel.permute(0, 2, 3, 1).view(len(kernel), -1)


Groups = list[dict[str, Any]]  # as torch's optimisers take them: params and their lr


def _groups(named: Named, lr: float, rates: Mapping[str, float] | None) -> Groups:
    """The parameters in groups of one rate, in the order in which the rates appear."""
    found: dict[float, list[nn.Parameter]] = {}
    for name, parameter in named:
        found.setdefault((rates or {}).get(name, 1.0), []).append(parameter)
    return [{"params": parameters, "lr": lr * rate} for rate, parameters in found.items()]


def _sgd(groups: Groups, lr: float, momentum: float, nesterov: bool, decay: float) -> Any:
    if nesterov and not momentum:
        raise Mistake("Nesterov's momentum needs momentum above 0: set nesterov=false or momentum.")
    return torch.optim.SGD(groups, lr=lr, momentum=momentum, nesterov=nesterov, weight_decay=decay)


def _adam(kind: type[torch.optim.Optimizer], groups: Groups, lr: float, decay: float) -> Any:
    return kind(groups, lr=lr, weight_decay=decay)  # type: ignore[call-arg]


KINDS = ("sgd", "adam", "adamw", "muon")


def build(
    parameters: Iterable[tuple[str, nn.Parameter]],
    *,
    kind: str,
    lr: float,
    momentum: float = 0.9,
    nesterov: bool = False,
    weight_decay: float = 0.0,
    rates: Mapping[str, float] | None = None,
) -> Optimiser:
    """The optimiser `kind` (one of KINDS) over named parameters; frozen ones are left out.

    rates: a parameter's name → its rate as a multiple of lr, where that is not 1.
    muon orthogonalises kernels and matrices except the last one, the head, whose rows are
    classes; the head, biases and norm scales are trained by SGD at the same rate.
    Raises Mistake for an unknown kind, impossible settings, or nothing to train.
    """
    named = [(name, p) for name, p in parameters if p.requires_grad]
    if kind not in KINDS:
        raise unknown("optimiser", kind, KINDS)
    if not 0 < lr < math.inf:
        raise Mistake(f"The learning rate must be above 0 and finite, not {lr}.")
    if not 0 <= momentum < 1:
        raise Mistake(f"Momentum must be at least 0 and below 1, not {momentum}.")
    if not 0 <= weight_decay < math.inf:
        raise Mistake(f"The weight decay must be at least 0 and finite, not {weight_decay}.")
    if not named:
        raise Mistake("The network has no parameters to train.")
    groups = _groups(named, lr, rates)
    if kind == "sgd":
        parts = [(_sgd(groups, lr, momentum, nesterov, weight_decay), named)]
    elif kind in ("adam", "adamw"):
        torch_kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[kind]
        parts = [(_adam(torch_kind, groups, lr, weight_decay), named)]
    else:
        return _muon(named, lr, momentum, nesterov, weight_decay, rates)
    return Optimiser(kind, parts, Views([]))


def _muon(
    named: Named,
    lr: float,
    momentum: float,
    nesterov: bool,
    decay: float,
    rates: Mapping[str, float] | None,
) -> Optimiser:
    # one number for each output (LeNet-5's sub-sampling, of shape (maps, 1, 1)) is no matrix
    kernels = [(name, p) for name, p in named if p.ndim >= 2 and p[0].numel() > 1][:-1]
    inner = {name for name, _ in kernels}
    rest = [(name, p) for name, p in named if name not in inner]
    views = Views(p for _, p in kernels)
    parts: list[tuple[torch.optim.Optimizer, Named]] = []
    if kernels:
        names = [name for name, _ in kernels]
        matrices = list(zip(names, views.matrices, strict=True))
        groups = _groups(matrices, lr, rates)
        muon = Muon(groups, lr=lr, momentum=MUON_MOMENTUM, weight_decay=decay)
        parts.append((muon, matrices))
    rate = lr * SGD_PER_MUON
    sgd = _sgd(_groups(rest, rate, rates), rate, momentum, nesterov, decay)
    return Optimiser("muon", [*parts, (sgd, rest)], views)
