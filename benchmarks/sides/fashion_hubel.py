"""One whole schedule on Fashion-MNIST through hubel.train, and its accuracy on the test."""

import json
import sys
import tempfile
import time
from pathlib import Path

import hubel
from hubel import entrance

told = json.loads(sys.argv[1])
entrance.enter()
with tempfile.TemporaryDirectory() as folder:
    began = time.perf_counter()
    run = Path(folder) / "run"
    trained = hubel.train("fashion-mnist", out=run, seed=told["seed"], **told["settings"])
    seconds = time.perf_counter() - began
    tested = hubel.evaluate(run)
print(
    json.dumps(
        {
            "seconds": seconds,  # from the call to the saved model and its report
            "accuracy": tested.accuracy,
            "validation": trained.validation.accuracy,
            "epochs": len(trained.history),
        }
    )
)
