"""Do our networks take the time of torchvision's, and what share of the machine's matrix rate?

VGG-D, AlexNet, GoogLeNet (batch-normalised), ResNet-18 and ResNet-50 at 224 × 224: forward and a
training step, both networks in one process, step by step in turn, with the same settings. The
answers of both for the same weights are compared.
"""

import measure
import peers
from measure import Figure, Side

# ours, torchvision's, pictures in a batch
PAIRS = (
    ("vgg16", "vgg16", 2),
    ("alexnet-2014", "alexnet", 16),
    ("googlenet-bn", "googlenet", 8),
    ("resnet18", "resnet18", 8),
    ("resnet50", "resnet50", 4),
)
COLUMNS = ("network", "work", "layout", "threads", "n", "median", "theirs", "ratio", "share")


def main() -> None:
    told = measure.arguments(__doc__.splitlines()[0])
    packages = peers.packages("torchvision")
    rows = []
    for threads, rate in measure.each_thread_count(told.threads[-1:]):
        for ours, theirs, batch in PAIRS:
            sides = [
                Side(
                    f"{ours}, {'channels-last' if last else 'plain'}",
                    "networks_pair.py",
                    {"ours": ours, "theirs": theirs, "batch": batch, "channels_last": last,
                     "packages": str(packages), "turns": 3 if told.short else 9,
                     "allocator": True},
                )
                for last in ((True,) if told.short else (False, True))
            ]  # fmt: skip
            found = measure.interleaved(
                sides, rounds=told.rounds or (1 if told.short else 3), threads=threads,
                key="forward_ours",
            )  # fmt: skip
            for side in sides:
                for work in ("forward", "train"):
                    results = found.get(side.name, [])
                    if not results:
                        continue
                    figure = Figure.of([result[f"{work}_ours"] for result in results])
                    other = Figure.of([result[f"{work}_theirs"] for result in results])
                    pairs = [r[f"{work}_ours"] / r[f"{work}_theirs"] for r in results]
                    ratio = Figure.of(pairs)
                    gflops = results[-1][f"{work}_gflop"] / figure.median
                    rows.append(
                        measure.surroundings()
                        | {"network": ours, "work": work, "batch": batch, "threads": threads}
                        | {"layout": side.name.rpartition(" ")[2], "unit": "s/step"}
                        | figure.columns()
                        | {"theirs": f"{other.median:.4g}", "ratio": f"{ratio.median:.3f}"}
                        | {"ratio_low": f"{ratio.low:.3f}", "ratio_high": f"{ratio.high:.3f}"}
                        | {"matrix_gflops": f"{rate:.0f}", "share": f"{gflops / rate:.2f}"}
                        | {"difference": f"{results[-1]['difference']:.2g}"}
                        | {"peer": peers.versions("torchvision")}
                    )
    measure.record("networks", rows)
    print(measure.table(rows, COLUMNS))


if __name__ == "__main__":
    measure.main(main)
