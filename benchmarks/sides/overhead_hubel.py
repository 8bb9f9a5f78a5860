"""Epochs of `small` through hubel.train, with its figures, checkpoints, log and report."""

import json
import sys
import tempfile
import time
from pathlib import Path

import hubel
from hubel import entrance
from hubel.verbs.watch import Watch

told = json.loads(sys.argv[1])
entrance.enter()


class Ends(Watch):
    """When each epoch ended."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def progress(self, stage: str, done: int, total: int, detail: str = "") -> None:
        if stage == "epoch":
            self.ends.append(time.perf_counter())


watch = Ends()
with tempfile.TemporaryDirectory() as folder:
    trained = hubel.train(
        "fashion-mnist",
        out=Path(folder) / "run",
        watch=watch,
        epochs=told["epochs"],
        batch_size=told["batch"],
        precision=told["precision"],
        optimiser="sgd",
        lr=0.05,
        flip=False,
        arguments={"widths": [16, 32, 64]},
        device=told.get("device", "cpu"),
    )
seconds = (watch.ends[-1] - watch.ends[0]) / (told["epochs"] - 1)
print(json.dumps({"seconds": seconds, "validation": trained.history[-1]["validation_accuracy"]}))
