"""The classic networks, held against their papers; and how much faster a GPU is than this.

What they reached on ImageNet is published and not measured here: its pictures must be fetched.
"""

import time
from collections.abc import Mapping
from typing import Any

import torch
from torch.nn import functional as F

from hubel.basics.summary import trace
from hubel.labs.lab import Drawing, Finding, Setting, Shown
from hubel.networks import catalogue
from hubel.networks.papers import PAPERS
from hubel.report.drawing import ACCENT, INK, MUTED, in_percent, panels, png, style
from hubel.verbs.verify import Verification, built, verify

# claim → the networks that are held against their papers for it
FAMILIES = {
    "L27": ("alexnet-2012", "alexnet-2012-one-column", "alexnet-2014"),
    "L28": ("vgg11", "vgg11-lrn", "vgg13", "vgg16-1x1", "vgg16", "vgg19"),
    "L29": ("googlenet-2014", "googlenet-bn"),
    "L30": (
        "resnet18",
        "resnet34",
        "resnet50-2015",
        "resnet101-2015",
        "resnet152-2015",
        "plain18",
        "plain34",
    ),
}
DRAWN = {"alexnet-2012": (9, -4), "vgg16": (-9, 9), "vgg19": (16, -4), "googlenet-2014": (9, -4),
         "resnet34": (9, 4), "resnet50-2015": (9, -4), "resnet101-2015": (9, 4),
         "resnet152-2015": (9, -8)}  # fmt: skip


def networks(setting: Setting) -> Shown:
    """Every network of the lecture built and counted; published errors against multiply-adds."""
    names = [name for family in FAMILIES.values() for name in family]
    found: dict[str, Verification] = {}
    for i, name in enumerate(names):
        found[name] = verify(name)
        setting.watch.progress("verify", i + 1, len(names), name)
    sizes = {name: _size(name) for name in DRAWN}
    alexnet = sizes["alexnet-2012"]
    ratio = _gpu_ratio(setting) if torch.cuda.is_available() else None
    return Shown(
        findings=(
            Finding(
                "L1",
                f"Counted on alexnet-2012: {alexnet['parameters']:,} parameters, "
                f"{alexnet['units']:,} units, {alexnet['depth'] - 1} hidden layers. Its error "
                "needs ImageNet's pictures and days of training: hubel train IMAGENET --recipe "
                "alexnet-2012.",
                None,
                "one network, built",
            ),
            _gpu(ratio),
            *(_family(claim, [found[name] for name in FAMILIES[claim]]) for claim in FAMILIES),
        ),
        drawings=(
            Drawing(
                "networks",
                _picture(sizes),
                "Published top-5 error of one network (ImageNet validation, as each paper measured "
                "it) against the multiply-adds counted here; the area is the number of parameters.",
            ),
        ),
        numbers={
            "verified": {name: result.as_json() for name, result in found.items()},
            "sizes": sizes,
            "gpu": ratio,
        },
        lines=tuple(
            f"{name}: {sum(check.agrees for check in result.checks)} of {len(result.checks)} "
            "statements of its paper agree with what was built"
            for name, result in found.items()
        ),
    )


def _family(claim: str, results: list[Verification]) -> Finding:
    checks = [check for result in results for check in result.checks]
    wrong = [
        f"{result.name} {check.what}: {check.stated} stated, {check.counted} counted"
        for result in results
        for check in result.checks
        if not check.agrees
    ]
    said = f"; not: {'; '.join(wrong)}" if wrong else ""
    return Finding(
        claim,
        f"{len(checks) - len(wrong)} of {len(checks)} statements of the papers (shapes, "
        f"parameters, layers, kernels) agree with what was built{said}. Errors are as published: "
        "measuring them needs ImageNet's pictures.",
        not wrong,
        f"{', '.join(result.name for result in results)}",
    )


def _size(name: str) -> dict[str, Any]:
    entry = catalogue.entry(name)
    summary = trace(built(name), (entry.channels, *entry.usual_size))
    errors = [row.top5 for row in PAPERS[name].published if row.top5 is not None]
    return {
        "parameters": sum(row.parameters for row in summary.rows),  # without auxiliary heads
        "multiply_adds": summary.multiply_adds,
        "units": summary.units,
        "depth": summary.depth,
        "top5": errors[0],  # the paper's own: each that is drawn has one
    }


def _gpu(ratio: float | None) -> Finding:
    if ratio is None:
        return Finding(
            "L2",
            "There is no GPU here; on a machine with one the same lab measures it: hubel lab "
            "networks.",
            None,
            "no device",
        )
    name = torch.cuda.get_device_name()
    return Finding(
        "L2",
        f"A training step of AlexNet takes {ratio:.0f} times as long a picture on this processor "
        f"({torch.get_num_threads()} threads) as on {name}, both in float32.",
        ratio >= 50,
        "batches of 128, the median of 5 steps",
    )


def _gpu_ratio(setting: Setting) -> float:
    seconds: Mapping[str, float] = {where: _step(where, setting) for where in ("cpu", "cuda")}
    return seconds["cpu"] / seconds["cuda"]


def _step(where: str, setting: Setting, batch: int = 128) -> float:
    """Seconds of a training step of AlexNet."""
    torch.manual_seed(setting.seed)
    network = catalogue.build("alexnet-2012", classes=1000, channels=3, size=(227, 227)).to(where)
    pixels = torch.rand(batch, 3, 227, 227, device=where)
    labels = torch.randint(0, 1000, (batch,), device=where)
    found = []
    for _ in range(6):
        began = time.perf_counter()
        network.zero_grad()
        F.cross_entropy(network(pixels), labels).backward()  # type: ignore[no-untyped-call]
        if where == "cuda":
            torch.cuda.synchronize()
        found.append(time.perf_counter() - began)
    return sorted(found[1:])[2]  # the first one also sets the kernels up


def _picture(sizes: Mapping[str, Mapping[str, Any]]) -> bytes:
    with style():
        figure, [axes] = panels(1, 1, width=520, height=330)
        for name, size in sizes.items():
            x, y = size["multiply_adds"] / 1e9, size["top5"]
            colour = ACCENT if name.startswith("resnet") else MUTED
            axes.scatter([x], [y], s=size["parameters"] / 2.5e5, color=colour, alpha=0.55, lw=0)
            across, up = DRAWN[name]
            axes.annotate(
                name.removesuffix("-2015"), (x, y), xytext=(across, up), fontsize=9, color=INK,
                textcoords="offset points", ha="left" if across > 0 else "right",
            )  # fmt: skip
        axes.set_xscale("log")
        axes.set_xlim(0.4, 60)
        axes.set_xticks([0.5, 1, 2, 5, 10, 20, 50], ["0.5", "1", "2", "5", "10", "20", "50"])
        axes.minorticks_off()
        axes.set_ylim(0, 20)
        axes.set_yticks([0, 5, 10, 15, 20])
        in_percent(axes.yaxis, whole=100)
        axes.set(xlabel="multiply-adds of one picture, in billions", ylabel="top-5 error")
        return png(figure)
