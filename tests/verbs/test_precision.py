"""Mixed precision where the hardware multiplies bfloat16, float32 everywhere else."""

from pathlib import Path

import pytest
import torch

import hubel
from hubel.mistakes import Mistake
from hubel.verbs import machine

CPU = torch.device("cpu")


@pytest.fixture(params=[False, True], ids=["without", "with bfloat16"])
def able(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    there = {"avx512_bf16": request.param, "amx_bf16": False}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: there)
    return bool(request.param)


def test_auto_follows_the_hardware(able: bool) -> None:
    assert machine.autocast("auto", CPU) == (torch.bfloat16 if able else None)
    assert machine.autocast("float32", CPU) is None
    assert machine.environment(CPU)["bfloat16"] is able


def test_asked_for_where_it_would_be_emulated(able: bool) -> None:
    if able:
        assert machine.autocast("bfloat16", CPU) is torch.bfloat16
    else:
        with pytest.raises(Mistake, match=r"multiplies bfloat16.*--set precision=float32"):
            machine.autocast("bfloat16", CPU)


def test_a_processor_that_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)
    assert machine.autocast("auto", CPU) is None


@pytest.mark.slow
def test_both_precisions_learn_the_same(tmp_path: Path) -> None:
    """Emulated where the processor has no bfloat16: the arithmetic is the same, only slower."""
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    accuracies = [
        hubel.train(
            "digits",
            epochs=4,
            precision=precision,
            out=tmp_path / precision,
            threads=1,
            network="mlp",
            arguments={"hidden": [32]},
            optimiser="adam",
            lr=0.01,
        ).validation.accuracy
        for precision in ("float32", "bfloat16")
    ]
    monkeypatch.undo()
    assert min(accuracies) > 0.9
    assert abs(accuracies[0] - accuracies[1]) < 0.05
