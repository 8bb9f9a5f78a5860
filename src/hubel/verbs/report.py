"""From what a training left to its report.html and model card."""

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from hubel import reading
from hubel.data.decoding import Loaded
from hubel.data.samples import Row
from hubel.inference.answers import Answers
from hubel.model import Classifier
from hubel.output import Output
from hubel.report.card import model_card
from hubel.report.page import training_page
from hubel.report.results import Familiar, FirstLayer, Miss, MissPair, TrainingReport, TrialFigures
from hubel.results import Evaluation
from hubel.run import Run, Status
from hubel.training.evaluate import surest_mistakes, wilson
from hubel.training.recipe import Recipe, from_run
from hubel.transfer.finetune import learned
from hubel.verbs import machine
from hubel.verbs.load import load as load_model
from hubel.verbs.onward import onward
from hubel.verbs.prepare import decode, is_balanced, is_flipped, open_data
from hubel.verbs.tested import figures, recall
from hubel.verbs.watch import Watch

PAGE, CARD, METRICS = "report.html", "README.md", "metrics.csv"
MOST_PAIRS, EACH = 6, 5  # pairs of classes, and pictures of each, whose mistakes are shown


def write_report(
    run: Run, classifier: Classifier, loaded: Loaded, logits: Tensor, *, on: str, watch: Watch
) -> Path:
    """Write report.html and the model card README.md anew from what is in the run folder.

    The caller holds the run's lock. One that the user has changed is kept, and the new one goes
    beside it, which is said. loaded, logits: the pictures of the split `on` ("test" or
    "validation") and the classifier's answers to them, for the mistakes that the page shows.
    Figures of an earlier test of this model are kept.
    """
    recipe = from_run(run.path)
    status = run.read_json("status.json", Status)
    rows = run.read_table("splits.csv", Row)
    name = Path(recipe.data or "data").name  # a folder's name alone: a page carries no paths
    start = recipe.start and Path(recipe.start).name
    shown = _settled(recipe, rows, classifier.classes) | ({"start": start} if start else {})
    test = recall(run)
    report = TrainingReport(
        title=f"{recipe.network} on {name}",
        data=name,
        network=recipe.network,
        classes=classifier.classes,
        recipe=shown | {"data": name},
        environment=run.read_json("environment.json", machine.Environment),
        history=_history(run, status.best_epoch),
        best_epoch=status.best_epoch,
        validation=figures(run, "validation.json"),
        splits={
            split: sum(row["split"] == split for row in rows)
            for split in ("train", "validation", "test")
        },
        parameters=sum(p.numel() for p in classifier.network.parameters()),
        trained=learned(
            classifier.network, status.best_epoch, epochs=recipe.epochs, share=recipe.thaw
        )
        if recipe.start
        else None,
        dropout=any(
            isinstance(part, nn.Dropout) and part.p > 0 for part in classifier.network.modules()
        ),
        seconds=status.seconds,
        test=test,
        mistakes=mistakes(classifier, loaded, logits)
        if (on == "test") == (test is not None)
        else (),
        trials=_trials(run),
        start=start,
        temperature=classifier.temperature,
        first_layer=first_layer(classifier),
        familiar=_familiar(classifier, test),
        stopped=status.state,
        notices=status.notices,
    )
    untested = "" if test is None and report.splits["test"] else None  # or nothing to test on
    end = onward("report", run.path, run.path / PAGE, untested=untested)
    folder = Output(run.path, PAGE)
    for name, text in ((CARD, model_card(report)), (PAGE, training_page(report, end))):
        written = folder.write_beside(name, text)
        if written.name != name:
            watch.notice(
                f"{name} is not as hubel wrote it, so it is kept; the new one is {written.name}."
            )
    return written


def page_of(run: Run) -> Path:
    """The report that `write_report` wrote last."""
    return Output(run.path, PAGE).latest(PAGE)


