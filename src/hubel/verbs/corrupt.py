"""Corrupt a classifier's pictures as cameras, weather and files do, and count what that costs."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

import hubel
from hubel.breaking.corruptions.table import CORRUPTIONS, SEVERITIES
from hubel.mistakes import Failure, Mistake, unknown
from hubel.model import Classifier
from hubel.output import Output
from hubel.report.corruptions import Corruptions, corruptions_page
from hubel.report.wording import percent
from hubel.verbs import machine
from hubel.verbs.corrupting import Measured, Work, saved, subject
from hubel.verbs.early import check_measured
from hubel.verbs.interrupt import interruptible
from hubel.verbs.labelled import Split, flattered, samples_of
from hubel.verbs.load import called, loaded, own_run
from hubel.verbs.place import near, place
from hubel.verbs.watch import Watch

PAGE, FACTS = "corruptions.html", "corruptions.json"
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
    images: int = 1000,
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
    the seed. corruptions: rows of `breaking.corruptions.table.CORRUPTIONS`; None: all.
    against: a reference of the same classes, on the same pictures; with it there is a mean
    corruption error (Hendrycks & Dietterich 2019), without it the errors beside the network's own
    on the pictures as they are. Each network sees pictures of its own size, corrupted at that size.
    Pictures are rounded to 8 bits, as files are.
    save: write the corrupted pictures, as the model sees them, into out/corrupted: a folder for
    each corruption and severity in it, of a folder for each class, which is a data set.
    out: the folder for corruptions.html, its pictures and corruptions.json, where an earlier result
    of corruptions is replaced; None: a new one, break-corruptions in the model's run, or here.

    The first Ctrl-C ends it after the corruption at work, and what there is is written.
    Raises Mistake for what cannot be asked, KeyboardInterrupt where it is stopped before anything
    was measured.
    """
    watch = watch or Watch()
    names, chosen = _asked(corruptions, severities)
    usual = near(model, "break-corruptions")
    results = place(out, usual, FACTS, "result of corruptions", data=data)
    check_measured(data, split)
    where = machine.device(device)
    classifier = loaded(model, download=download, watch=watch).to(where)
    other = None if against is None else loaded(against, download=download, watch=watch).to(where)
    with machine.threads(threads), results.held() as folder, interruptible() as request:
        own = subject(
            model, classifier, data, split=split, most=images, seed=seed, workers=workers,
            watch=watch,
        )  # fmt: skip
        theirs = None
        if against is not None and other is not None:
            learned = own_run(against)
            if learned is not None:
                samples = samples_of(own_run(model), data, split, Watch())[1]
                flattered(learned, learned.path.name, samples, watch)
            theirs = subject(
                model, other, data, split=split, most=images, seed=seed, workers=workers,
                watch=watch, name=called(against, "the reference"),
            )  # fmt: skip
            if len(theirs.labels) != len(own.labels):
                raise Failure("The two models could not read the same pictures.")
        work = Work(own, theirs, chosen, seed, watch, request)
        for name in names:
            work.measure(name)
        if not work.rows:
            raise KeyboardInterrupt  # nothing was measured, and what is there stays
        found = work.found()
        _write(folder, found, _facts(model, own, seed))
        kept = saved(work, folder, SET) if save and not request.made else None
        folder.finish()
        return Corrupted(folder.path / PAGE, found, kept, stopped=request.made)


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


def _write(folder: Output, found: Corruptions, facts: dict[str, Any]) -> None:
    files = {f"{drawing.name}.png": drawing.png for drawing in found.drawings}
    files[PAGE] = corruptions_page(found, facts).encode()
    files[FACTS] = (json.dumps(facts | found.as_json(), indent=2) + "\n").encode()
    folder.write_all(files)
