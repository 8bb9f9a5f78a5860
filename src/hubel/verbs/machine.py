"""The machine and its settings: device, threads, precision, versions; what a run records."""

import os
import platform
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import numpy as np
import torch

import hubel
from hubel import entrance
from hubel.mistakes import Failure, Mistake
from hubel.training.precision import multiplies_bfloat16

MOST_THREADS = 1024
MANY_THREADS, FOR_EACH = 16, 4  # may be asked for anywhere; and for each processor
Environment = dict[str, str | int | bool | None]
Given = ParamSpec("Given")
Found = TypeVar("Found")

# What must be as it was for a resumed run to be bit-equal.
DECISIVE = ("hubel", "torch", "numpy", "device", "threads", "processor", "bfloat16")


def device(name: str = "auto") -> torch.device:
    """auto | cpu | cuda | cuda:N | mps → a device that is there. Raises Mistake if it is not."""
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    kind, _, index = name.partition(":")
    if kind not in ("cpu", "cuda", "mps") or (
        index and not (kind == "cuda" and index.isascii() and index.isdecimal())
    ):
        raise Mistake(f"--device is auto, cpu, cuda, cuda:N or mps, not {name!r}.")
    there = {
        "cpu": 1,
        "cuda": torch.cuda.device_count(),
        "mps": int(torch.backends.mps.is_available()),
    }[kind]
    if int(index or 0) >= there:
        raise Mistake(
            f"There is no device {name!r} here ({kind}: {there} found); try --device cpu."
        )
    return torch.device(name)


@contextmanager
def threads(number: int | None) -> Iterator[int]:
    """So many torch threads inside (None: as it is, and nothing is set); put back after.

    The number is the calling thread's own (OpenMP's), and other threads keep theirs, but for two
    things that are the process's: MKL's products go by the number that was set last, and a thread
    that first uses torch meanwhile begins with it.
    """
    if number is None:
        yield torch.get_num_threads()
        return
    here = entrance.processors()
    most = min(MOST_THREADS, max(MANY_THREADS, FOR_EACH * here))
    if not 1 <= number <= most:
        raise Mistake(f"--threads is from 1 to {most}, where {here} processors are, not {number}.")
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield torch.get_num_threads()
    finally:
        torch.set_num_threads(before)


# what deterministic products on CUDA demand; it is read once, at the first product of the process
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


class _Deterministic:
    """What torch is told for the whole process by the first that asks, and put back by the last."""

    def __init__(self) -> None:
        self._lock, self._asking, self._before = threading.Lock(), 0, (False, False)

    def begin(self) -> None:
        with self._lock:
            self._asking += 1
            if self._asking == 1:
                cudnn = torch.backends.cudnn
                self._before = torch.are_deterministic_algorithms_enabled(), cudnn.benchmark
                torch.use_deterministic_algorithms(True)
                cudnn.benchmark = False

    def end(self) -> None:
        with self._lock:
            self._asking -= 1
            if self._asking == 0:
                torch.use_deterministic_algorithms(self._before[0])
                torch.backends.cudnn.benchmark = self._before[1]


_deterministic = _Deterministic()


@contextmanager
def deterministic(wanted: bool) -> Iterator[None]:
    """Deterministic kernels only, inside: what CUDA needs for bit-equal runs.

    They are the process's: whatever else is at work meanwhile has them, too, and is no worse for it
    but slower. Without the wish nothing is touched.
    """
    if not wanted:
        yield
        return
    _deterministic.begin()
    try:
        yield
    finally:
        _deterministic.end()


def undisturbed(verb: Callable[Given, Found]) -> Callable[Given, Found]:
    """The verb, as if nothing were switched on around the call of it: inference mode, `no_grad` and
    autocast are the caller's affair, and would change what is measured or keep it from learning.

    They are the thread's own; what is the process's, torch's default dtype, is left alone.
    """

    @wraps(verb)
    def run(*given: Given.args, **named: Given.kwargs) -> Found:
        with ExitStack() as inside:
            inside.enter_context(torch.inference_mode(False))
            inside.enter_context(torch.enable_grad())
            for kind in ("cpu", "cuda", "mps"):
                if torch.is_autocast_enabled(kind):
                    inside.enter_context(torch.autocast(kind, enabled=False))
            return verb(*given, **named)

    return run


def demand_float32() -> None:
    """Raises Mistake where new tensors would be of another precision: what is drawn and trained by
    the same seed would be something else, and could not be gone on with.
    """
    if torch.get_default_dtype() != torch.float32:
        raise Mistake(
            f"This works in float32, and torch's default is {torch.get_default_dtype()} here: "
            "torch.set_default_dtype(torch.float32) first."
        )


def autocast(precision: str, where: torch.device) -> torch.dtype | None:
    """The dtype of mixed precision, or None for float32 throughout.

    auto: bfloat16 where the device multiplies it in hardware, faster than float32: CUDA cards from
    Ampere on, processors with AVX512-BF16 or AMX. Raises Mistake where bfloat16 is asked for and
    would be emulated, which is slower and no more exact.
    """
    there = multiplies_bfloat16(where)
    if precision == "bfloat16" and not there:
        raise Mistake(
            f"Mixed precision needs a device that multiplies bfloat16; this {where.type} does not: "
            "--set precision=float32."
        )
    return torch.bfloat16 if there and precision != "float32" else None


def environment(where: torch.device) -> Environment:
    """Versions, device and threads, without names of machines, people or paths."""
    card = torch.cuda.get_device_name(where) if where.type == "cuda" else None
    return {
        "hubel": hubel.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "system": f"{platform.system()} {platform.machine()}",
        "processor": processor(),
        "device": str(where) if card is None else f"{where} ({card})",
        "threads": torch.get_num_threads(),
        "bfloat16": multiplies_bfloat16(where),
    }


def processor() -> str:
    """The processor's name and its vector instructions, which choose the kernels torch runs."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.partition(":")[2].strip() for line in lines if "model name" in line)
    except (OSError, StopIteration):
        name = platform.processor() or "unknown"
    return f"{name}, {torch.backends.cpu.get_cpu_capability()}"


def differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What of a run's environment is no longer so, of all that decides its bits."""
    return [
        f"{key} was {then.get(key)} and is {now[key]}"
        for key in DECISIVE
        if then.get(key) != now[key]
    ]


def check_space(folder: Path, needed: int) -> None:
    """Refuse to begin what the disk cannot hold. Raises Failure with both numbers."""
    place = next(p for p in (folder, *folder.absolute().parents) if p.exists())
    free = shutil.disk_usage(place).free
    if free < needed:
        raise Failure(
            f"The run needs about {needed / 1e6:,.0f} MB in {folder}, where {free / 1e6:,.0f} MB "
            "are free: free some space, or choose another place with --out."
        )
