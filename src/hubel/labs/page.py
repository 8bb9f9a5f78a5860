"""The lecture as one living page: every built lab run, every claim with what was measured."""

import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import torch

import hubel
from hubel import atomic
from hubel.findings import Claim, Drawing, Finding
from hubel.labs.lab import Size
from hubel.labs.lecture import CLAIMS, labs
from hubel.labs.run import Ran, kept, run_lab
from hubel.mistakes import Failure, Mistake
from hubel.report.lecture import Entry, lecture_page
from hubel.verbs.machine import processor
from hubel.verbs.watch import Watch

PAGE = "lecture.html"


@dataclass(frozen=True)
class Lecture:
    """The page, the labs that were run for it, and those that failed, with why."""

    page: Path
    ran: tuple[Ran, ...]
    failed: dict[str, str]


def run_all(
    *,
    size: Size = "usual",
    seed: int = 0,
    out: str | os.PathLike[str] | None = None,
    fresh: bool = False,
    watch: Watch | None = None,
) -> Lecture:
    """Run every lab that is built, in the lecture's order, and write lecture.html.

    out: the folder, labs by default; each lab has a folder of its own in it. What an earlier call
    with the same size, seed and versions left there is taken over, unless fresh: so that a lecture
    that was stopped goes on. A lab that fails is entered with its sentence.
    """
    watch = watch or Watch()
    folder = Path(out) if out is not None else Path("labs")
    names = list(labs())
    ran: dict[str, Ran] = {}
    failed: dict[str, str] = {}
    began = time.perf_counter()
    for i, name in enumerate(names):
        watch.progress("lecture", i, len(names), name)
        found = None if fresh else kept(name, folder / name, size=size, seed=seed)
        try:
            ran[name] = found or run_lab(name, size=size, seed=seed, out=folder / name, watch=watch)
        except (Failure, Mistake, FloatingPointError) as wrong:
            failed[name] = str(wrong)
            watch.notice(f"The lab {name} failed: {wrong}")
    watch.progress("lecture", len(names), len(names), "")
    text = lecture_page(
        [_entry(claim, ran, failed) for claim in CLAIMS],
        facts={
            "date": datetime.now(UTC).strftime("%Y-%m-%d"),
            "hubel": hubel.__version__,
            "torch": torch.__version__,
            "machine": f"{os.cpu_count()} × {processor()}",
            "size": size,
            "seed": str(seed),
            "seconds": sum(each.seconds for each in ran.values()),
            "waited": time.perf_counter() - began,
        },
    )
    page = atomic.write(folder.absolute() / PAGE, text)
    return Lecture(page, tuple(ran.values()), failed)


def _entry(claim: Claim, ran: dict[str, Ran], failed: dict[str, str]) -> Entry:
    """A claim with what its lab found; the pictures stand with the lab's first claim."""
    if claim.lab is None:
        return Entry(claim)
    if claim.lab in failed:
        return Entry(claim, failed=failed[claim.lab])
    shown = ran[claim.lab].shown
    found: Finding | None = next((row for row in shown.findings if row.id == claim.id), None)
    first = labs()[claim.lab][0].id == claim.id
    drawings: tuple[Drawing, ...] = shown.drawings if first else ()
    return Entry(
        claim,
        finding=found,
        drawings=drawings,
        pictured_at="" if first or not shown.drawings else labs()[claim.lab][0].id,
        lines=shown.lines if first else (),
    )
