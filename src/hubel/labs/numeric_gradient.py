"""The numerical gradient, one dimension at a time, and the analytic one: exact, fast, checked."""

import math
import time
from collections.abc import Callable

import torch
from torch import Tensor

from hubel import draws
from hubel.basics.gradients import gradient_check, numerical_gradient
from hubel.labs.lab import Drawing, Finding, Setting, Shown
from hubel.labs.learning import Pictures, grey_pictures
from hubel.report.drawing import (
    ACCENT,
    INK,
    MUTED,
    legend_under,
    panels,
    plain_logs,
    png,
    style,
)
from hubel.verbs import machine

# The lecture gives W, h and the losses, but not the picture. This is a hinge loss of one that has
# them: max(0, 1 − w·x), with a fourth weight for the rest of the loss.
W = torch.tensor([0.34, -1.11, 0.78, 1.0], dtype=torch.float64)
PICTURE = torch.tensor([2.5, -0.6, 0.0, -1.76947], dtype=torch.float64)
H = 1e-4
LAMBDA = 0.01
TIMES = 50
STEPS = [10.0**-k for k in range(1, 13)]


def numeric_gradient(setting: Setting) -> Shown:
    """The lecture's numbers; then softmax regression on real pictures, with both gradients."""
    data = grey_pictures(200, 1, seed=setting.seed)
    sides = setting.pick([1, 2, 4, 8], [1, 2, 4, 7, 14, 28], [1, 2, 4, 7, 14, 28])
    said = [time.perf_counter()]

    def tick() -> None:
        if time.perf_counter() > said[0] + 1:
            said[0] = time.perf_counter()
            setting.watch.progress("numerical gradient", len(times), len(sides))

    times: dict[int, tuple[float, ...]] = {}
    with machine.threads(1):
        for side in sides:
            times[10 * side * side] = _times(data, side, tick, setting.seed)
    steps = {
        f"{differences}, {str(dtype).removeprefix('torch.')}": [
            _error(data, h, dtype, differences) for h in STEPS
        ]
        for differences in ("forward", "central")
        for dtype in (torch.float32, torch.float64)
    }
    x, y = _inputs(data, 4)
    w = _weights(x, setting.seed)
    right, dropped = (
        gradient_check(
            lambda w: loss(w, x, y), w, backward=lambda _, w, by=by: [slope(w, x, y, strength=by)]
        )
        for by in (LAMBDA, 1.0)
    )
    (fewer, most), apart = list(times)[-2:], max(row[2] for row in times.values())
    slow, fast, _ = times[most]
    growth = math.log(slow / times[fewer][0]) / math.log(most / fewer)
    finding = Finding(
        "L17",
        f"Exact: the two differ by {apart:.0e} (relative, float64). Fast: for {most} weights "
        f"{1000 * fast:.2g} ms against {slow:.2g} s, {slow / fast:,.0f} times. Checked: the "
        f"gradient passes with an error of {right.error:.0e}; where λ is dropped (2W for 2λW, "
        f"λ = {LAMBDA}) the check reports {dropped.error:.2g}.",
        apart < 1e-6 and slow > fast and right.right and not dropped.right,
        f"{len(times)} sizes, {len(data.train)} {data.what} pictures, one core",
        f"from {fewer} to {most} weights the numerical gradient's time grows as their number to "
        f"the {growth:.2g}",
    )
    first, lines, gradient = _lecture()
    return Shown(
        (first, finding),
        (_chart(times, steps),),
        {
            "gradient": gradient,
            "seconds": {str(n): row[:2] for n, row in times.items()},
            "steps": STEPS,
            "errors": steps,
            "error": right.error,
            "error_without_lambda": dropped.error,
        },
        lines,
    )


