"""One fold: `hubel train` and `hubel evaluate` as commands, from nothing."""

import json
import os
import subprocess
import sys
import tempfile
import time

began = time.perf_counter()
told = json.loads(sys.argv[1])
settings = dict(told["settings"])
options = [f"--{name}={settings.pop(name)}" for name in ("recipe", "epochs") if name in settings]
with tempfile.TemporaryDirectory() as folder:
    run = f"{folder}/run"
    environment = os.environ | {"HUBEL_HOME": f"{folder}/home"}
    hubel = [sys.executable, "-m", "hubel"]
    train = [*hubel, "train", told["folder"], "--validation=0.05", f"--out={run}", *options]
    # mirrored, a bird is a bird still: a folder has to be told
    subprocess.run([*train, "--set", "flip=true"], env=environment, check=True, capture_output=True)
    evaluate = [*hubel, "evaluate", run, "--json"]

    def evaluated(*options: str) -> dict:
        done = subprocess.run(
            [*evaluate, *options], env=environment, check=True, capture_output=True, text=True
        )
        return json.loads(done.stdout)

    found = evaluated("--no-baselines")
    result = {
        "n": found["n"],
        "right": round(found["accuracy"] * found["n"]),
        "accuracy": found["accuracy"],
        "wall": time.perf_counter() - began,  # in place of the process's: without the baselines
    }
    if told["baselines"]:
        for row in evaluated()["besides"]:
            if row["name"].startswith("HOG"):
                result["hog"] = {"n": found["n"], "right": round(row["accuracy"] * found["n"])}
    print(json.dumps(result))
