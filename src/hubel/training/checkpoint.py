"""A training as bytes, and back: weights and optimiser state in safetensors, the rest in JSON.

Nothing is pickled. Where the bytes are kept is the run folder's business (`hubel.run`).
"""

import json
from collections.abc import Mapping

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from hubel.mistakes import Failure
from hubel.model import pack
from hubel.training.loop import TrainingState
from hubel.training.optimisers import Optimiser

MODEL, OPTIMISER, STATE = "model.safetensors", "optimiser.safetensors", "state.json"


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
        model.load_state_dict(unpack(files[MODEL]))
        facts = json.loads(files[STATE])
        optimiser.restore(unpack(files[OPTIMISER]), facts.pop("optimiser"))
        facts["sums"] = torch.tensor(facts["sums"], dtype=torch.float64)
        return TrainingState(**facts)
    except (KeyError, TypeError, ValueError, RuntimeError) as wrong:
        text = str(wrong).replace("\n", " ")
        raise Failure(f"The checkpoint is not one of this training: {text[:300]}") from wrong


def unpack(content: bytes) -> dict[str, Tensor]:
    """Tensors by name. Raises Failure for what is no safetensors file."""
    try:
        return safetensors.torch.load(content)
    except safetensors.SafetensorError as wrong:
        raise Failure(f"These are no safetensors weights: {wrong}.") from None
