"""The activation functions' lab: every function, and an error that would be seen."""

import pytest

from hubel.basics import activations
from hubel.labs import activation_functions as lab
from hubel.labs.lab import Setting


def test_slopes_are_checked() -> None:
    shown = lab.activation_functions(Setting("quick"))
    assert set(shown.numbers["errors"]) == {*activations.ACTIVATIONS, "maxout of −x, x"}
    assert shown.findings[0].holds


def test_a_wrong_slope_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    wrong = replace(activations.ACTIVATIONS["tanh"], derivative=lambda x: 1 - x**2)
    monkeypatch.setitem(activations.ACTIVATIONS, "tanh", wrong)
    shown = lab.activation_functions(Setting("quick"))
    assert shown.findings[0].holds is False
    assert "tanh" in shown.findings[0].measured
