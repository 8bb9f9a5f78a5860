"""What does keeping the features save when the last layer alone is trained?

EfficientNet-Lite0's features of Tux Paint's photographs in five categories (four folds of five, a
twentieth of them for validation): by the regression that hubel trains the last layer with, and by
AdamW for as many epochs as the recipe `finetune` has, on features kept, and made anew in every
epoch as a loop over pictures does. Seconds from pictures in memory to the layer, with the
validation pictures that choose the regression's penalty; its accuracy on the fold left out stands
beside.
"""

import tempfile
from pathlib import Path

import measure
from measure import Figure, Side
from stamps import fold_folders

EPOCHS, RATE = 13, 3e-3
SIDES = {"hubel": "regression", "AdamW, features kept": "kept", "AdamW, features anew": "anew"}
COLUMNS = ("side", "threads", "n", "median", "low", "high", "ratio", "accuracy")


def main() -> None:
    told = measure.arguments(__doc__.splitlines()[0])
    rounds = told.rounds or (1 if told.short else 3)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        fold = fold_folders(Path(folder))[0]
        for threads, rate in measure.each_thread_count(told.threads):
            sides = [
                Side(
                    name,
                    "head_training.py",
                    {"folder": str(fold), "how": how, "epochs": EPOCHS, "rate": RATE},
                )
                for name, how in SIDES.items()
            ]
            found = measure.interleaved(sides, rounds=rounds, threads=threads, key="seconds")
            for name, results in found.items():
                figure = Figure.of([result["seconds"] for result in results])
                against = measure.ratio(results, found["hubel"], "seconds")
                accuracy = Figure.of([result["accuracy"] for result in results])
                rows.append(
                    measure.surroundings()
                    | {"side": name, "threads": threads, "unit": "s"} | figure.columns()
                    | {"ratio": f"{against.median:.3f}", "ratio_low": f"{against.low:.3f}"}
                    | {"ratio_high": f"{against.high:.3f}", "accuracy": f"{accuracy.median:.4f}"}
                    | {"matrix_gflops": f"{rate:.0f}"}
                )  # fmt: skip
    measure.record("head", rows)
    print(measure.table(rows, COLUMNS))


if __name__ == "__main__":
    measure.main(main)
