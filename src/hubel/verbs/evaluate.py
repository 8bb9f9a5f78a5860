"""Measure a classifier: a run on its own test split, or any model on any labelled pictures."""

import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from hubel.data.decoding import Loaded
from hubel.data.headers import headers
from hubel.data.samples import Files, Samples
from hubel.inference.answers import Answers
from hubel.mistakes import Failure
from hubel.model import Classifier
from hubel.results import Beside, Evaluation, Group, is_strange
from hubel.training import evaluate as figures
from hubel.training.calibration import calibration
from hubel.training.comparison import beside, thirds
from hubel.training.recipe import from_run
from hubel.transfer.familiar import Answered, answered, answering
from hubel.verbs import machine
from hubel.verbs.baselines import beside_baselines
from hubel.verbs.early import check_measured
from hubel.verbs.labelled import Split, flattered, numbered, samples_of
from hubel.verbs.load import load, own_run, speaking_of
from hubel.verbs.prepare import decode
from hubel.verbs.report import write_report
from hubel.verbs.tested import keep
from hubel.verbs.watch import Watch

CHUNK = 1024  # pictures worked on at a time


@machine.undisturbed
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
    where = machine.device(device)
    check_measured(data, split)
    classifier = model if isinstance(model, Classifier) else load(model)
    own = own_run(model)
    splits, samples, name = samples_of(own, data, split, watch)
    job = _Job(where, batch_size, workers, watch)
    with machine.threads(threads):
        loaded, (logits, nearer), labels = _answered(job, classifier, samples, name)
        found = figures.evaluation(logits, labels, classifier.classes)
        right = (logits.argmax(1) == labels).numpy()
        found = replace(
            found,
            calibration=calibration(logits, labels),
            groups=_groups(samples, loaded, right),
            strange=_strange(classifier, nearer),
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
            flattered(own, own.path.name, samples, watch)
    if own is not None and on_own_test:
        try:
            with own.locked():
                keep(own, found)
                write_report(own, classifier, loaded, logits, on="test", watch=watch)
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
) -> tuple[Loaded, Answered, torch.Tensor]:
    """(the pictures, the answers, the labels as the classifier numbers them)."""
    ours = numbered(samples.classes, classifier.classes)
    answers = Answers(
        answering(classifier.to(job.device)),
        expected=len(samples),
        batch_size=job.batch_size,
        device=job.device,
        progress=lambda done, total: job.watch.progress("evaluate", done, total, name),
    )
    loaded = decode(
        samples, classifier.pixels, name, workers=job.workers, watch=job.watch, each=answers.add
    )
    return loaded, answered(answers, classifier), ours[torch.from_numpy(loaded.labels)]


def _strange(classifier: Classifier, nearer: torch.Tensor | None) -> int | None:
    """How many of the pictures are unlike the training pictures; None where nobody knows."""
    if nearer is None or classifier.reference is None:
        return None
    against = len(classifier.reference.distances)
    return sum(is_strange(each, against) for each in nearer.tolist())


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
            flattered(learned, name, samples, job.watch)
    with speaking_of(name):
        _, (logits, _), labels = _answered(job, theirs, samples, "against")
    answers = (logits.argmax(1) == labels).numpy()
    if len(answers) != len(right):
        raise Failure("The two models could not read the same pictures: nothing to compare.")
    return beside(name, answers, right)
