"""kill -9 at any moment, resume, and the final weights are bit-equal to the uninterrupted run's.

The checkpoint interval is zero, so that a checkpoint is saved after every step and most kills fall
into the middle of one. A server process that has torch loaded forks the runs: twenty starts of
Python would take longer than the runs.
"""

import multiprocessing
import shutil
import time
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest

import hubel
from hubel.model import WEIGHTS
from hubel.run import Run, Status

# One kill in each twentieth of the run: a few in `make test`, the rest in `make slow`.
KILLS = 20
FEW = range(2, KILLS, 6)
LOADED = [  # all that a run loads when it comes to it
    *("hubel.verbs.train", "torch._dynamo", "jinja2", "sklearn.linear_model", "matplotlib.figure"),
    *("matplotlib.backends.backend_agg", "matplotlib.backends.backend_svg"),
]
SETTINGS = {
    "network": "mlp",
    "arguments": {"dropout": 0.3, "hidden": [32]},
    "epochs": 3,
    "batch_size": 100,
    "rotate": 5.0,
    "checkpoint_seconds": 0.0,
    "seed": 4,
}


def whole(out: str) -> None:
    hubel.train("digits", out=out, threads=1, **SETTINGS)


def resumed(out: str) -> None:
    hubel.train(resume=out, threads=1)


@pytest.fixture(scope="module")
def server() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(LOADED)
    return context


def run_to_end(server: ForkServerContext, what: object, out: Path) -> float:
    process = server.Process(target=what, args=(str(out),))
    began = time.monotonic()
    process.start()
    process.join()
    assert process.exitcode == 0
    return time.monotonic() - began


def final_weights(out: Path) -> bytes:
    return (out / "model" / WEIGHTS).read_bytes()


@pytest.fixture(scope="module")
def uninterrupted(
    server: ForkServerContext, tmp_path_factory: pytest.TempPathFactory
) -> tuple[bytes, float]:
    """The weights of a run that nobody stopped, and how long one takes (the second: warm)."""
    folder = tmp_path_factory.mktemp("whole")
    run_to_end(server, whole, folder / "first")
    seconds = run_to_end(server, whole, folder / "second")
    assert final_weights(folder / "first") == final_weights(folder / "second")
    return final_weights(folder / "first"), seconds


@pytest.mark.parametrize(
    "moment",
    [pytest.param(n, marks=() if n in FEW else pytest.mark.slow) for n in range(KILLS)],
)
def test_killed_and_resumed_is_bit_equal(
    server: ForkServerContext, uninterrupted: tuple[bytes, float], tmp_path: Path, moment: int
) -> None:
    expected, seconds = uninterrupted
    out = tmp_path / "run"
    process = server.Process(target=whole, args=(str(out),))
    process.start()
    # uniform over the run, one in each twentieth of it
    time.sleep(seconds * (moment + 0.5) / KILLS)
    process.kill()  # SIGKILL; a run that was quicker than the last time has ended by now
    process.join()
    if not (out / "recipe.toml").exists():
        # killed before the run was one: nothing to resume, and nothing that a new run minds
        shutil.rmtree(out, ignore_errors=True)
        run_to_end(server, whole, out)
    else:
        run_to_end(server, resumed, out)
    assert final_weights(out) == expected
    assert not list(out.rglob(".*.partial"))
    assert Run.find(out).read_json("status.json", Status).state == "finished"
