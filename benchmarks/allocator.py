"""How much memory must glibc keep for itself, and how much speed does a tighter bound cost?

Milliseconds and page faults a picture, and the memory that stays after the work, for bounds from
glibc's own behaviour (none) to 2 GiB: EfficientNet-Lite0 answering at batch 8 and 64, and a small
network training at batch 128. `hubel.entrance.KEPT` was chosen from this table.
"""

import measure
from measure import Figure, Side

BOUNDS = (None, 2**24, 2**26, 2**28, 2**29, 2**30, 2**31 - 1)
WORK = ({"work": "answer", "batch": 8}, {"work": "answer", "batch": 64}, {"work": "train"})
COLUMNS = ("work", "kept", "threads", "n", "median", "low", "high", "ratio", "faults", "kept_mb")


def main() -> None:
    told = measure.arguments(__doc__.splitlines()[0])
    rows = []
    for threads, rate in measure.each_thread_count(told.threads):
        for work in WORK:
            sides = [
                Side(_bound(kept), "allocator_work.py", work | {"kept": kept}) for kept in BOUNDS
            ]
            found = measure.interleaved(
                sides, rounds=told.rounds or (1 if told.short else 5), threads=threads, key="ms"
            )
            for name, results in found.items():
                figure = Figure.of([result["ms"] for result in results])
                against = measure.ratio(results, found["as shipped"], "ms")
                rows.append(
                    measure.surroundings()
                    | {"work": " ".join(map(str, work.values())), "kept": name, "threads": threads}
                    | {"unit": "ms/image"} | figure.columns()
                    | {"ratio": f"{against.median:.3f}"}
                    | {key: f"{Figure.of([r[key] for r in results]).median:.4g}"
                       for key in ("faults", "kept_mb")}
                    | {"matrix_gflops": f"{rate:.0f}"}
                )  # fmt: skip
    measure.record("allocator", rows)
    print(measure.table(rows, COLUMNS))


def _bound(kept: int | None) -> str:
    return "as shipped" if kept is None else f"{(kept + 1) // 2**20} MiB"


if __name__ == "__main__":
    measure.main(main)
