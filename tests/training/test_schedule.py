"""Schedules against torch's own, and the plateau against a replay by hand."""

import math
import warnings
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hubel.mistakes import Mistake
from hubel.training.schedule import NAMES, Progress, schedule

STEPS, EPOCHS = 10, 6


def multipliers(name: str, **settings: object) -> list[float]:
    function = schedule(name, **settings)  # type: ignore[arg-type]
    return [function(Progress(step, STEPS, EPOCHS)) for step in range(STEPS * EPOCHS)]


def oracle(make: Callable[[torch.optim.Optimizer], object]) -> list[float]:
    """The rates of a torch scheduler that is stepped after every step."""
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = make(optimiser)
    rates = []
    for _ in range(STEPS * EPOCHS):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        scheduler.step()  # type: ignore[attr-defined]
    return rates


def test_step_is_torchs_multi_step() -> None:
    theirs = oracle(lambda o: torch.optim.lr_scheduler.MultiStepLR(o, [30, 45], gamma=0.1))
    assert multipliers("step", milestones=(0.5, 0.75)) == pytest.approx(theirs, rel=1e-12)


def test_cosine_is_torchs() -> None:
    theirs = oracle(lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, STEPS * EPOCHS))
    assert multipliers("cosine") == pytest.approx(theirs, rel=1e-9, abs=1e-12)


def test_one_cycle_rises_to_one_and_falls_to_nothing() -> None:
    found = multipliers("one-cycle", peak=0.25, start=0.1)
    assert found[0] == pytest.approx(0.1)
    assert found[15] == 1.0
    assert found[-1] == pytest.approx(1 / 45)
    knots = torch.tensor([0.0, 15.0, 60.0])
    for step, value in enumerate(found):  # the obvious interpolation
        left = 0 if step < 15 else 1
        share = (step - knots[left]) / (knots[left + 1] - knots[left])
        values = (0.1, 1.0, 0.0)
        assert value == pytest.approx(
            values[left] + float(share) * (values[left + 1] - values[left]), abs=1e-6
        )


def test_constant_is_one() -> None:
    assert set(multipliers("constant")) == {1.0}


@given(st.lists(st.floats(0, 1), max_size=30), st.integers(1, 5))
def test_plateau_is_torchs(history: list[float], patience: int) -> None:
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    # torch drops after MORE than its patience of bad epochs
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimiser, "max", factor=0.1, patience=patience - 1, threshold=0, eps=0
    )
    ours = schedule("plateau", patience=patience)
    for n, accuracy in enumerate(history, 1):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs.step(accuracy)
        progress = Progress(n * STEPS, STEPS, 40, tuple(history[:n]))
        assert ours(progress) == pytest.approx(optimiser.param_groups[0]["lr"], rel=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_warmup_grows_linearly_and_then_leaves_alone(name: str) -> None:
    plain, warmed = multipliers(name), multipliers(name, warmup=2.0)
    for step in range(STEPS * EPOCHS):
        factor = min(1.0, (step + 1) / 20)
        assert warmed[step] == pytest.approx(factor * plain[step])


@pytest.mark.parametrize("name", NAMES)
def test_multipliers_are_in_the_unit_interval(name: str) -> None:
    assert all(0 <= m <= 1 and math.isfinite(m) for m in multipliers(name))


def test_unknown_names_and_impossible_settings() -> None:
    with pytest.raises(Mistake, match="cosine"):
        schedule("cosin")
    with pytest.raises(Mistake, match="-1"):
        schedule("cosine", warmup=-1)
    for setting, value in (
        ("warmup", math.nan), ("patience", 0), ("factor", -1.0), ("factor", 1.5),
        ("peak", 1.0), ("peak", -0.5), ("start", 2.0),
    ):  # fmt: skip
        with pytest.raises(Mistake, match=str(value)):
            schedule("one-cycle", **{setting: value})  # type: ignore[arg-type]
