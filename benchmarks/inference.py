"""How fast does hubel answer pictures beside a plain PyTorch loop, at any batch size of the loop?

EfficientNet-Lite0 at 224 × 224. The plain loop is run as shipped at every batch size of BATCHES,
and at its best one and at 64 under our allocator's setting too. hubel's batch size is the one that
a long job finds and remembers by itself. Both sides' logits for the same pictures are compared.
"""

import tempfile
from pathlib import Path

import measure
import numpy as np
from measure import TUNED, Figure, Side

BATCHES = (1, 4, 8, 16, 64)
OPERATIONS = 2 * 385e6  # multiply-adds of EfficientNet-Lite0 at 224, counted as two each
COLUMNS = ("side", "threads", "n", "median", "low", "high", "ratio", "ratio_low", "ratio_high")


def main() -> None:
    told = measure.arguments(__doc__.splitlines()[0])
    n, passes, rounds = (64, 2, 1) if told.short else (64, 3, 3)
    rows = []
    for threads, rate in measure.each_thread_count(told.threads, told.device):
        with tempfile.TemporaryDirectory() as folder:
            work = {"n": n, "passes": passes, "device": told.device}
            # a home of its own: the size that hubel finds must come from this machine, now
            ours = {"HUBEL_HOME": folder}
            logits = [str(Path(folder) / f"{name}.npy") for name in ("theirs", "ours")]
            sides = [
                Side("hubel", "inference_hubel.py", work | {"logits": logits[1]}, environment=ours),
                *(
                    Side(f"plain loop, batch {batch}", "inference_torch.py",
                         work | {"batch": batch, "logits": logits[0]})
                    for batch in BATCHES
                ),
            ]  # fmt: skip
            if told.device == "cpu":  # a GPU's memory has an allocator of its own
                sides += [
                    Side(
                        "hubel, system's allocator", "inference_hubel.py",
                        work | {"allocator": False}, environment=ours,
                    ),
                    *(
                        Side(f"plain loop, batch {batch}, our allocator", "inference_torch.py",
                             work | {"batch": batch}, environment=TUNED)
                        for batch in BATCHES
                    ),
                ]  # fmt: skip
            found = measure.interleaved(
                sides, rounds=told.rounds or rounds, threads=threads, key="ms"
            )
            theirs, own = (np.load(name) for name in logits)
        error = float(np.abs(theirs - own).max() / (theirs.max() - theirs.min()))
        for name, results in found.items():
            figure = Figure.of([result["ms"] for result in results])
            against = measure.ratio(results, found["hubel"], "ms")
            rows.append(
                measure.surroundings(device=told.device)
                | {"side": name, "device": told.device, "threads": threads, "unit": "ms/image"}
                | figure.columns()
                | {"ratio": f"{against.median:.3f}", "ratio_low": f"{against.low:.3f}"}
                | {"ratio_high": f"{against.high:.3f}", "logit_error": f"{error:.2g}"}
                | {"batch": results[-1].get("batch", ""), "matrix_gflops": f"{rate:.0f}"}
                | {"share": f"{OPERATIONS / figure.median / rate / 1e6:.2f}"}
            )
    measure.record("inference", rows)
    print(measure.table(rows, (*COLUMNS, "batch", "logit_error", "share")))


if __name__ == "__main__":
    measure.main(main)
