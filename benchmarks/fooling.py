"""How many images a second does the search for fooling images look at, beside the network alone?

Evolution draws, renders and answers generations of images. Beside it, the network alone on batches
of the same size that are there already, as it was built ("plain") and as the copy that answers for
the search ("folded"). Also by processor time, which other work on the machine disturbs less.
"""

import measure
from measure import Figure, Side

SIDES = ("plain", "folded", "direct", "cppn")
CASES = (("small", 400, 20), ("small", 100, 60), ("efficientnet-lite0", 100, 3))
SHORT = (("small", 400, 4),)
COLUMNS = (
    "network", "offspring", "side", "threads", "n", "median", "low", "high", "ratio", "ratio_low",
    "ratio_high", "by_processor",
)  # fmt: skip


def main() -> None:
    told = measure.arguments(__doc__.splitlines()[0])
    rows = []
    for threads, _ in measure.each_thread_count((1,)):
        for case in SHORT if told.short else CASES:
            rows += compared(*case, threads, told.rounds or (1 if told.short else 3))
    measure.record("fooling", rows)
    print(measure.table(rows, COLUMNS))


def compared(
    network: str, offspring: int, generations: int, threads: int, rounds: int
) -> list[dict[str, object]]:
    work = {"network": network, "offspring": offspring, "generations": generations}
    sides = [
        Side(f"{network} {offspring}: {name}", "fooling.py", work | {"side": name})
        for name in SIDES
    ]
    found = measure.interleaved(sides, rounds=rounds, threads=threads, key="rate")
    folded = found[sides[SIDES.index("folded")].name]
    rows = []
    for side in sides:
        results = found[side.name]
        beside = measure.ratio(results, folded, "rate")
        processor = measure.ratio(results, folded, "by_processor")
        rows.append(
            measure.surroundings()
            | work
            | {"side": side.arguments["side"], "threads": threads, "unit": "images/s"}
            | Figure.of([result["rate"] for result in results]).columns()
            | {"ratio": f"{beside.median:.3f}", "ratio_low": f"{beside.low:.3f}"}
            | {"ratio_high": f"{beside.high:.3f}", "by_processor": f"{processor.median:.3f}"}
        )
    return rows


if __name__ == "__main__":
    measure.main(main)
