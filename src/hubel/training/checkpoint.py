"""A training as bytes, and back: weights and optimiser state in safetensors, the rest in JSON.

Nothing is pickled. Where the bytes are kept is the run folder's business (`hubel.run`).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn

from hubel import reading
from hubel.mistakes import Failure
from hubel.tensors import pack, unpack
from hubel.training.loop import TrainingState
from hubel.training.optimisers import Optimiser

MODEL, OPTIMISER, STATE = "model.safetensors", "optimiser.safetensors", "state.json"


@dataclass(frozen=True)
class _Optimiser:
    """`Optimiser.facts`."""

    kind: str
    rates: list[float]


@dataclass(frozen=True)
class _Facts:
    """`state.json`: of `TrainingState` what is no weights, and the optimiser's facts."""

    epoch: int
    step: int
    history: list[dict[str, int | float]]
    best_epoch: int
    seconds: float
    sums: tuple[float, float, float]
    optimiser: _Optimiser


def save(model: nn.Module, optimiser: Optimiser, state: TrainingState) -> dict[str, bytes]:
    """The files of a checkpoint. Raises FloatingPointError rather than save weights not finite."""
    weights = model.state_dict()
    for name, tensor in weights.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise FloatingPointError(f"The weights {name} are not finite: lower the learning rate.")
    facts = {
        "epoch": state.epoch,
        "step": state.step,
        "history": state.history,
        "best_epoch": state.best_epoch,
        "seconds": state.seconds,
        "sums": state.sums.tolist(),
        "optimiser": optimiser.facts(),
    }
    return {
        MODEL: pack(weights),
        OPTIMISER: pack(optimiser.tensors()),
        STATE: json.dumps(facts).encode(),
    }


def restore(files: Mapping[str, bytes], model: nn.Module, optimiser: Optimiser) -> TrainingState:
    """Fill model and optimiser in place and give the state back; `best` is for the caller to add.

    Raises Failure when the files do not belong to this model.
    """
    try:
        facts = reading.parsed(files[STATE], _Facts, STATE)
        model.load_state_dict(unpack(files[MODEL], MODEL))
        optimiser.restore(unpack(files[OPTIMISER], OPTIMISER), vars(facts.optimiser))
    except (KeyError, RuntimeError) as wrong:
        text = str(wrong).replace("\n", " ")
        raise Failure(f"The checkpoint is not one of this training: {text[:300]}") from wrong
    told = {name: value for name, value in vars(facts).items() if name != "optimiser"}
    return TrainingState(**told | {"sums": torch.tensor(facts.sums, dtype=torch.float64)})
