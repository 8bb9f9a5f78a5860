"""Whether a network of the catalogue is what its paper says, counted on the network itself."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from hubel.basics.summary import Summary, trace
from hubel.mistakes import Mistake
from hubel.networks import catalogue
from hubel.networks.paper import Paper
from hubel.networks.papers import PAPERS


@dataclass(frozen=True)
class Check:
    """One statement of a paper: what it is about, what was stated, what was counted."""

    what: str
    stated: str
    counted: str
    agrees: bool


@dataclass(frozen=True)
class Verification:
    """All statements on one network; known departures and slips of the paper, as sentences."""

    name: str
    source: str
    checks: tuple[Check, ...]
    departures: tuple[str, ...]
    errata: tuple[str, ...]

    @property
    def agrees(self) -> bool:
        return all(check.agrees for check in self.checks)

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"agrees": self.agrees}


def verify(name: str, network: nn.Module | None = None) -> Verification:
    """Hold the catalogue's network `name`, or the one given in its place, against its paper.

    Everything is counted on built modules and on what a picture does in them; only the statements
    come from a table. Raises Mistake for an unknown name, or one that has no paper.

    >>> verify("vgg11-lrn").agrees
    True
    """
    entry = catalogue.entry(name)
    if name not in PAPERS:
        known = ", ".join(PAPERS)
        raise Mistake(f"{name} has no paper to be held against ({entry.source}). Those: {known}.")
    if network is None:
        network = built(name)
    paper, summary = PAPERS[name], trace(network, (entry.channels, *entry.usual_size))
    checks = (
        *_totals(paper, summary),
        *_census(paper, network),
        *_children(paper, network, summary),
        *_settings(paper, network),
    )
    return Verification(name, entry.source, tuple(checks), paper.departures, paper.errata)


def built(name: str) -> nn.Module:
    """The catalogue's network for its own pixels and classes, without numbers in it."""
    entry = catalogue.entry(name)
    with torch.device("meta"):
        return catalogue.build(
            name, classes=entry.classes, channels=entry.channels, size=entry.usual_size
        )


def _totals(paper: Paper, summary: Summary) -> Iterator[Check]:
    used = sum(row.parameters for row in summary.rows)
    printed = (
        ("parameters, as printed", paper.parameters, used),
        ("units", paper.units, summary.units),
        ("multiply-adds", paper.multiply_adds, summary.multiply_adds),
    )
    for what, stated, counted in printed:
        if stated is not None:
            yield Check(what, str(stated), f"{counted:,}", stated.agrees(counted))
    exact = (
        ("parameters of its layers", paper.exact, used),
        ("with its auxiliary heads", paper.with_heads, summary.parameters),
        ("weighted layers", paper.layers, summary.depth),
        ("shortcuts", paper.shortcuts, sum(row.kind == "add" for row in summary.rows)),
    )
    for what, wanted, counted in exact:
        if wanted is not None:
            yield Check(what, f"{wanted:,}", f"{counted:,}", wanted == counted)


def _census(paper: Paper, network: nn.Module) -> Iterator[Check]:
    """Kernels and modules, counted by name."""
    sizes = Counter(
        "×".join(map(str, module.kernel_size))
        for module in network.modules()
        if isinstance(module, nn.Conv2d)
    )
    if paper.kernels:
        wanted = {size: n for size, n in paper.kernels.items() if n}
        yield Check("convolutions by size", _counts(wanted), _counts(sizes), wanted == dict(sizes))
    kinds = Counter(type(module).__name__ for module in network.modules())
    for kind, n in paper.modules.items():
        yield Check(kind, str(n), str(kinds[kind]), kinds[kind] == n)


def _children(paper: Paper, network: nn.Module, summary: Summary) -> Iterator[Check]:
    for child, shape in paper.shapes.items():
        rows = [row for row in summary.rows if _within(row.name, child)]
        found = rows[-1].shape if rows else ()
        yield Check(f"output of {child}", _sides(shape), _sides(found), found == shape)
    for child, wanted in paper.parts.items():
        counted = sum(row.parameters for row in summary.rows if _within(row.name, child))
        yield Check(f"parameters of {child}", f"{wanted:,}", f"{counted:,}", counted == wanted)
    for child, printed in paper.products.items():
        counted = sum(row.multiply_adds for row in summary.rows if _within(row.name, child))
        agrees = printed.agrees(counted)
        yield Check(f"multiply-adds of {child}", str(printed), f"{counted:,}", agrees)
    for child, wanted in paper.blocks.items():
        counted = len(list(network.get_submodule(child).children()))
        yield Check(f"blocks in {child}", str(wanted), str(counted), counted == wanted)


def _settings(paper: Paper, network: nn.Module) -> Iterator[Check]:
    if paper.norm is not None:
        norms = [m for m in network.modules() if isinstance(m, nn.LocalResponseNorm)]
        # torch divides alpha by the size of the window, the papers do not
        found = {(m.size, m.alpha / m.size, m.beta, m.k) for m in norms}
        words = ", ".join(map(_constants, sorted(found))) or "none"
        agrees = bool(found) and all(_near(each, paper.norm) for each in found)
        yield Check("response normalisation", _constants(paper.norm), words, agrees)
    if paper.differs is not None:
        other, kind = paper.differs
        ours, theirs = _layers(network), _layers(built(other))
        wanted = {name: layer for name, layer in ours.items() if layer.startswith(f"{kind}(")}
        rest = {name: layer for name, layer in ours.items() if name not in wanted}
        apart = [*wanted, *(n for n in rest.keys() | theirs if rest.get(n) != theirs.get(n))]
        agrees = bool(wanted) and rest == theirs
        yield Check(f"differs from {other} in", f"its {kind} alone", ", ".join(apart), agrees)


def _layers(network: nn.Module) -> dict[str, str]:
    """Every layer by name, as it describes itself."""
    return {name: str(m) for name, m in network.named_modules() if not list(m.children())}


def _within(row: str, child: str) -> bool:
    return row == child or row.startswith(f"{child}.")


def _near(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return all(abs(x - y) < 1e-9 for x, y in zip(a, b, strict=True))


def _constants(norm: tuple[int, float, float, float]) -> str:
    n, alpha, beta, k = norm
    return f"n = {n}, α = {alpha:g}, β = {beta:g}, k = {k:g}"


def _counts(counts: Mapping[str, int]) -> str:
    largest = sorted(counts.items(), key=lambda row: [-int(n) for n in row[0].split("×")])
    return ", ".join(f"{n} of {size}" for size, n in largest)


def _sides(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) or "none"
