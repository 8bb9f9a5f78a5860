"""How good is a network of 169 photographs: fine-tuned, its head alone, from scratch, or HOG?

Tux Paint's photographs in five categories, in five folds. Each fold is trained by `hubel train` in
a fresh process and a fresh HUBEL_HOME, as a user would (a twentieth of the training pictures held
out for validation), and measured once on its test pictures; the accuracies are of all 169. Seconds
are from a cold start to the figure, two commands. The recipe's few settings were chosen by
cross-validation inside the training parts; no fold's test pictures were looked at before.
"""

import tempfile
from pathlib import Path
from typing import Any

import measure
import numpy as np
from measure import Figure, Side
from sklearn.model_selection import StratifiedKFold

from hubel.data import stamps
from hubel.data.samples import Files

WHERE = Path("/usr/share/tuxpaint/stamps")
COLUMNS = ("side", "threads", "n", "accuracy", "low95", "high95", "median", "high")
SIDES: dict[str, dict[str, Any]] = {
    "fine-tuned": {},
    "head only": {"epochs": 1},
    "from scratch": {"recipe": "fast"},
}


def main() -> None:
    told = measure.arguments(__doc__.splitlines()[0])
    folds = 1 if told.short else 5
    rows = []
    for threads, rate in measure.each_thread_count(told.threads[-1:]):
        with tempfile.TemporaryDirectory() as folder:
            made = fold_folders(Path(folder))[:folds]
            results: dict[str, list[dict[str, Any]]] = {}
            for fold in made:
                for name, settings in SIDES.items():
                    asked = {"folder": str(fold), "settings": settings}
                    asked["baselines"] = name == "fine-tuned"  # measured once for each fold
                    side = Side(name, "stamps_fold.py", asked)
                    done = measure.interleaved([side], rounds=1, threads=threads, key="accuracy")
                    results.setdefault(name, []).extend(done.get(name, []))
        results["HOG + linear SVM"] = [row["hog"] for row in results["fine-tuned"]]
        for name, found in results.items():
            rows.append(row(name, threads, found) | {"matrix_gflops": f"{rate:.0f}"})
    measure.record("stamps", rows)
    print(measure.table(rows, COLUMNS))


def fold_folders(root: Path) -> list[Path]:
    """Five folders of links: train/ and test/ with the five classes."""
    parts = stamps.read(WHERE)
    whole = [
        (path, int(label))
        for part in parts
        if isinstance(part, Files)
        for path, label in zip(part.paths, part.labels, strict=True)
    ]
    labels = np.array([label for _, label in whole])
    folds = []
    for k, (train, test) in enumerate(
        StratifiedKFold(5, shuffle=True, random_state=0).split(labels, labels)
    ):
        folder = root / f"fold{k}"
        for split, chosen in (("train", train), ("test", test)):
            for i in chosen.tolist():
                path, label = whole[i]
                own = folder / split / parts[0].classes[label]
                own.mkdir(parents=True, exist_ok=True)
                (own / f"{path.parent.name}-{path.name}").symlink_to(path)
        folds.append(folder)
    return folds


def row(name: str, threads: int, found: list[dict[str, Any]]) -> dict[str, Any]:
    from hubel.training.evaluate import wilson

    n, right = sum(r["n"] for r in found), sum(r["right"] for r in found)
    low, high = wilson(right, n)
    seconds = [r["wall"] for r in found if "wall" in r]
    return (
        measure.surroundings()
        | {"side": name, "threads": threads, "unit": "s", "accuracy": f"{right / n:.4f}"}
        | {"low95": f"{low:.3f}", "high95": f"{high:.3f}", "pictures": n}
        | (Figure.of(seconds).columns() if seconds else {"n": len(found)})
    )


if __name__ == "__main__":
    measure.main(main)
