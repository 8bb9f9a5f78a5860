"""What do the top patches of all units of all layers cost, beside a plain pass over the pictures?

10,000 pictures in memory, one thread: the network alone, and `strongest` with every layer that
hands on maps or units. Both sides in the layout and at the batch that is best for them.
"""

import measure
from measure import Figure, Side

IMAGES, SHORT = 10_000, 1000
NETWORKS = (
    {"network": "small", "side": 28, "channels": 1},
    {"network": "resnet18", "side": 64, "channels": 3},
    {"network": "efficientnet-lite0", "side": 224, "channels": 3},
)
BATCHES = {"small": (200, 500), "resnet18": (100, 200), "efficientnet-lite0": (8, 32)}
TRIED = 600  # pictures, to find the better of these
COLUMNS = (
    "network", "side", "pixels", "images", "threads", "n", "median", "ratio", "layers", "units",
    "batch", "peak_mib", "half_mib",
)  # fmt: skip


def main() -> None:
    told = measure.arguments(__doc__.splitlines()[0], networks=tuple(BATCHES))
    rows = []
    for threads, _ in measure.each_thread_count((1,)):
        images = SHORT if told.short else IMAGES
        for network in NETWORKS:
            if network["network"] in told.networks:
                rows += compared(network, images, threads, told.rounds or 1)
    measure.record("patches", rows)
    print(measure.table(rows, COLUMNS))


def side(network: dict[str, object], work: str, images: int, batch: int) -> Side:
    setting = network | {"work": work, "images": images, "batch": batch, "channels_last": True}
    return Side(work, "patches.py", setting)


def compared(
    network: dict[str, object], images: int, threads: int, rounds: int
) -> list[dict[str, object]]:
    best = {}
    for work in ("plain", "patches"):
        times = {
            batch: measure.run(side(network, work, TRIED // batch * batch or batch, batch),
                               threads=threads)["seconds"] / (TRIED // batch * batch or batch)
            for batch in BATCHES[str(network["network"])]
        }  # fmt: skip
        best[work] = min(times, key=times.__getitem__)
    sides = [side(network, work, images, batch) for work, batch in best.items()]
    found = measure.interleaved(sides, rounds=rounds, threads=threads, key="seconds")
    rows = []
    for work, results in found.items():
        beside = measure.ratio(results, found["plain"], "seconds")
        last = results[-1]
        rows.append(
            measure.surroundings()
            | {"network": network["network"], "side": work, "pixels": network["side"]}
            | {"images": images, "threads": threads, "unit": "s"}
            | Figure.of([result["seconds"] for result in results]).columns()
            | {"ratio": f"{beside.median:.3f}", "ratio_low": f"{beside.low:.3f}"}
            | {"ratio_high": f"{beside.high:.3f}", "layers": last["layers"]}
            | {"units": last["units"], "batch": best[work]}
            | {"peak_mib": f"{last['peak_mib']:.0f}", "half_mib": f"{last['half_mib']:.0f}"}
        )
    return rows


if __name__ == "__main__":
    main()
