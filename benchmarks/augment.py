"""What does augmentation cost beside a training step, and beside kornia's?

The changes of the recipe `finetune` (mirroring, resized crops, brightness, contrast, saturation) on
a batch of 128 pictures at 224, on all sides drawn anew for every picture (kornia's crops in both of
its modes); and a training step of EfficientNet-Lite0 on the same batch (forward and backward in
channels-last, under our allocator).
"""

import measure
import peers
from measure import TUNED, Figure, Side

COLUMNS = ("side", "threads", "n", "median", "low", "high", "ratio", "ratio_low", "ratio_high")


def main() -> None:
    told = measure.arguments(__doc__.splitlines()[0])
    rounds = told.rounds or (1 if told.short else 5)
    batch = {"batch": 32 if told.short else 128, "device": told.device}
    rows = []
    for threads, rate in measure.each_thread_count(told.threads, told.device):
        sides = [
            Side("hubel", "augment_hubel.py", batch | {"what": "augment"}),
            Side("a training step", "augment_hubel.py", batch | {"what": "step"}),
        ]
        if peers.ready("kornia"):
            python = peers.python("kornia")
            for cropping in ("slice", "resample"):
                asked = batch | {"cropping": cropping}
                name = f"kornia, crops by {cropping}"
                sides.append(Side(name, "augment_kornia.py", asked, python))
                sides.append(
                    Side(f"{name}, our allocator", "augment_kornia.py", asked, python, TUNED)
                )
        else:
            print("left out: kornia (python benchmarks/peers.py kornia)")
        found = measure.interleaved(sides, rounds=rounds, threads=threads, key="seconds")
        for name, results in found.items():
            figure = Figure.of([result["seconds"] for result in results])
            against = measure.ratio(results, found["hubel"], "seconds")
            rows.append(
                measure.surroundings()
                | {"side": name, "peer": peers.versions_of(name), "threads": threads}
                | {"device": told.device, "unit": "s/batch"} | figure.columns()
                | {"ratio": f"{against.median:.3f}", "ratio_low": f"{against.low:.3f}"}
                | {"ratio_high": f"{against.high:.3f}", "matrix_gflops": f"{rate:.0f}"}
            )  # fmt: skip
    measure.record("augment", rows)
    print(measure.table(rows, COLUMNS))


if __name__ == "__main__":
    measure.main(main)
