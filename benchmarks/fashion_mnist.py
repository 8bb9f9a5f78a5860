"""How long does each library need for a given test accuracy on Fashion-MNIST?

A side is one whole schedule, fixed beforehand; its figure is the accuracy on the test pictures
at its end, never the best of several looks at them (hubel ends with the weights that were best on
validation), and the mean over the seeds must reach the target.
hubel's schedules were chosen on validation pictures alone; of each peer the fastest in SCHEDULES
that reached the target was taken, after one run of each on the test pictures themselves (--tries),
which favours the peers. Seconds are those of training, from pictures in memory to the last weights,
with each library's own validation after every epoch; beside them those of the whole process:
imports, data, training, the test, and hubel's report.
"""

import argparse
import sys
from typing import Any

import measure
import peers
from measure import TUNED, Figure, Side

SHORT = {"lr": 0.03, "smoothing": 0.1, "flip": False}
LONG = {"lr": 0.03, "smoothing": 0.1, "flip": True, "crop": 2}
HUBEL: dict[str, dict[str, Any]] = {
    "90": SHORT | {"epochs": 1, "batch_size": 64, "arguments": {"widths": [8, 32, 64]}},
    "91": SHORT | {"epochs": 2, "batch_size": 128, "arguments": {"widths": [8, 24, 48]}},
    "93": {},  # what `hubel train fashion-mnist` does by itself
    "94": LONG | {"epochs": 20, "arguments": {"widths": [48, 96, 192]}},
    "ten minutes": LONG | {"epochs": 9, "crop": 0, "arguments": {"widths": [32, 64, 128]}},
}

# A peer's schedules to choose from; Keras's first is its documented one.
SCHEDULES: dict[str, tuple[dict[str, Any], ...]] = {
    "keras": (
        {"epochs": 15, "batch": 128, "rate": 1e-3, "decay": False},
        {"epochs": 8, "batch": 64, "rate": 2e-3, "decay": True},
        {"epochs": 12, "batch": 128, "rate": 3e-3, "decay": True},
        {"epochs": 6, "batch": 64, "rate": 3e-3, "decay": True},
    ),
    "pytorch": (
        {"epochs": 7, "batch": 64, "rate": 1.0, "gamma": 0.7},  # half of the example's 14 epochs
        {"epochs": 5, "batch": 64, "rate": 1.0, "gamma": 0.5},
        {"epochs": 4, "batch": 128, "rate": 1.0, "gamma": 0.4},
        {"epochs": 2, "batch": 64, "rate": 1.0, "gamma": 0.2},
    ),
    "fastai": (
        {"epochs": 6, "batch": 128, "rate": 1e-2},
        {"epochs": 4, "batch": 64, "rate": 1e-2},
        {"epochs": 8, "batch": 128, "rate": 5e-3},
    ),
}
# target → the peers it is measured against, and the index of each one's best schedule
AGAINST = {"90": {"keras": 3, "pytorch": 3}, "91": {"fastai": 1}}
ENVIRONMENT = {"pytorch": "fastai"}  # torchvision is there
COLUMNS = (
    "target",
    "side",
    "threads",
    "n",
    "median",
    "low",
    "high",
    "ratio",
    "whole",
    "whole_ratio",
    "accuracy",
    "reached",
)


def main() -> None:
    told = _arguments()
    if told.tries:
        return tries(told.peers, told.threads)
    rows = []
    for threads, rate in measure.each_thread_count(told.threads):
        for target in told.targets:
            rows += compare(target, threads, told.seeds, rate)
    measure.record("fashion_mnist", rows)
    print(measure.table(rows, COLUMNS))
    return None


