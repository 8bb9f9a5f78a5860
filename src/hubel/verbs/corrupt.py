"""Corrupt a classifier's pictures as cameras, weather and files do, and count what that costs."""

import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import torch

import hubel
from hubel.breaking.corruptions.table import CORRUPTIONS, SEVERITIES
from hubel.figures import percent
from hubel.mistakes import Failure, Mistake, unknown
from hubel.model import Classifier
from hubel.output import Output
from hubel.report.corruptions import Corruptions, corruptions_page
from hubel.report.html import Onward
from hubel.verbs import machine
from hubel.verbs.afford import MINUTES, afforded, check_minutes
from hubel.verbs.corrupting import Measured, Work, saved, subject
from hubel.verbs.early import check_measured
from hubel.verbs.interrupt import Request, interruptible
from hubel.verbs.labelled import Split, others_flattered
from hubel.verbs.load import called, loaded, speaking_of
from hubel.verbs.onward import onward
from hubel.verbs.place import near, place
from hubel.verbs.watch import Watch, about

PAGE, FACTS = "corruptions.html", "corruptions.json"
MOST, LEAST = 1000, 50  # pictures, where nobody says how many
SET = "corrupted"  # the folder of corrupted pictures


@dataclass(frozen=True)
class Corrupted:
    """What was written, and what it says. saved: the corrupted pictures, where they were asked for.

    stopped: whether some is missing because a stop was asked for.
    """

    page: Path
    found: Corruptions
    saved: Path | None = None
    stopped: bool = False

    @property
    def lines(self) -> tuple[str, ...]:
        """What it says, the worst corruptions last."""
        rows = sorted(self.found.rows, key=lambda row: row.mean.value)
        errors = (f"{row.name:<17} error {percent(row.mean.value)}" for row in rows)
        return (*errors, self.found.headline)

    def as_json(self) -> dict[str, Any]:
        return self.found.as_json() | {
            "page": str(self.page),
            "saved": self.saved and str(self.saved),
            "stopped": self.stopped,
        }


@machine.undisturbed
def corrupt(
    model: str | os.PathLike[str] | Classifier,
    data: str | os.PathLike[str] | None = None,
    *,
    against: str | os.PathLike[str] | Classifier | None = None,
    corruptions: Sequence[str] | None = None,
    severities: Sequence[int] = SEVERITIES,
    images: int | None = None,
    minutes: float = MINUTES,
    split: Split | None = None,
    save: bool = False,
    seed: int = 0,
    out: str | os.PathLike[str] | None = None,
    device: str = "auto",
    threads: int | None = None,
    workers: int = 0,
    download: bool = False,
    watch: Watch | None = None,
) -> Corrupted:
    """Wrong answers by corruption and severity, and the mean corruption error.

    model, data, split: as `hubel.evaluate` takes them. images: at most so many of them, drawn by
    the seed; None: 1,000, or as many as take about so many minutes, LEAST at least, by what the
    first few take. corruptions: rows of `breaking.corruptions.table.CORRUPTIONS`; None: all.
    against: a reference of the same classes, on the same pictures; with it there is a mean
    corruption error (Hendrycks & Dietterich 2019), without it the errors beside the network's own
    on the pictures as they are. Each network sees pictures of its own size, corrupted at that size.
    Pictures are rounded to 8 bits, as files are.
    save: write the corrupted pictures, as the model sees them, into out/corrupted: a folder for
    each corruption and severity in it, of a folder for each class, which is a data set.
    out: the folder for corruptions.html, its pictures and corruptions.json, where an earlier result
    of corruptions is replaced; None: a new one, break-corruptions in the model's run, or here.

    The first Ctrl-C ends it, and what there is without the corruption at work is written.
    Raises Mistake for what cannot be asked, KeyboardInterrupt where it is stopped before anything
    was measured.
    """
    watch = watch or Watch()
    names, chosen = _asked(corruptions, severities)
    check_minutes(minutes)
    usual = near(model, "break-corruptions")
    results = place(out, usual, FACTS, "result of corruptions", data=data)
    check_measured(data, split)
    where = machine.device(device)
    classifier = loaded(model, download=download, watch=watch).to(where)
    other = None if against is None else loaded(against, download=download, watch=watch).to(where)
    with machine.threads(threads), results.held() as folder, interruptible(at_once=True) as request:
        others_flattered(model, data, split, [] if against is None else [against], watch)
        begun = partial(
            _begun, model, classifier, other, data, chosen, request, split=split, seed=seed,
            workers=workers, reference="" if against is None else called(against, "the reference"),
        )  # fmt: skip
        work = begun(MOST if images is None else images, watch)
        if images is None:
            n = _paid(work, names, minutes)
            if n < len(work.own.labels):
                work = begun(n, Watch())
                work.watch = watch
        work.of = len(names)
        for name in names:
            work.measure(name)
        if not work.rows:
            raise KeyboardInterrupt  # nothing was measured, and what is there stays
        found = work.found()
        end = onward("corruptions", model, folder.path / PAGE)
        _write(folder, found, _facts(model, work.own, seed), end)
        kept = saved(work, folder, SET) if save and not request.made else None
        folder.finish()
        return Corrupted(folder.path / PAGE, found, kept, stopped=request.made)


