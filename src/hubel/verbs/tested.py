"""The figures that a run keeps: of its validation, and of its test with the model they are of."""

import hashlib
from dataclasses import replace
from typing import Any

from hubel import reading
from hubel.model import FACTS, WEIGHTS
from hubel.results import Evaluation
from hubel.run import Run

TEST = "test.json"
MODEL = "model"  # the key that says of which model the test's figures are


def keep(run: Run, found: Evaluation) -> None:
    """Write a test's figures; what an earlier one of the same model measured beside it stays."""
    before = recall(run)
    if before is not None:
        found = replace(
            found,
            besides=found.besides or before.besides,
            mirrored=before.mirrored if found.mirrored is None else found.mirrored,
        )
    run.write_json(TEST, {MODEL: _digest(run)} | replace(found, against=None).as_json())


def recall(run: Run) -> Evaluation | None:
    """The test's figures of the model as it is; None for one that was trained or calibrated since.

    Raises Failure for figures that are damaged.
    """
    if not (run.path / TEST).is_file() or run.read_json(TEST, dict[str, Any]).get(MODEL) != _digest(
        run
    ):
        return None
    return figures(run, TEST)


def figures(run: Run, name: str) -> Evaluation | None:
    """Figures that were saved in the run folder, if they were. Raises Failure for damaged ones."""
    if not (run.path / name).is_file():
        return None
    return run.read_json(name, Evaluation)


def _digest(run: Run) -> str:
    """SHA-256 of the files of the run's model."""
    digest = hashlib.sha256()
    for name in (FACTS, WEIGHTS):
        digest.update(reading.content(run.path / "model" / name))
    return digest.hexdigest()
