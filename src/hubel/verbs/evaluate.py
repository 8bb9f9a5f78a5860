"""Measure a classifier: a run on its own test split, or any model on any labelled pictures."""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from hubel.data.decoding import Loaded
from hubel.data.headers import headers
from hubel.data.samples import Files, Samples, Splits
from hubel.data.sources import has_test, open_splits, open_whole
from hubel.inference.answers import Answers
from hubel.mistakes import Failure, Mistake
from hubel.model import Classifier
from hubel.results import Beside, Evaluation, Group
from hubel.run import Run
from hubel.training import evaluate as figures
from hubel.training.calibration import calibration
from hubel.training.comparison import beside, thirds
from hubel.training.recipe import from_run
from hubel.verbs import machine
from hubel.verbs.baselines import beside_baselines
from hubel.verbs.load import load, own_run
from hubel.verbs.prepare import decode, open_data
from hubel.verbs.report import write_report
from hubel.verbs.resume import check_data
from hubel.verbs.tested import keep
from hubel.verbs.watch import Watch

Split = Literal["train", "validation", "test", "all"]
CHUNK = 1024  # pictures worked on at a time
SPLITS: tuple[Split, ...] = ("train", "validation", "test", "all")


def evaluate(
    model: str | os.PathLike[str] | Classifier,
    data: str | os.PathLike[str] | None = None,
    *,
    split: Split | None = None,
    device: str = "auto",
    threads: int | None = None,
    workers: int = 0,
    batch_size: int | None = None,
    baselines: bool = True,
    flips: bool = False,
    against: str | os.PathLike[str] | Classifier | None = None,
    watch: Watch | None = None,
) -> Evaluation:
    """Accuracy with its interval, top-5, per-class figures and confusion of `model` on `data`.

    model: a run folder, a model folder, a catalogue name or a Classifier. data: a data set or a
    folder; a run needs none and is measured on its own test split, and its report is written anew
    with the result. split: the default is test, and for another folder without a test split, all
    of it. Classes are matched by name. batch_size: None finds the fastest by itself.

    baselines: of a run on its own test pictures, shallow methods are measured beside it (once; they
    are kept in the run). flips: also with the answers to mirrored pictures averaged in. against:
    another model, measured on the same pictures. Raises Mistake and Failure as `hubel.train` does.

    >>> import hubel, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     trained = hubel.train("digits", network="linear", epochs=2, out=f"{folder}/run")
    ...     tested = hubel.evaluate(trained.run, baselines=False)
    >>> tested.n, tested.accuracy > 0.5
    (359, True)
    """
    watch = watch or Watch()
    if split is not None and split not in SPLITS:
        raise Mistake(f"--split is {', '.join(SPLITS)}; not {split!r}.")
    where = machine.device(device)
    classifier = model if isinstance(model, Classifier) else load(model)
    own = own_run(model)
    splits, samples, name = _samples(own, data, split)
    job = _Job(where, batch_size, workers, watch)
    with machine.threads(threads):
        loaded, logits, labels = _answered(job, classifier, samples, name)
        found = figures.evaluation(logits, labels, classifier.classes)
        right = (logits.argmax(1) == labels).numpy()
        found = replace(
            found, calibration=calibration(logits, labels), groups=_groups(samples, loaded, right)
        )
        if flips:
            mirrored = _mirrored(job, classifier, loaded)
            share = ((logits + mirrored).argmax(1) == labels).double().mean()
            found = replace(found, mirrored=float(share))
        on_own_test = own is not None and data is None and name == "test"
        if against is not None:
            found = replace(found, against=_against(job, against, samples, right))
        if own is not None and splits is not None and on_own_test and baselines:
            besides = beside_baselines(
                own, splits, classifier.pixels, right,
                seed=from_run(own.path).seed, workers=workers, watch=watch,
            )  # fmt: skip
            found = replace(found, besides=tuple(besides))
        if own is not None and data is not None:
            _flattered(job, own, own.path.name, samples)
    if own is not None and on_own_test:
        try:
            keep(own, found)
            write_report(own, classifier, loaded, logits, on="test")
        except Failure as wrong:
            watch.notice(f"The figures could not be added to the report: {wrong}")
    return found


@dataclass(frozen=True)
class _Job:
    device: torch.device
    batch_size: int | None
    workers: int
    watch: Watch


