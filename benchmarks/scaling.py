"""How do a training's time and memory grow with the pictures, the batch size and the threads?

One epoch of LeNet-5 over 1,000 to 600,000 pictures in memory and through a memory map, and of
`small` at batch sizes from 16 to 1,024 with every number of threads. The curves are drawn into
results/scaling.png.
"""

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import measure
from measure import Figure, Side

IMAGES = (1_000, 10_000, 60_000, 600_000)
BATCHES = (16, 64, 256, 1024)
COLUMNS = ("network", "images", "mapped", "batch", "threads", "median", "own_mb", "mapped_mb")


def main() -> None:
    told = measure.arguments(__doc__.splitlines()[0])
    images = IMAGES[:3] if told.short else IMAGES
    rounds = told.rounds or (1 if told.short else 3)
    rows = []
    for threads, rate in measure.each_thread_count(told.threads, told.device):
        base = {"network": "lenet5", "batch": 128, "device": told.device}
        work = [base | {"images": n, "mapped": mapped} for n in images for mapped in (False, True)]
        base = {"network": "small", "images": 10_000, "mapped": False, "device": told.device}
        work += [base | {"batch": batch} for batch in BATCHES]
        for arguments in work:
            name = " ".join(map(str, arguments.values()))
            found = measure.interleaved(
                [Side(name, "scaling_train.py", arguments)],
                rounds=rounds, threads=threads, key="us",
            )  # fmt: skip
            if not found:
                continue
            medians = {
                key: f"{Figure.of([r[key] for r in found[name]]).median:.1f}"
                for key in ("own_mb", "mapped_mb")
            }
            rows.append(
                measure.surroundings(device=told.device) | arguments
                | {"threads": threads, "unit": "us/image"}
                | Figure.of([result["us"] for result in found[name]]).columns()
                | medians | {"matrix_gflops": f"{rate:.0f}"}
            )  # fmt: skip
    measure.record("scaling", rows)
    if told.device == "cpu" and not told.short:
        draw(rows)
    print(measure.table(rows, COLUMNS))


def draw(rows: Sequence[dict[str, Any]]) -> None:
    """Time and memory against pictures, time against batch size; a line for each kind."""
    figure, axes = plt.subplots(1, 3, figsize=(11, 3.4), layout="constrained")
    lenet = [row for row in rows if row["network"] == "lenet5"]
    panels = (
        (axes[0], lenet, "images", "median", "time for one picture (µs)"),
        (axes[1], lenet, "images", "own_mb", "the process's own memory (MB)"),
        (axes[2], [row for row in rows if row["network"] == "small"], "batch", "median",
         "time for one picture (µs)"),
    )  # fmt: skip
    for axis, chosen, across, up, label in panels:
        kinds = sorted({(row["threads"], row["mapped"]) for row in chosen})
        for threads, mapped in kinds:
            line = [row for row in chosen if (row["threads"], row["mapped"]) == (threads, mapped)]
            many = f"{threads} thread{'s' if threads > 1 else ''}"
            axis.plot(
                [row[across] for row in line], [float(row[up]) for row in line],
                marker="o", linestyle="--" if mapped else "-",
                label=many + (", mapped" if mapped else ""),
            )  # fmt: skip
        axis.set(xscale="log", ylabel=label, ylim=(0, None))
        axis.set_xlabel("pictures" if across == "images" else "batch size")
        axis.grid(alpha=0.3)
        axis.legend(frameon=False, fontsize=8)
    axes[0].set_title("LeNet-5")
    axes[1].set_title("LeNet-5")
    axes[2].set_title("small")
    figure.savefig(measure.RESULTS / "scaling.png", dpi=120)


if __name__ == "__main__":
    measure.main(main)
