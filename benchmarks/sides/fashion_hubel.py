"""One whole schedule on Fashion-MNIST through hubel.train, and its accuracy on the test."""

import json
import sys
import tempfile
from pathlib import Path

import hubel
from hubel import entrance

told = json.loads(sys.argv[1])
entrance.enter()
with tempfile.TemporaryDirectory() as folder:
    run = Path(folder) / "run"
    trained = hubel.train("fashion-mnist", out=run, seed=told["seed"], **told["settings"])
    tested = hubel.evaluate(run)
print(
    json.dumps(
        {
            "seconds": trained.history[-1]["seconds"],
            "accuracy": tested.accuracy,
            "validation": trained.validation.accuracy,
            "epochs": len(trained.history),
        }
    )
)
