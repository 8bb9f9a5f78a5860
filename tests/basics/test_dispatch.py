"""Draws of one thread alone, and torch's own flags as they were."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._python_dispatch import is_in_torch_dispatch_mode

from hubel.basics.dispatch import Drawing, Watching

DRAWS: list[Callable[[], Tensor]] = [
    lambda: nn.Linear(5, 3).weight,
    lambda: nn.Conv2d(3, 4, 3).bias,
    lambda: nn.init.orthogonal_(torch.empty(4, 4)),
    lambda: nn.init.trunc_normal_(torch.empty(9)),
    lambda: torch.rand(3),
    lambda: torch.randn(3, 3),
    lambda: torch.randperm(9),
    lambda: torch.randint(9, (4,)),
    lambda: torch.randint(3, 9, (4,)),
    lambda: torch.randn_like(torch.ones(4)),
    lambda: torch.bernoulli(torch.full((9,), 0.5)),
    lambda: F.dropout(torch.ones(9)),
    lambda: torch.multinomial(torch.ones(9), 3),
]


@pytest.mark.parametrize("number", range(len(DRAWS)))
def test_draws_are_those_after_a_seed_and_nobody_elses_change(number: int) -> None:
    with torch.random.fork_rng([]):
        torch.manual_seed(5)
        expected = DRAWS[number]()
        before = torch.get_rng_state()
        with Drawing(5):
            assert torch.equal(DRAWS[number](), expected)
        assert torch.equal(torch.get_rng_state(), before)


def test_a_generator_that_was_given_is_used() -> None:
    given = torch.Generator().manual_seed(1)
    with Drawing(5):
        found = torch.rand(3, generator=given)
    assert torch.equal(found, torch.rand(3, generator=torch.Generator().manual_seed(1)))


def test_torchs_flags_stay_where_two_come_and_go_in_turn() -> None:
    class Nothing(Watching):
        def __torch_dispatch__(self, func, _types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            return func(*args, **(kwargs or {}))

    before = is_in_torch_dispatch_mode()
    with Nothing():
        assert is_in_torch_dispatch_mode() == before
        assert float(torch.ones(2).sum()) == 2


def test_the_compiler_does_not_look_into_it() -> None:
    """It would compile the function below for every operation, and stop after eight."""
    counters = torch._dynamo.utils.counters
    counters.clear()
    compiled = torch.compile(
        nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 2)), backend="eager"
    )

    class Nothing(Watching):
        def __torch_dispatch__(self, func, _types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            assert not torch.compiler.is_compiling()
            return func(*args, **(kwargs or {}))

    x = torch.rand(4, 3)
    with Nothing() as mode:
        seen = compiled(x)
        assert mode.__torch_dispatch__.__self__ is mode
        # not the function that dynamo would trace, but what keeps it out of there
        assert mode.__torch_dispatch__.__func__ is not Nothing.__torch_dispatch__
        assert mode.__torch_dispatch__.__func__._torchdynamo_disable
    assert torch.equal(seen, compiled(x))
    assert counters["frames"]["total"] <= 2, counters["frames"]  # the network's own
