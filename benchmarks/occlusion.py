"""How much faster than captum is an exact occlusion map, and how exact?

A photograph of 224 × 224, a square of 16, stride 8, one thread: ours; captum's `Occlusion` at its
best batch and layout under the same allocator; as shipped, at its best batch; and by its defaults.
Ours by stride is drawn as results/occlusion.png.
"""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import measure
from measure import Figure, Side

NETWORKS = ("efficientnet-lite0", "resnet18", "resnet50", "vgg16")
SETTINGS = {  # captum's: under our allocator, with folding and layouts tried, its batch
    "captum, tuned": {"allocator": True, "tuned": True, "batch": None},
    "captum, as shipped": {"allocator": False, "tuned": False, "batch": None},
    "captum, defaults": {"allocator": False, "tuned": False, "batch": 1},
}
OURS = {"allocator": True}
COLUMNS = (
    "network", "side", "square", "stride", "threads", "n", "median", "ratio", "work", "error",
    "layout", "batch",
)  # fmt: skip
STRIDES = (32, 16, 8, 4)


def main() -> None:
    told = measure.arguments(__doc__.splitlines()[0], networks=NETWORKS)
    rows = []
    for threads, _ in measure.each_thread_count((1,)):
        for network in told.networks:
            rows += compared(network, threads, told.rounds or 1)
        strides = by_stride("efficientnet-lite0", threads)
        draw(strides)
        rows += strides
    measure.record("occlusion", rows)
    print(measure.table(rows, COLUMNS))


def compared(network: str, threads: int, rounds: int) -> list[dict[str, object]]:
    shape = {"network": network, "square": 16, "stride": 8}
    sides = [Side("ours", "occlusion.py", shape | OURS | {"side": "ours"})]
    sides += [
        Side(name, "occlusion.py", shape | setting | {"side": "captum"})
        for name, setting in SETTINGS.items()
    ]
    found = measure.interleaved(sides, rounds=rounds, threads=threads, key="seconds")
    rows = []
    for name, results in found.items():
        figure = Figure.of([result["seconds"] for result in results])
        beside = measure.ratio(results, found["ours"], "seconds")
        last = results[-1]
        rows.append(
            measure.surroundings(("torch", "numpy", "captum"))
            | shape
            | {"side": name, "threads": threads, "unit": "s/map"}
            | figure.columns()
            | {"ratio": f"{beside.median:.2f}", "ratio_low": f"{beside.low:.2f}"}
            | {"ratio_high": f"{beside.high:.2f}", "layout": last.get("layout", "")}
            | {"batch": last.get("batch", ""), "work": _short(last.get("work"))}
            | {"error": _short(last.get("error")), "positions": last.get("positions", "")}
        )
    return rows


def by_stride(network: str, threads: int) -> list[dict[str, object]]:
    """Our time as the positions grow."""
    rows = []
    for stride in STRIDES:
        shape = {"network": network, "square": 16, "stride": stride}
        side = Side("ours", "occlusion.py", shape | OURS | {"side": "ours"})
        result = measure.run(side, threads=threads)
        rows.append(
            measure.surroundings(("torch", "numpy", "captum"))
            | shape
            | {"side": "ours, by stride", "threads": threads, "unit": "s/map"}
            | Figure.of([result["seconds"]]).columns()
            | {"ratio": "", "ratio_low": "", "ratio_high": "", "layout": "", "batch": ""}
            | {"work": _short(result["work"]), "error": _short(result["error"])}
            | {"positions": result["positions"]}
        )
    return rows


def draw(rows: Sequence[Mapping[str, object]]) -> None:
    """results/occlusion.png: how the time grows as the stride falls."""
    figure, axes = plt.subplots(1, 2, figsize=(7.6, 3.2), layout="constrained")
    strides = [int(str(row["stride"])) for row in rows]
    seconds = [float(str(row["median"])) for row in rows]
    places = [int(str(row["positions"])) for row in rows]
    each = [1000 * time / n for time, n in zip(seconds, places, strict=True)]
    for axis, values, label in zip(
        axes, (seconds, each), ("seconds a map", "milliseconds a position"), strict=True
    ):
        axis.plot(strides, values, marker="o")
        axis.set(xscale="log", xlabel="stride (positions)", ylabel=label, ylim=(0, None))
        axis.set_xticks(
            strides, [f"{a}\n({n:,})" for a, n in zip(strides, places, strict=True)], minor=False
        )
        axis.minorticks_off()
        axis.invert_xaxis()
        axis.grid(alpha=0.3)
    figure.suptitle(f"{rows[0]['network']}, 224×224, a square of {rows[0]['square']}, one thread")
    figure.savefig(measure.RESULTS / "occlusion.png", dpi=120)


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else ""


if __name__ == "__main__":
    main()