def _answered(
    job: _Job, classifier: Classifier, samples: Samples, name: str
) -> tuple[Loaded, torch.Tensor, torch.Tensor]:
    """(the pictures, the logits, the labels as the classifier numbers them)."""
    ours = _indices(samples.classes, classifier.classes)
    answers = Answers(
        classifier.to(job.device),
        expected=len(samples),
        batch_size=job.batch_size,
        device=job.device,
        progress=lambda done, total: job.watch.progress("evaluate", done, total, name),
    )
    loaded = decode(
        samples, classifier.pixels, name, workers=job.workers, watch=job.watch, each=answers.add
    )
    return loaded, answers.logits(), ours[torch.from_numpy(loaded.labels)]


def _mirrored(job: _Job, classifier: Classifier, loaded: Loaded) -> torch.Tensor:
    """The logits for the pictures' mirror images."""
    answers = Answers(
        classifier,
        expected=len(loaded.labels),
        batch_size=job.batch_size,
        device=job.device,
        progress=lambda done, total: job.watch.progress("evaluate", done, total, "mirrored"),
    )
    for start in range(0, len(loaded.labels), CHUNK):
        answers.add(np.ascontiguousarray(loaded.images[start : start + CHUNK, :, :, ::-1]))
    return answers.logits()


def _groups(samples: Samples, loaded: Loaded, right: NDArray[np.bool_]) -> tuple[Group, ...]:
    """Accuracy by the size of the picture's file and by its brightness."""
    found: list[Group] = []
    if isinstance(samples, Files):
        sizes = [max(h.height, h.width) if h else 0 for h in headers(samples)]
        found += thirds("longer side", " pixels", np.array(sizes, float)[loaded.kept], right)
    brightness = np.concatenate(
        [
            loaded.images[start : start + CHUNK].mean((1, 2, 3)) / 2.55
            for start in range(0, len(right), CHUNK)
        ]
    )
    return (*found, *thirds("brightness", " %", brightness, right))


def _against(
    job: _Job,
    other: str | os.PathLike[str] | Classifier,
    samples: Samples,
    right: NDArray[np.bool_],
) -> Beside:
    """Another model on the same pictures; a run that learned from some of them is told of."""
    if isinstance(other, Classifier):
        theirs, name = other, "the other model"
    else:
        theirs, name = load(other), Path(other).name
        learned = own_run(other)
        if learned is not None:
            _flattered(job, learned, name, samples)
    _, logits, labels = _answered(job, theirs, samples, "against")
    answers = (logits.argmax(1) == labels).numpy()
    if len(answers) != len(right):
        raise Failure("The two models could not read the same pictures: nothing to compare.")
    return beside(name, answers, right)


def _flattered(job: _Job, run: Run, name: str, samples: Samples) -> None:
    """Tell of the pictures that the run learned from: on them its figure is no measure."""
    learned = {row["digest"] for row in run.read_table("splits.csv") if row["split"] == "train"}
    both = sum(samples.digest(i) in learned for i in range(len(samples)))
    if both:
        job.watch.notice(
            f"{name} learned from {both:,} of these {len(samples):,} pictures: the figures flatter "
            "it."
        )


def _samples(
    own: Run | None, data: str | os.PathLike[str] | None, split: Split | None
) -> tuple[Splits | None, Samples, str]:
    """All splits if there are any, the pictures to measure on, and what to call those."""
    if data is None:
        if own is None:
            raise Mistake("This model does not say what it was trained on: name the DATA.")
        splits = open_data(from_run(own.path), before=own.read_table("splits.csv"))
        # a split drawn again from other pictures could hold some that were learned from
        check_data(own, splits, "To measure on new pictures, name their folder as DATA.")
        if split == "all":
            raise Mistake(
                "A run is not measured on all of its own data, which it learned from: "
                "--split test, validation or train."
            )
    elif split == "all" or (split is None and not has_test(os.fspath(data))):
        return None, open_whole(os.fspath(data)), "all"
    else:
        splits = open_splits(os.fspath(data))
    name = split or "test"
    samples: Samples = getattr(splits, name)
    if len(samples) == 0:
        raise Failure(f"The {name} split is empty: name another --split.")
    return splits, samples, name


def _indices(theirs: tuple[str, ...], ours: tuple[str, ...]) -> torch.Tensor:
    """For each class of the data the index of the model's class of that name."""
    strange = [name for name in theirs if name not in ours]
    if strange:
        more = f" and {len(strange) - 5} more" if len(strange) > 5 else ""
        raise Mistake(
            f"The data have classes that the model does not know: {', '.join(strange[:5])}{more}. "
            f"It knows {len(ours)}: {', '.join(ours[:10])}{', …' if len(ours) > 10 else ''}."
        )
    return torch.tensor([ours.index(name) for name in theirs])
