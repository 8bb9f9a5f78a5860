"""The lecture as one living page: every built lab run, every claim with what was measured."""

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

import hubel
from hubel import reading
from hubel.figures import duration
from hubel.findings import Claim
from hubel.labs.lab import Size
from hubel.labs.lecture import BEYOND, CLAIMS, labs
from hubel.labs.run import PAGE as LAB_PAGE
from hubel.labs.run import Ran, kept, run_lab
from hubel.mistakes import Failure, Mistake
from hubel.report.lecture import Entry, entries, lecture_page
from hubel.verbs.machine import processor
from hubel.verbs.onward import onward
from hubel.verbs.place import place
from hubel.verbs.watch import Watch

PAGE, FACTS = "lecture.html", "lecture.json"
# claim → those that it sums up
SUMS = {
    "L52": ("L22", "L24", "L25", "L12", "L14", "L18", "L20", "L21", "L37", "L38", "L40", "L41"),
}


@dataclass(frozen=True)
class Lecture:
    """The page, every claim on it, the labs that were run for it, and those that failed, with why.

    ran holds also what was taken over from an earlier call.
    """

    page: Path
    entries: tuple[Entry, ...]
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

    out: the folder, where earlier labs are replaced; each has a folder of its own in it. None: a
    new one, lecture. What an earlier call with the same size, seed and versions left there is taken
    over, unless fresh: so that a lecture that was stopped goes on. A lab that fails is entered with
    its sentence.
    """
    watch = watch or Watch()
    facts = {"size": size, "seed": seed, "hubel": hubel.__version__, "torch": torch.__version__}
    results = place(out, Path("lecture"), FACTS, "lecture")

    def same(last: Path) -> bool:
        return not fresh and _told(last) == facts

    with results.held(same) as folder:
        folder.write(FACTS, json.dumps(facts, indent=2) + "\n")
        every, ran, failed = _measured(folder.path, size, seed, watch, fresh=fresh)
        text = lecture_page(
            every,
            onward=onward("lecture"),
            facts={
                "date": datetime.now(UTC).strftime("%Y-%m-%d"),
                "hubel": hubel.__version__,
                "torch": torch.__version__,
                "machine": f"{os.cpu_count()} × {processor()}",
                "size": size,
                "seed": str(seed),
                "seconds": sum(each.seconds for each in ran.values()),
            },
        )
        return Lecture(folder.write(PAGE, text), every, tuple(ran.values()), failed)


def _told(folder: Path) -> object:
    """What a lecture says of itself."""
    try:
        return reading.record(folder / FACTS, dict[str, Any])
    except Failure:
        return None


def _measured(
    folder: Path, size: Size, seed: int, watch: Watch, *, fresh: bool
) -> tuple[tuple[Entry, ...], dict[str, Ran], dict[str, str]]:
    """The entries, the labs that ran or were taken over, and why the others failed."""
    ran: dict[str, Ran] = {}
    failed: dict[str, str] = {}
    names = list(labs())
    for i, name in enumerate(names):
        watch.progress("lecture", i, len(names), name)
        found = None if fresh else kept(name, folder / name, size=size, seed=seed)
        before = ", as measured before" if found else ""
        try:
            found = found or run_lab(name, size=size, seed=seed, out=folder / name, watch=watch)
        except KeyboardInterrupt:
            watch.notice(f"{i} of {len(names)} labs are kept in {folder}; the same call goes on.")
            raise
        except (Failure, Mistake, FloatingPointError) as wrong:
            failed[name] = str(wrong)
            watch.notice(f"{i + 1} of {len(names)}: {name} failed: {wrong}")
            continue
        ran[name] = found
        said = ", ".join(f"{finding.id} {finding.verdict}" for finding in found.shown.findings)
        took = duration(found.seconds)
        watch.notice(f"{i + 1} of {len(names)}: {name}, {took}{before}: {said}")
    watch.progress("lecture", len(names), len(names))
    return _entries(ran, failed), ran, failed


def _entries(ran: dict[str, Ran], failed: dict[str, str]) -> tuple[Entry, ...]:
    """Every claim, those that sum others up with them; last, what labs beyond the lecture found."""
    beyond = [claim for claim in BEYOND if claim.lab in ran or claim.lab in failed]
    made = {claim.id: _entry(claim, ran, failed) for claim in (*CLAIMS, *beyond)}
    for id_, parts in SUMS.items():
        if id_ in made:
            made[id_] = Entry(made[id_].claim, parts=tuple(made[part] for part in parts))
    return tuple(made.values())


def _entry(claim: Claim, ran: dict[str, Ran], failed: dict[str, str]) -> Entry:
    """A claim with what its lab found; the pictures stand with the lab's first claim."""
    if claim.lab is None:
        return Entry(claim)
    if claim.lab in failed:
        return Entry(claim, failed=failed[claim.lab])
    own = ran[claim.lab]
    page = f"{own.name}/{LAB_PAGE}" if (own.folder / LAB_PAGE).is_file() else ""
    return next(e for e in entries(labs()[claim.lab], own.shown, page) if e.claim == claim)
