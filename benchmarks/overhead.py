"""What does an epoch through hubel.train cost beside a bare loop, Lightning's and Keras's fit?

Fashion-MNIST's 54,000 training pictures in batches of 64, the network `small` (16, 32, 64 maps),
SGD, and the 6,000 validation pictures answered after every epoch, on all sides. Against the bare
loop everything is equal (float32, channels-last, our allocator's setting); the peers are as shipped
and once more under our allocator's setting; hubel is as shipped and once in float32.
"""

import measure
import peers
from measure import TUNED, Figure, Side

COLUMNS = ("side", "threads", "n", "median", "low", "high", "ratio", "share")


def sides(epochs: int, *, peers_too: bool) -> list[Side]:
    told = {"epochs": epochs, "batch": 64}
    found = [
        Side("hubel", "overhead_hubel.py", told | {"precision": "auto"}),
        Side("hubel float32", "overhead_hubel.py", told | {"precision": "float32"}),
        Side(
            "bare loop channels-last, our allocator", "overhead_bare.py",
            told | {"layout": "channels_last"}, environment=TUNED,
        ),
        Side("bare loop", "overhead_bare.py", told | {"layout": "contiguous_format"}),
    ]  # fmt: skip
    for name in ("lightning", "keras") if peers_too else ():
        if peers.ready(name):
            script, python = f"overhead_{name}.py", peers.python(name)
            found.append(Side(name, script, told, python))
            found.append(Side(f"{name}, our allocator", script, told, python, TUNED))
        else:
            print(f"{name} is left out: it is not set up (python benchmarks/peers.py {name})")
    return found


def main() -> None:
    told = measure.arguments(__doc__.splitlines()[0], own=True)
    epochs, rounds = 2, 1 if told.short else 3
    rows = []
    for threads, rate in measure.each_thread_count(told.threads):
        found = measure.interleaved(
            sides(epochs, peers_too=not told.own),
            rounds=told.rounds or rounds,
            threads=threads,
            key="seconds",
        )
        # 5.53 million multiply-adds a picture forward, and twice that backward
        operations = 2 * 3 * 5.53e6 * 54_000
        for name, results in found.items():
            figure = Figure.of([result["seconds"] for result in results])
            against = measure.ratio(results, found["hubel"], "seconds")
            exact = measure.ratio(results, found["hubel float32"], "seconds")
            rows.append(
                measure.surroundings()
                | {"side": name, "peer": peers.versions_of(name), "threads": threads}
                | {"unit": "s/epoch"} | figure.columns()
                | {"ratio": f"{against.median:.3f}", "ratio_low": f"{against.low:.3f}"}
                | {"ratio_high": f"{against.high:.3f}", "ratio_float32": f"{exact.median:.3f}"}
                | {"matrix_gflops": f"{rate:.0f}"}
                | {"share": f"{operations / figure.median / rate / 1e9:.2f}"}
            )  # fmt: skip
    measure.record("overhead", rows)
    print(measure.table(rows, (*COLUMNS, "ratio_float32")))


if __name__ == "__main__":
    measure.main(main)
