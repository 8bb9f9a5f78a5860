"""Measure a classifier: a run on its own test split, or any model on any labelled pictures."""

import os
from pathlib import Path
from typing import Literal

import torch

from hubel.data.samples import Samples
from hubel.data.sources import has_test, open_splits, open_whole
from hubel.inference.answers import Answers
from hubel.mistakes import Failure, Mistake
from hubel.model import Classifier
from hubel.results import Evaluation
from hubel.run import Run
from hubel.training import evaluate as figures
from hubel.training.recipe import from_run
from hubel.verbs import machine
from hubel.verbs.load import load
from hubel.verbs.prepare import decode, open_data
from hubel.verbs.report import write_report
from hubel.verbs.resume import check_data
from hubel.verbs.watch import Watch

Split = Literal["train", "validation", "test", "all"]
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
    watch: Watch | None = None,
) -> Evaluation:
    """Accuracy with its interval, top-5, per-class figures and confusion of `model` on `data`.

    model: a run folder, a model folder, a catalogue name or a Classifier. data: a data set or a
    folder; a run needs none and is measured on its own test split, and its report is written anew
    with the result. split: the default is test, and for another folder without a test split, all
    of it. Classes are matched by name. batch_size: None finds the fastest by itself. Raises Mistake
    and Failure as `hubel.train` does.

    >>> import hubel, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     trained = hubel.train("digits", network="linear", epochs=2, out=f"{folder}/run")
    ...     tested = hubel.evaluate(trained.run)
    >>> tested.n, tested.accuracy > 0.5
    (359, True)
    """
    watch = watch or Watch()
    if split is not None and split not in SPLITS:
        raise Mistake(f"--split is {', '.join(SPLITS)}; not {split!r}.")
    where = machine.device(device)
    classifier = model if isinstance(model, Classifier) else load(model)
    own = None if isinstance(model, Classifier) else _own_run(Path(model))
    samples, name = _samples(own, data, split)
    ours = _indices(samples.classes, classifier.classes)
    with machine.threads(threads):
        answers = Answers(
            classifier.to(where),
            expected=len(samples),
            batch_size=batch_size,
            device=where,
            progress=lambda done, total: watch.progress("evaluate", done, total, name),
        )
        loaded = decode(
            samples, classifier.pixels, name, workers=workers, watch=watch, each=answers.add
        )
        logits = answers.logits()
    labels = torch.from_numpy(loaded.labels)
    found = figures.evaluation(logits, ours[labels], classifier.classes)
    if own is not None and data is None and name == "test":
        try:
            own.write_json("test.json", found.as_json())
            write_report(own, classifier, loaded, logits, on="test")
        except Failure as wrong:
            watch.notice(f"The figures could not be added to the report: {wrong}")
    return found


def _own_run(path: Path) -> Run | None:
    """The run that a model path names, if it is one."""
    return Run.find(path) if (path / "recipe.toml").is_file() else None


def _samples(
    own: Run | None, data: str | os.PathLike[str] | None, split: Split | None
) -> tuple[Samples, str]:
    """The pictures to measure on, and what to call them."""
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
        return open_whole(os.fspath(data)), "all"
    else:
        splits = open_splits(os.fspath(data))
    name = split or "test"
    samples: Samples = getattr(splits, name)
    if len(samples) == 0:
        raise Failure(f"The {name} split is empty: name another --split.")
    return samples, name


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
