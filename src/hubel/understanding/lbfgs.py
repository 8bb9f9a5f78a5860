"""The memory of torch's L-BFGS as tensors by name, so that it can be saved without a pickle."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from hubel.mistakes import Failure

LISTS = ("old_dirs", "old_stps", "ro")  # one entry for each step that is remembered
NAMES = ("n_iter", "func_evals", "d", "t", "H_diag", "prev_flat_grad", "prev_loss")


def packed(state: Mapping[str, Any]) -> dict[str, Tensor]:
    """L-BFGS's state as tensors: its numbers as "name:number", its lists as "name.i"."""
    found: dict[str, Tensor] = {}
    for key, value in state.items():
        if isinstance(value, list):
            if key != "al":  # scratch space
                found.update({f"{key}.{i}": each for i, each in enumerate(value)})
        elif isinstance(value, Tensor):
            found[key] = value
        else:
            kind = torch.int64 if isinstance(value, int) else torch.float64
            found[f"{key}:number"] = torch.tensor(value, dtype=kind)
    return found


def unpacked(state: Mapping[str, Tensor]) -> dict[str, Any]:
    """What `packed` made, as L-BFGS keeps it: copies; empty where there is no memory.

    state may hold "parameters" and "number" besides. Raises Failure where a part is missing.
    """
    found: dict[str, Any] = {}
    lists: dict[str, dict[int, Tensor]] = {}
    for key, value in state.items():
        name, dot, place = key.partition(".")
        if key in ("parameters", "number"):
            continue
        if dot:
            lists.setdefault(name, {})[int(place)] = value.clone()
        elif key.endswith(":number"):
            found[key.removesuffix(":number")] = value.item()
        else:
            found[key] = value.clone()
    found.update((name, []) for name in LISTS if found)
    for name, values in lists.items():
        found[name] = [values[i] for i in sorted(values)]
    missing = [name for name in NAMES if found and name not in found]
    if missing or len({len(found[name]) for name in LISTS if found}) > 1:
        raise Failure(
            "The optimiser's memory is not complete"
            + (f": it lacks {', '.join(missing)}." if missing else ".")
        )
    return found
