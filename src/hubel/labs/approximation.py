"""Enough hidden units approximate any continuous function (Cybenko 1989; Hornik et al. 1989)."""

import torch
from torch import Tensor, nn

from hubel import draws
from hubel.figures import percent
from hubel.labs.lab import Drawing, Finding, Setting, Shown
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


def approximation(setting: Setting) -> Shown:
    """One hidden layer of 1, 2, 4, … tanh units fitted to one function, and to two spirals."""
    numbers = setting.pick([1, 4], [1, 2, 4, 8, 16, 32, 64], [1, 2, 4, 8, 16, 32, 64, 128])
    starts = setting.pick(1, 3, 5)
    x = torch.linspace(-1, 1, 401)[:, None]
    target = torch.sin(6 * torch.pi * x) * torch.exp(-x.square()) + 0.3 * x
    errors: dict[int, list[float]] = {}
    drawn: dict[int, Tensor] = {}
    for i, units in enumerate(numbers):
        fits = [
            fitted(x, target, units, seed=draws.integer(setting.seed, units, start))
            for start in range(starts)
        ]
        errors[units] = sorted(error for error, _ in fits)
        drawn[units] = min(fits, key=lambda fit: fit[0])[1]
        setting.watch.progress("fit", i + 1, len(numbers), f"{units} units")
    best = [errors[units][0] for units in numbers]
    spirals = _spirals(setting)
    return Shown(
        findings=(
            Finding(
                "L7",
                f"The error falls from {best[0]:.2g} with {numbers[0]} unit to {best[-1]:.2g} with "
                f"{numbers[-1]} (root mean square; the function spans "
                f"{float(target.max() - target.min()):.2g}); two spirals, which no line parts, are "
                f"told apart at {percent(spirals['line'], 0)} by a line and at "
                f"{percent(spirals['units'], 0)} with hidden units.",
                best[-1] < best[0] / 10 and spirals["units"] > 0.99 > spirals["line"],
                f"401 points, {starts} starts for each number of units",
                f"worst start of {numbers[-1]} units {errors[numbers[-1]][-1]:.2g}",
            ),
        ),
        drawings=(
            Drawing(
                "approximation",
                _picture(x, target, drawn, dict(zip(numbers, best, strict=True))),
                "Left: a function, and what a few hidden units make of it. Right: the error "
                "against the number of units, the best of the starts.",
            ),
        ),
        numbers={"errors": {str(units): found for units, found in errors.items()}} | spirals,
    )


def fitted(x: Tensor, target: Tensor, units: int, *, seed: int) -> tuple[float, Tensor]:
    """The root mean square error of a fit by L-BFGS, and the fitted function (N, 1)."""
    generator = torch.Generator().manual_seed(seed)
    network = nn.Sequential(nn.Linear(x.shape[1], units), nn.Tanh(), nn.Linear(units, 1))
    for parameter in network.parameters():
        spread = 12.0 if parameter.shape[0] == units and parameter.numel() <= 2 * units else 0.3
        nn.init.uniform_(parameter, -spread, spread, generator=generator)
    optimiser = torch.optim.LBFGS(
        network.parameters(), max_iter=800, tolerance_change=1e-12, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss: Tensor = (network(x) - target).square().mean()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        made: Tensor = network(x)
    return float((made - target).square().mean().sqrt()), made


def _spirals(setting: Setting) -> dict[str, float]:
    """The share of two intertwined spirals' points told apart by a line and with hidden units."""
    t = torch.linspace(0.5, 3, 200)
    arm = torch.stack((t * torch.cos(3 * t), t * torch.sin(3 * t)), 1) / 3
    points, sides = torch.cat((arm, -arm)), torch.cat((torch.ones(200, 1), -torch.ones(200, 1)))
    with_one = torch.cat((points, torch.ones(400, 1)), 1)
    line = with_one @ torch.linalg.lstsq(with_one, sides).solution
    _, curved = fitted(points, sides, setting.pick(8, 32, 32), seed=setting.seed)
    return {
        "line": float((line * sides > 0).double().mean()),
        "units": float((curved * sides > 0).double().mean()),
    }


def _picture(
    x: Tensor, target: Tensor, drawn: dict[int, Tensor], errors: dict[int, float]
) -> bytes:
    with style():
        figure, (left, right) = panels(1, 2, width=330, height=260)
        left.plot(x, target, color=MUTED, alpha=0.5, lw=5, label="the function")
        shown = [units for units in (2, 4, 8, 32) if units in drawn][-3:]
        for units, colour, dashes in zip(shown, (INK, INK, ACCENT), (":", "--", "-"), strict=False):
            left.plot(x, drawn[units], dashes, color=colour, lw=1.4, label=f"{units} units")
        left.set_ylim(-1.3, 2.3)
        left.set_xticks([-1, -0.5, 0, 0.5, 1])
        legend_under(left, columns=2)
        right.loglog(list(errors), list(errors.values()), "o-", color=ACCENT)
        plain_logs(right)
        right.set_xscale("log", base=2)
        right.set_xticks(list(errors), list(map(str, errors)))
        right.set(xlabel="hidden units", ylabel="root mean square error")
        return png(figure)
