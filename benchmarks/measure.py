"""How everything here is measured: fresh processes, taken in turn, medians, one CSV row a side.

A side is a script of `sides/` that does one piece of work and prints one JSON object as its last
line. The sides of a comparison are run in turn, round after round, each time in a fresh process, so
that what else the machine does meets all of them alike. Rows are appended when all rounds are
done: an interrupted benchmark writes none.
"""

import argparse
import csv
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
# variables by which a caller's setting of threads or memory would reach a side
LEFT_BEHIND = ("MALLOC_", "OMP_", "MKL_", "HUBEL_ALLOCATOR", "GLIBC_TUNABLES", "LD_PRELOAD")
RESULTS = HERE / "results"

# Our allocator's setting in glibc's own variables, for a peer's process that cannot call mallopt.
TUNED = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TOP_PAD_": str(64 * 2**20),
    "MALLOC_TRIM_THRESHOLD_": str(2**30),
}


@dataclass(frozen=True)
class Side:
    """One side of a comparison: a script, its arguments, and the Python that runs it."""

    name: str
    script: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    python: Path = Path(sys.executable)
    environment: Mapping[str, str] = field(default_factory=dict)


class SideFailed(Exception):
    """A side ended without a result; the text says which, and how its output ended."""


def run(side: Side, *, threads: int, timeout: float = 7200) -> dict[str, Any]:
    """The side's result from one fresh process with so many threads; "wall": its seconds in all."""
    # nothing that the caller set about threads or memory may reach a side
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(LEFT_BEHIND)
    }
    counts = {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    command = [str(side.python), str(HERE / "sides" / side.script), json.dumps(side.arguments)]
    began = time.perf_counter()
    try:
        done = subprocess.run(
            command,
            env=inherited | counts | dict(side.environment),
            capture_output=True,
            text=True,
            timeout=timeout,
        )
    except subprocess.TimeoutExpired:
        raise SideFailed(f"{side.name}: no result after {timeout:.0f} s") from None
    wall = time.perf_counter() - began
    try:
        if done.returncode:
            raise ValueError
        result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    except (ValueError, IndexError):
        end = "\n".join((done.stdout + done.stderr).splitlines()[-5:])
        raise SideFailed(f"{side.name}: exit code {done.returncode}\n{end}") from None
    return {"wall": wall} | result


def interleaved(
    sides: Sequence[Side], *, rounds: int, threads: int, key: str
) -> dict[str, list[dict[str, Any]]]:
    """Every side's results of all rounds, by name; what each gave for `key` is shown on stderr.

    A side that fails is left out from then on, and that is said.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    alive = list(sides)
    for number in range(rounds):
        for side in list(alive):
            _say(f"  round {number + 1}/{rounds}  {side.name} … ", end="")
            try:
                result = run(side, threads=threads)
            except SideFailed as wrong:
                alive.remove(side)
                found.pop(side.name, None)
                _say(f"left out. {wrong}")
                continue
            found.setdefault(side.name, []).append(result)
            _say(f"{result[key]:.4g}")
    return found


@dataclass(frozen=True)
class Figure:
    """Several measurements of one quantity: how many, their median, the least and the largest."""

    n: int
    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Figure":
        return cls(len(values), statistics.median(values), min(values), max(values))

    def columns(self) -> dict[str, Any]:
        return {name: f"{getattr(self, name):.5g}" for name in ("n", "median", "low", "high")}


def ratio(theirs: Sequence[dict[str, Any]], ours: Sequence[dict[str, Any]], key: str) -> Figure:
    """theirs / ours: of the medians, and the least and largest of the rounds taken in pairs."""
    pairs = [a[key] / b[key] for a, b in zip(theirs, ours, strict=False)]
    medians = [statistics.median(result[key] for result in side) for side in (theirs, ours)]
    return Figure(len(pairs), medians[0] / medians[1], min(pairs), max(pairs))


def matrix_rate(threads: int, device: str = "cpu") -> float:
    """GFLOP/s of a float32 matrix product with so many threads: the device's practical limit."""
    side = Side("matrix product", "matrix_rate.py", {"device": device})
    return float(run(side, threads=threads)["gflops"])


def surroundings(
    packages: Sequence[str] = ("torch", "numpy"), device: str = "cpu"
) -> dict[str, Any]:
    """What every row says about where it comes from.

    The commit is git's, or, in a copy without git's own files, what $COMMIT says.
    """
    commit = _git("rev-parse", "--short", "HEAD")
    changed = "+" if _git("status", "--porcelain", "--", "src", "benchmarks/*.py") else ""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "commit": commit + changed if commit else os.environ.get("COMMIT", ""),
        "hardware": hardware(device),
        "versions": " ".join([
            f"python {platform.python_version()}",
            *(f"{name} {version(name)}" for name in packages),
        ]),
    }  # fmt: skip


