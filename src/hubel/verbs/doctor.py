"""What hubel finds on this machine, and what is amiss."""

import os
import platform
import shutil
from typing import NamedTuple

import torch

import hubel
from hubel import entrance
from hubel.data.sources import SOURCES, is_here
from hubel.home import home
from hubel.mistakes import Failure
from hubel.networks import weights
from hubel.verbs import machine


class Finding(NamedTuple):
    """One thing looked at: whether it is well, what was found, and what to do if it is not."""

    good: bool
    what: str
    found: str
    advice: str = ""


def doctor() -> list[Finding]:
    """Look at versions, processor, memory, allocator, devices, disk, weights and data sets.

    >>> import hubel.verbs.doctor
    >>> hubel.verbs.doctor.doctor()[0].what
    'hubel'
    """
    free = shutil.disk_usage(next(p for p in (home(), *home().parents) if p.exists())).free
    return [
        Finding(True, "hubel", hubel.__version__),
        Finding(True, "python", f"{platform.python_version()} on {platform.system()}"),
        _torch(),
        Finding(
            True,
            "processor",
            f"{machine.processor()}, {entrance.processors()} of {os.cpu_count()} cores for us",
        ),
        Finding(True, "memory", f"{entrance.usable_memory() / 1e9:,.1f} GB for us"),
        Finding(True, "threads", str(torch.get_num_threads())),
        Finding(True, "allocator", entrance.allocator()),
        _devices(),
        Finding(
            free > 2e9,
            "disk",
            f"{free / 1e9:,.1f} GB free for {home()}",
            "Free some space, or set HUBEL_HOME to a place with more.",
        ),
        _weights(),
        *(_data(name) for name in SOURCES),
    ]


def _torch() -> Finding:
    good = torch.__version__.startswith("2.13.")
    advice = "hubel is tested with torch 2.13: pip install 'torch>=2.13,<2.14'."
    return Finding(good, "torch", torch.__version__, advice)


def _devices() -> Finding:
    cards = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    metal = ["mps"] if torch.backends.mps.is_available() else []
    return Finding(True, "devices", ", ".join(["cpu", *cards, *metal]))


def _weights() -> Finding:
    try:
        weights.check("efficientnet-lite0")
    except Failure as wrong:
        return Finding(False, "efficientnet-lite0", "no weights", str(wrong))
    return Finding(True, "efficientnet-lite0", "ImageNet weights, hash right")


def _data(name: str) -> Finding:
    # a data set that was never fetched is no fault of the machine
    return Finding(True, name, "here" if is_here(name) else f"not here (hubel data get {name})")