def _settled(recipe: Recipe, rows: Sequence[Row], classes: Sequence[str]) -> dict[str, Any]:
    """The recipe as it was carried out: what it left to the data is told as it came out."""
    counts = Counter(row["class"] for row in rows if row["split"] == "train")
    balanced = is_balanced(recipe, np.array([counts[name] for name in classes]))
    return recipe.model_dump(exclude_none=True) | {
        "flip": is_flipped(recipe),
        "class_weights": "balanced" if balanced else "none",
    }


def _history(run: Run, best: int) -> list[dict[str, float]]:
    """The figures of every epoch that has ended, up to the best at least."""
    if not (run.path / METRICS).exists():
        return []
    rows = run.read_table(METRICS, dict[str, float | None])
    history = [{key: value for key, value in row.items() if value is not None} for row in rows]
    for row in history:
        # a loss may be infinite, but not these
        if not all(0 <= row.get(key, 0) < math.inf for key in ("epoch", "seconds")):
            raise reading.damaged(run.path / METRICS, f"it has the epoch or time of {row}")
    if len(history) < best:
        raise reading.damaged(run.path / METRICS, f"of {best} epochs it has {len(history)}")
    return history


def report_again(run: Run, *, watch: Watch | None = None) -> Path:
    """Write a run's report and card anew, from its validation pictures; what was tested is kept."""
    watch = watch or Watch()
    classifier = load_model(run.path)
    splits = open_data(from_run(run.path), before=run.read_table("splits.csv", Row))
    answers = Answers(classifier, expected=len(splits.validation))
    loaded = decode(
        splits.validation, classifier.pixels, "validation",
        workers=0, watch=watch, each=answers.add,
    )  # fmt: skip
    with run.locked():
        return write_report(run, classifier, loaded, answers.logits(), on="validation", watch=watch)


def mistakes(classifier: Classifier, loaded: Loaded, logits: Tensor) -> list[MissPair]:
    """The pairs of classes most often mistaken, each with its most confident mistakes."""
    probability, predicted = torch.softmax(logits, 1).max(1)
    labels = torch.from_numpy(loaded.labels)
    pairs: dict[tuple[int, int], list[int]] = {}
    for i in surest_mistakes(logits, labels):
        pairs.setdefault((int(labels[i]), int(predicted[i])), []).append(i)
    often = sorted(pairs.items(), key=lambda row: -len(row[1]))[:MOST_PAIRS]
    return [
        MissPair(
            true=classifier.classes[true],
            predicted=classifier.classes[called],
            pictures=len(rows),
            misses=[
                Miss(
                    image=np.ascontiguousarray(loaded.images[i].transpose(1, 2, 0)),
                    name=loaded.names[i],
                    true=classifier.classes[true],
                    predicted=classifier.classes[called],
                    probability=float(probability[i]),
                )
                for i in rows[:EACH]
            ],
        )
        for (true, called), rows in often
    ]


def _familiar(classifier: Classifier, test: Evaluation | None) -> Familiar | None:
    """How strangeness was calibrated, and how sure its share of the test pictures is."""
    known = classifier.reference
    if known is None:
        return None
    counted = None if test is None or test.strange is None else wilson(test.strange, test.n)
    return Familiar(len(known.features), len(known.distances), counted)


def _trials(run: Run) -> list[TrialFigures]:
    """The restarts that this run is the best of; none of a run by itself."""
    if not (run.path / "trials.csv").is_file():
        return []
    return run.read_table("trials.csv", TrialFigures)


def first_layer(classifier: Classifier) -> FirstLayer | None:
    """The first weights that meet the pixels, if they can be drawn: filters, or templates."""
    channels, (height, width) = classifier.pixels.channels, classifier.pixels.size
    for module in classifier.network.modules():
        if isinstance(module, nn.Conv2d):
            weight = module.weight.detach().float().cpu()
            if weight.shape[1] == channels and max(weight.shape[2:]) > 1:
                return FirstLayer(weight.numpy(), "filters")
            return None
        if isinstance(module, nn.Linear):
            weight = module.weight.detach().float().cpu()
            if weight.shape[1] != channels * height * width:
                return None
            linear = len(weight) == len(classifier.classes)
            templates = weight.view(-1, channels, height, width).numpy()
            return FirstLayer(templates, "templates", classifier.classes if linear else ())
    return None
