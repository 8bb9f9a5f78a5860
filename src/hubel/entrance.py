"""Set once where a process of ours begins: the allocator, the threads, what warnings are told.

Called by the command line (and by whatever else owns its process), never by `import hubel`: a
library does not change the process it is a guest in.

**The allocator.** glibc gives a large block back to the kernel as soon as it is freed, and the
kernel hands out zeroed pages one fault at a time. A network frees and asks for the same large
blocks at every layer, so that on the CPU up to half of the time goes into page faults. `mallopt`
makes glibc keep what is freed: no block has a mapping of its own (M_MMAP_MAX), the heap grows in
large strides (M_TOP_PAD), and its end is given back only above a bound (M_TRIM_THRESHOLD). What
the bound costs was measured: benchmarks/allocator.py.
"""

import ctypes
import os
import sys
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

from hubel.mistakes import Mistake

Mallopt = Callable[[int, int], int]  # (parameter, value) → 1 when it was taken
SWITCH = "HUBEL_ALLOCATOR"  # "system" leaves glibc as it is

# The parameters' numbers in glibc's <malloc.h>, which are part of its ABI.
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4
# Bytes of freed memory at the heap's end that stay with the process, at most (what is freed below a
# block that is still in use stays as well, whatever the bound): half as much costs a
# third of the speed at batch 64, twice as much gains nothing.
KEPT = 2**30
STRIDE = 64 * 2**20  # bytes by which the heap grows

_said = "as the system has it: not a process of the command line"


def enter() -> None:
    """Set allocator and threads for this process; harmless where it does not apply, or twice.

    Raises Mistake for an unknown value of HUBEL_ALLOCATOR.
    """
    global _said
    _said = tune_allocator(os.environ)
    limit_threads(os.environ)


def allocator() -> str:
    """What `enter` did about the allocator, in words."""
    return _said


def hush() -> None:
    """In this process the warnings of libraries go unheard, unless the user has set that (-W).

    They are about odd metadata of pictures, glyphs that a font lacks and the age of files: what
    the user has to know, this program says itself. Filters are the whole process's, so that they
    are set here, and never while work runs: another thread may be at any work of its own.
    """
    if not sys.warnoptions:
        warnings.simplefilter("ignore")


def speak_utf8() -> None:
    """Begin this process anew in Python's UTF-8 mode, where it would read file names otherwise.

    Under LC_ALL=C with PYTHONUTF8=0, or in a Latin-1 locale, a name in UTF-8 looks like a damaged
    one, and what is printed as JSON is none.
    """
    if sys.getfilesystemencoding() != "utf-8":
        again = [sys.executable, "-X", "utf8", "-m", "hubel", *sys.argv[1:]]
        os.execv(sys.executable, again)  # noqa: S606 - the same program


def tune_allocator(environment: Mapping[str, str], mallopt: Mallopt | None = None) -> str:
    """Make glibc keep freed memory up to a bound; what was done, or why nothing was.

    What the user set is respected: glibc's own variables, or another allocator loaded before it.
    """
    wanted = environment.get(SWITCH, "tuned")
    if wanted not in ("tuned", "system"):
        raise Mistake(f"{SWITCH} is tuned or system, not {wanted!r}.")
    if wanted == "system":
        return f"as the system has it: {SWITCH}=system"
    if theirs := _set_by_user(environment):
        return f"as the system has it: {theirs} is set"
    mallopt = mallopt or _mallopt()
    if mallopt is None:
        return "as the system has it: it is not glibc's"
    kept = min(KEPT, usable_memory() // 8)
    settings = ((M_MMAP_MAX, 0), (M_TOP_PAD, min(STRIDE, kept)), (M_TRIM_THRESHOLD, kept))
    refused = [parameter for parameter, value in settings if not mallopt(parameter, value)]
    if refused:
        return f"not fully set: glibc refused {len(refused)} of {len(settings)} settings"
    return (
        f"glibc, its heap's end keeps up to {kept / 2**20:,.0f} MiB of freed memory "
        f"({SWITCH}=system: as it was)"
    )


def _set_by_user(environment: Mapping[str, str]) -> str | None:
    """The variable with which the user has already chosen, if there is one."""
    for name, value in environment.items():
        if name.startswith("MALLOC_"):
            return name
        if name == "GLIBC_TUNABLES" and "glibc.malloc" in value:
            return name
        if name == "LD_PRELOAD" and "malloc" in value:
            return name
    return None


def _mallopt() -> Mallopt | None:
    """glibc's function, or None where the C library is another."""
    try:
        if not (os.confstr("CS_GNU_LIBC_VERSION") or "").startswith("glibc"):
            return None
        found: Mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, ValueError, OSError):  # no confstr, no such name, no such symbol
        return None
    return found


def limit_threads(environment: dict[str, str] | os._Environ[str]) -> None:
    """Where a container may use fewer processors than the machine has, tell torch so.

    torch starts a thread for every core it sees, and a quota of two on a machine of 64 then runs
    slower than one thread. What the user set stays; `--threads` is stronger than both.
    """
    allowed = processors()
    if allowed < (os.cpu_count() or 1):
        environment.setdefault("OMP_NUM_THREADS", str(allowed))


def processors() -> int:
    """Processors this process may use: by its affinity and its container's quota, at least 1."""
    affinity = getattr(os, "sched_getaffinity", None)
    allowed = len(affinity(0)) if affinity else os.cpu_count() or 1
    quota, _, period = _read("/sys/fs/cgroup/cpu.max").partition(" ")
    if quota.isdecimal() and period.isdecimal() and int(period):
        allowed = min(allowed, -(-int(quota) // int(period)))
    return max(1, allowed)


def usable_memory() -> int:
    """Bytes of memory this process may use: the machine's, or its container's limit if less."""
    try:
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        total = 2**33
    limit = _read("/sys/fs/cgroup/memory.max")
    return min(total, int(limit)) if limit.isdecimal() else total


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""