def hardware(device: str = "cpu") -> str:
    """The number of cores and the processor, as a run of hubel records it; and the GPU."""
    from hubel.verbs import machine  # brings torch: not for every help page

    own = f"{os.cpu_count()} × {machine.processor()}"
    if device == "cpu":
        return own
    return f"{own}; {machine.environment(machine.device(device))['device']}"


def _git(*arguments: str) -> str:
    """What git says; nothing where there is no git, or no repository."""
    if shutil.which("git") is None:
        return ""
    done = subprocess.run(["git", *arguments], cwd=HERE.parent, capture_output=True, text=True)
    return done.stdout.strip()


def record(name: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Append the rows to results/NAME.csv, in one write; the columns are the first rows' own."""
    path = RESULTS / f"{name}.csv"
    RESULTS.mkdir(exist_ok=True)
    if not rows:
        raise SystemExit(f"Nothing was measured: no row for {name}.")
    columns = list(rows[0])
    if path.exists():
        with path.open(newline="") as file:
            columns = next(csv.reader(file))
        unknown = set(rows[0]) - set(columns)
        if unknown:
            raise SystemExit(f"{path} has no columns {sorted(unknown)}: move it away first.")
    lines: list[str] = []
    writer = csv.DictWriter(_Lines(lines), columns, restval="", lineterminator="\n")
    if not path.exists():
        writer.writeheader()
    writer.writerows(rows)
    with path.open("a", newline="") as file:
        file.write("".join(lines))
    _say(f"{len(rows)} rows added to {path.relative_to(HERE.parent)}")


class _Lines:
    """What `csv` needs of a file, to hold the lines back until all are there."""

    def __init__(self, lines: list[str]) -> None:
        self.write = lines.append


def table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """The rows' columns as aligned text."""
    cells = [list(columns), *([str(row.get(name, "")) for name in columns] for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    )


def arguments(
    question: str, *, own: bool = False, networks: Sequence[str] = ()
) -> argparse.Namespace:
    """The options that every benchmark has; own: also one that leaves the peers out.

    networks: those that `--networks` chooses from, by default all, with --short the first.
    """
    parser = argparse.ArgumentParser(description=question)
    parser.add_argument("--short", action="store_true", help="fewer rounds, no long schedules")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, help="how often each side is run")
    parser.add_argument("--device", default="cpu", help="cpu or cuda, where the question has both")
    if own:
        parser.add_argument("--own", action="store_true", help="hubel and the bare loop alone")
    if networks:
        parser.add_argument("--networks", nargs="+", choices=networks)
    told = parser.parse_args()
    if networks and told.networks is None:
        told.networks = networks[:1] if told.short else networks
    return told


def main(benchmark: Any) -> None:
    """Run a benchmark; stopped by Ctrl-C it has written nothing, and says so."""
    try:
        benchmark()
    except KeyboardInterrupt:
        raise SystemExit("\nStopped: no row was written.") from None


def _say(text: str, end: str = "\n") -> None:
    print(text, end=end, file=sys.stderr, flush=True)


def each_thread_count(wanted: Sequence[int], device: str = "cpu") -> Iterator[tuple[int, float]]:
    """(threads, the device's matrix rate with so many), for those the machine has."""
    for threads in wanted:
        if threads > (os.cpu_count() or 1):
            _say(f"left out: {threads} threads on {os.cpu_count()} processor(s)")
            continue
        rate = matrix_rate(threads, device)
        _say(f"{threads} thread(s); matrix product {rate:.0f} GFLOP/s")
        yield threads, rate