def _lecture() -> tuple[Finding, tuple[str, ...], list[float]]:
    """L16: each dimension moved by h, the loss, and the slope."""

    def hinge(w: Tensor) -> float:
        return float((1 - w @ PICTURE).clamp(min=0))

    here = hinge(W)
    gradient = numerical_gradient(hinge, W, step=H, differences="forward")[:3].tolist()
    moved = [hinge(W + H * torch.eye(4, dtype=torch.float64)[i]) for i in range(3)]
    lines = [f"W = (0.34, −1.11, 0.78, …), loss {here:.5f}, h = {H}"]
    for i, (there, g) in enumerate(zip(moved, gradient, strict=True)):
        lines.append(f"dimension {i + 1}: ({there:.5f} − {here:.5f}) / {H} = {round(g, 6) + 0:g}")
    told = ", ".join(f"{round(g, 6) + 0:g}" for g in gradient)
    golden = [round(g, 6) for g in gradient] == [-2.5, 0.6, 0.0]
    finding = Finding("L16", f"{told}, from losses {', '.join(f'{m:.5f}' for m in moved)}.",
                      golden, "one hinge loss with the lecture's values")  # fmt: skip
    return finding, tuple(lines), gradient


def loss(w: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Softmax regression: the mean of −ln p(y), and λ Σ W². w (D, K), x (N, D), y int64 (N,)."""
    return torch.nn.functional.cross_entropy(x @ w, y) + LAMBDA * w.square().sum()


def slope(w: Tensor, x: Tensor, y: Tensor, *, strength: float = LAMBDA) -> Tensor:
    """Its gradient by calculus: Xᵀ(p − 1_y)/N + 2λW."""
    p = (x @ w).softmax(1)
    p[torch.arange(len(y)), y] -= 1
    return x.T @ p / len(y) + 2 * strength * w


def _inputs(data: Pictures, side: int) -> tuple[Tensor, Tensor]:
    small = torch.nn.functional.adaptive_avg_pool2d(data.train.double() / 255, side)
    return small.flatten(1), data.train_labels


def _weights(x: Tensor, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(draws.integer(seed, "weights"))
    return torch.randn(x.shape[1], 10, generator=generator, dtype=torch.float64) / 10


def _times(data: Pictures, side: int, tick: Callable[[], None], seed: int) -> tuple[float, ...]:
    """Seconds of one core for the numerical and for the analytic gradient, and their difference."""
    x, y = _inputs(data, side)
    w = _weights(x, seed)

    def watched(w: Tensor) -> Tensor:
        tick()
        return loss(w, x, y)

    start = time.process_time()
    numeric = numerical_gradient(watched, w, step=1e-5)
    slow = time.process_time() - start
    start = time.process_time()
    for _ in range(TIMES):
        analytic = slope(w, x, y)
    fast = (time.process_time() - start) / TIMES
    return slow, fast, _apart(numeric, analytic)


def _error(data: Pictures, step: float, dtype: torch.dtype, differences: str) -> float:
    x, y = _inputs(data, 2)
    w = _weights(x, 0)
    there = x.to(dtype)
    numeric = numerical_gradient(
        lambda w: loss(w, there, y), w.to(dtype), step=step, differences=differences
    )
    return _apart(numeric, slope(w, x, y))


def _apart(a: Tensor, b: Tensor) -> float:
    """The largest difference, relative to the largest slope."""
    return float((a - b).abs().max() / b.abs().max())


def _chart(times: dict[int, tuple[float, ...]], steps: dict[str, list[float]]) -> Drawing:
    with style():
        figure, (left, right) = panels(1, 2, width=330, height=260)
        numeric, analytic, _ = zip(*times.values(), strict=True)
        left.loglog(list(times), numeric, "o-", color=ACCENT, label="numerical")
        left.loglog(list(times), analytic, "o-", color=INK, label="analytic")
        left.set(xlabel="weights", ylabel="seconds for one gradient")
        legend_under(left, columns=2)
        for name, errors in steps.items():
            colour = ACCENT if "central" in name else MUTED
            right.loglog(STEPS, errors, ":" if "32" in name else "-", color=colour, label=name)
        right.set(xlabel="h", ylabel="error, relative", ylim=(1e-14, 1e3))
        legend_under(right, columns=2)
        plain_logs(left)
        plain_logs(right, decades=2)
        return Drawing(
            "gradients",
            png(figure),
            "Left: the time of one gradient. Right: the numerical gradient's error against its "
            "step h: too large, and the curve is missed; too small, and only rounding is left.",
        )
