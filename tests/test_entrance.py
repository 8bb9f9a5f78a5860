"""The allocator and threads at the entrance: set once, the user's own choice respected."""

import os
import subprocess
import sys
import warnings
from contextlib import nullcontext
from pathlib import Path

import pytest

import hubel
from hubel import entrance
from hubel.entrance import limit_threads, processors, tune_allocator
from hubel.mistakes import Mistake
from tests.conftest import Command

Calls = list[tuple[int, int]]


@pytest.fixture
def calls() -> Calls:
    return []


def noted(calls: Calls, answer: int = 1) -> entrance.Mallopt:
    def mallopt(parameter: int, value: int) -> int:
        calls.append((parameter, value))
        return answer

    return mallopt


def test_the_three_settings(calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entrance, "usable_memory", lambda: 2**40)
    said = tune_allocator({}, noted(calls))
    assert calls == [(-4, 0), (-2, entrance.STRIDE), (-1, entrance.KEPT)]
    assert f"{entrance.KEPT // 2**20:,} MiB" in said


def test_a_small_machine_keeps_less(calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entrance, "usable_memory", lambda: 2**28)
    tune_allocator({}, noted(calls))
    assert dict(calls)[entrance.M_TRIM_THRESHOLD] == 2**25
    assert dict(calls)[entrance.M_TOP_PAD] == 2**25


@pytest.mark.parametrize(
    "environment",
    [
        {"HUBEL_ALLOCATOR": "system"},
        {"MALLOC_TRIM_THRESHOLD_": "131072"},
        {"MALLOC_ARENA_MAX": "2"},
        {"GLIBC_TUNABLES": "glibc.malloc.tcache_count=0"},
        {"LD_PRELOAD": "/usr/lib/libjemalloc.so.2"},
    ],
)
def test_what_the_user_chose_stays(environment: dict[str, str], calls: Calls) -> None:
    said = tune_allocator(environment, noted(calls))
    assert not calls
    assert next(iter(environment)) in said


def test_other_variables_are_no_choice(calls: Calls) -> None:
    tune_allocator({"GLIBC_TUNABLES": "glibc.rtld.nns=4", "MALLOC": "1"}, noted(calls))
    assert calls


def test_without_glibc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "confstr", lambda _: None)
    assert "not glibc" in tune_allocator({})
    monkeypatch.delattr(os, "confstr")
    assert "not glibc" in tune_allocator({})


def test_a_refusal_is_said(calls: Calls) -> None:
    assert "refused" in tune_allocator({}, noted(calls, answer=0))


def test_a_wrong_value_is_one_sentence(
    hubel_command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Mistake, match="tuned or system, not 'fast'"):
        tune_allocator({"HUBEL_ALLOCATOR": "fast"})
    monkeypatch.setenv("HUBEL_ALLOCATOR", "fast")
    assert hubel_command("networks").code == 2


def test_importing_changes_nothing_and_the_command_line_does() -> None:
    """Large blocks are given back at once by a process that only imports, and kept by one of ours.

    Seen from outside: a second block of 32 MiB faults in all of its pages again, or none.
    """
    script = """
import resource, sys
import hubel, hubel.cli, numpy as np
from hubel import entrance
if sys.argv[1] == "enter":
    entrance.enter()
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.ones(2**22)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults()
print(faults())
"""
    counts = {}
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("MALLOC", "HUBEL", "LD_"))}
    for way in ("import", "enter"):
        done = subprocess.run(
            [sys.executable, "-c", script, way], capture_output=True, text=True, env=clean
        )
        counts[way] = int(done.stdout)
    if not os.confstr("CS_GNU_LIBC_VERSION"):
        pytest.skip("this C library is not glibc")
    assert counts["enter"] < 100
    assert counts["import"] > 10 * max(counts["enter"], 1)


def test_threads_follow_a_quota(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)))
    monkeypatch.setattr(entrance, "_read", lambda _: "150000 100000")
    assert processors() == 2
    environment: dict[str, str] = {}
    limit_threads(environment)
    assert environment == {"OMP_NUM_THREADS": "2"}
    environment = {"OMP_NUM_THREADS": "8"}
    limit_threads(environment)
    assert environment == {"OMP_NUM_THREADS": "8"}


@pytest.mark.parametrize("text", ["", "max 100000", "0 0", "nonsense"])
def test_no_quota(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    monkeypatch.setattr(entrance, "_read", lambda _: text)
    environment: dict[str, str] = {}
    limit_threads(environment)
    assert not environment


def test_a_containers_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entrance, "_read", lambda _: "1048576")
    assert entrance.usable_memory() == 2**20
    monkeypatch.setattr(entrance, "_read", lambda _: "max")
    assert entrance.usable_memory() > 2**20


def test_doctor_shows_it(hubel_command: Command, tmp_path: Path) -> None:
    answer = hubel_command("doctor")
    assert "allocator" in answer.out
    assert "MiB of freed memory" in answer.out or "as the system has it" in answer.out


@pytest.mark.parametrize("options", [[], ["error"]])
def test_warnings_go_unheard_but_where_the_user_set_them(
    options: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "warnoptions", options)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        entrance.hush()
        with pytest.raises(UserWarning) if options else nullcontext():
            warnings.warn("of a library", stacklevel=1)


def test_nothing_but_the_entrance_touches_the_filters() -> None:
    """They are the whole process's: another thread's work must not change with ours."""
    source = Path(hubel.__file__).parent
    words = ("catch_warnings", "simplefilter", "filterwarnings", "resetwarnings", "showwarning")
    found = {
        path.relative_to(source).as_posix()
        for path in source.rglob("*.py")
        if any(word in path.read_text(encoding="utf-8") for word in words)
    }
    assert found == {"entrance.py"}
