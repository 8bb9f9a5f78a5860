"""Activation functions: their values and slopes, checked against automatic differentiation."""

import torch
from torch import Tensor

from hubel.basics.activations import ACTIVATIONS, curves, maxout_pair
from hubel.figures import percent
from hubel.labs.lab import Drawing, Finding, Setting, Shown
from hubel.report.drawing import ACCENT, INK, MUTED, panels, png, style

MAXOUT = (-1.0, 1.0)  # the two lines of the maxout that is drawn: |x|


def activation_functions(setting: Setting) -> Shown:
    """Every function of the product drawn with its slope; the slopes against autograd's."""
    points = setting.pick(101, 2001, 20001)
    rows: dict[str, tuple[Tensor, ...]] = dict(curves(-6, 6, points))
    x = next(iter(rows.values()))[0]
    rows["maxout of −x, x"] = (x, maxout_pair(MAXOUT, x), x.sign())
    errors: dict[str, float] = {}
    for i, (name, (x, _, slope)) in enumerate(rows.items()):
        errors[name] = float((slope - _by_autograd(name, x)).abs()[x != 0].max())
        setting.watch.progress("check", i + 1, len(rows), name)
    worst = max(errors, key=lambda name: errors[name])
    dead = {
        name: float((slope.abs() < 0.01).double().mean()) for name, (_, _, slope) in rows.items()
    }
    return Shown(
        findings=(
            Finding(
                "L6",
                f"{len(rows)} functions drawn; their slopes differ from automatic differentiation "
                f"by at most {errors[worst]:.1g} ({worst}). Of the stretch from −6 to 6 the slope "
                f"is below 0.01 on {percent(dead['sigmoid'], 0)} for the sigmoid, "
                f"{percent(dead['tanh'], 0)} for tanh, {percent(dead['relu'], 0)} for ReLU and "
                f"{percent(dead['leaky-relu'], 0)} for leaky ReLU.",
                errors[worst] < 1e-12,
                f"{points} points each, in float64; 0, where the ReLUs have a kink, left out",
            ),
        ),
        drawings=(
            Drawing(
                "activations",
                _picture(rows),
                "Values (solid) and slopes (dashed). Those of sigmoid and tanh die out on both "
                "sides; the ReLU's is 1 wherever it is on. Maxout takes the largest of several "
                "lines, and learns them.",
            ),
        ),
        numbers={"errors": errors, "slope below 0.01": dead},
        lines=tuple(f"{name}: {row.formula}" for name, row in ACTIVATIONS.items()),
    )


def _by_autograd(name: str, x: Tensor) -> Tensor:
    given = x.clone().requires_grad_()
    if name in ACTIVATIONS:
        value = ACTIVATIONS[name].module().double()(given)
    else:
        value = maxout_pair(MAXOUT, given)
    (slope,) = torch.autograd.grad(value.sum(), given)
    return slope


def _picture(rows: dict[str, tuple[Tensor, ...]]) -> bytes:
    with style():
        figure, axes = panels(len(rows) // 4 + 1, 4, width=190, height=170)
        for one, (name, (x, value, slope)) in zip(axes, rows.items(), strict=False):
            one.axhline(0, color=MUTED, lw=0.6, alpha=0.6)
            one.axvline(0, color=MUTED, lw=0.6, alpha=0.6)
            one.plot(x, value, color=INK, lw=1.8, label="value")
            one.plot(x, slope, color=ACCENT, lw=1.4, ls="--", label="slope")
            one.set(xlim=(-4, 4), ylim=(-2.2, 3.2))
            one.set_title(name, size=10)
        *_, last = axes  # without a function, since there are seven
        last.set_axis_off()
        handles, labels = axes[0].get_legend_handles_labels()
        last.legend(handles, labels, frameon=False, loc="center")
        return png(figure)