def compare(target: str, threads: int, seeds: int, rate: float) -> list[dict[str, Any]]:
    """hubel's schedule for the target and the peers', as shipped and under our allocator."""
    sides = [_hubel(target, threads)]
    for name, index in AGAINST.get(target, {}).items():
        told = SCHEDULES[name][index]
        if _ready(name):
            sides += [_peer(name, told), _peer(name, told, TUNED, ", our allocator")]
    found: dict[str, list[dict[str, Any]]] = {}
    for seed in range(seeds):  # in turn, seed after seed
        for side in sides:
            if "allocator" in side.name and seed:
                continue  # the allocator changes no accuracy: once for the time
            told = dict(side.arguments) | {"seed": seed}
            seeded = Side(side.name, side.script, told, side.python, side.environment)
            done = measure.interleaved([seeded], rounds=1, threads=threads, key="seconds")
            found.setdefault(side.name, []).extend(done.get(side.name, []))
    rows = []
    for side in sides:
        results = found[side.name]
        if not results:
            continue
        figure = Figure.of([result["seconds"] for result in results])
        accuracy = sum(result["accuracy"] for result in results) / len(results)
        ours = Figure.of([result["seconds"] for result in found["hubel"]])
        whole = Figure.of([result["wall"] for result in results])
        against = measure.ratio(results, found["hubel"], "wall")
        reached = not target.isdecimal() or accuracy >= float(target) / 100
        rows.append(
            measure.surroundings()
            | {"target": target, "side": side.name, "peer": _versions(side.name)}
            | {"schedule": _told(side.arguments), "threads": threads, "unit": "s"}
            | figure.columns()
            | {"ratio": f"{figure.median / ours.median:.2f}", "accuracy": f"{accuracy:.4f}"}
            | {"whole": f"{whole.median:.5g}", "whole_ratio": f"{against.median:.2f}"}
            | {"accuracies": " ".join(f"{result['accuracy']:.4f}" for result in results)}
            | {"reached": "yes" if reached else "no", "matrix_gflops": f"{rate:.0f}"}
        )
    return rows


def tries(names: list[str], threads: list[int]) -> None:
    """Every schedule of the peers once: which one is each peer's best."""
    rows = []
    for name in names:
        if not _ready(name):
            continue
        for told in SCHEDULES[name]:
            side = _peer(name, told | {"seed": 0})
            done = measure.interleaved([side], rounds=1, threads=threads[0], key="seconds")
            for result in done.get(name, []):
                rows.append(
                    measure.surroundings()
                    | {"side": name, "peer": _versions(name), "schedule": _told(told)}
                    | {"threads": threads[0], "seconds": f"{result['seconds']:.1f}"}
                    | {"accuracy": f"{result['accuracy']:.4f}"}
                )
    measure.record("fashion_mnist_tries", rows)
    print(measure.table(rows, ("side", "schedule", "threads", "seconds", "accuracy")))


def _hubel(target: str, threads: int) -> Side:
    return Side(
        "hubel", "fashion_hubel.py", {"settings": HUBEL[target] | {"threads": threads}, "seed": 0}
    )


def _peer(
    name: str, told: dict[str, Any], environment: dict[str, str] | None = None, note: str = ""
) -> Side:
    python = peers.python(ENVIRONMENT.get(name, name))
    return Side(name + note, f"fashion_{name}.py", told, python, environment or {})


def _ready(name: str) -> bool:
    environment = ENVIRONMENT.get(name, name)
    if not peers.ready(environment):
        command = f"python benchmarks/peers.py {environment}"
        print(f"{name} is left out: it is not set up ({command})", file=sys.stderr)
    return peers.ready(environment)


def _versions(side: str) -> str:
    name = side.split(",")[0]
    return "" if name == "hubel" else peers.versions(ENVIRONMENT.get(name, name))


def _told(arguments: Any) -> str:
    flat = dict(arguments)
    flat |= flat.pop("settings", {})
    return " ".join(f"{k}={v}" for k, v in flat.items() if k not in ("seed", "threads"))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--targets", nargs="+", choices=list(HUBEL), default=list(HUBEL))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, nargs="+", default=[1])
    parser.add_argument("--tries", action="store_true", help="each peer's schedules once")
    parser.add_argument("--peers", nargs="+", choices=list(SCHEDULES), default=list(SCHEDULES))
    parser.add_argument("--short", action="store_true", help="91 %% alone, one seed")
    told = parser.parse_args()
    if told.short:
        told.targets, told.seeds = ["91"], 1
    return told


if __name__ == "__main__":
    measure.main(main)