def _begun(
    model: str | os.PathLike[str] | Classifier, classifier: Classifier, other: Classifier | None,
    data: str | os.PathLike[str] | None, severities: Sequence[int], request: Request, most: int,
    watch: Watch, *, split: Split | None, seed: int, workers: int, reference: str,
) -> Work:  # fmt: skip
    """The pictures read and answered, by the reference too."""
    how: dict[str, Any] = {
        "split": split, "most": most, "seed": seed, "workers": workers, "watch": watch,
    }  # fmt: skip
    own, theirs = subject(model, classifier, data, **how), None
    if other is not None:
        with speaking_of(reference):
            theirs = subject(model, other, data, name=reference, **how)
        if len(theirs.labels) != len(own.labels):
            raise Failure("The two models could not read the same pictures.")
    return Work(own, theirs, severities, seed, watch, request)


def _paid(
    work: Work, names: Sequence[str], minutes: float, clock: Callable[[], float] = time.monotonic
) -> int:
    """How many of the pictures the minutes pay for; fewer than all is told."""
    every, each = len(work.own.labels), work.cost(names, clock)
    n = afforded(60 * minutes, each, least=min(LEAST, every), most=every)
    if n < every:
        work.watch.notice(
            f"Corrupted are {n} of {every} pictures: that is {about(n * each)} of work, of "
            f"--minutes {minutes:g}."
        )
    return n


def _asked(
    corruptions: Sequence[str] | None, severities: Sequence[int]
) -> tuple[list[str], list[int]]:
    names = list(dict.fromkeys(CORRUPTIONS if corruptions is None else corruptions))
    if not names:
        raise Mistake(f"Name at least one corruption: {', '.join(CORRUPTIONS)}.")
    for name in names:
        if name not in CORRUPTIONS:
            raise unknown("corruption", name, CORRUPTIONS)
    wrong = [each for each in severities if each not in SEVERITIES]
    if wrong or not severities:
        found = f"not {wrong[0]}" if wrong else "and at least one is needed"
        raise Mistake(f"Severities are 1, 2, 3, 4 and 5, {found}.")
    return names, sorted(set(severities))


def _facts(model: str | os.PathLike[str] | Classifier, own: Measured, seed: int) -> dict[str, Any]:
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "hubel": hubel.__version__,
        "torch": torch.__version__,
        "model": called(model),
        "data": own.what,
        "pictures": len(own.labels),
        "of": own.of,
        "seed": seed,
    }


def _write(folder: Output, found: Corruptions, facts: dict[str, Any], end: Onward) -> None:
    files = {f"{drawing.name}.png": drawing.png for drawing in found.drawings}
    files[PAGE] = corruptions_page(found, facts, end).encode()
    files[FACTS] = (json.dumps(facts | found.as_json(), indent=2) + "\n").encode()
    folder.write_all(files)
