"""From what a training left to its report.html and model card."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from hubel.data.decoding import Loaded
from hubel.mistakes import Failure
from hubel.model import Classifier
from hubel.report.card import model_card
from hubel.report.page import training_page
from hubel.report.results import FirstLayer, Miss, TrainingReport
from hubel.results import ClassFigures, Evaluation
from hubel.run import Run
from hubel.training.recipe import from_run

MOST_MISSES = 24


def write_report(
    run: Run, classifier: Classifier, loaded: Loaded, logits: Tensor, *, on: str
) -> Path:
    """Write report.html and the model card README.md anew from what is in the run folder.

    loaded, logits: the pictures of the split `on` ("test" or "validation") and the classifier's
    answers to them, for the mistakes that the page shows. Figures of a test that was measured
    before (`test.json`) are kept.
    """
    recipe = from_run(run.path)
    status = run.read_json("status.json")
    history = [
        {key: float(value) for key, value in row.items() if value}
        for row in (run.read_table("metrics.csv") if (run.path / "metrics.csv").exists() else ())
    ]
    rows = run.read_table("splits.csv")
    name = Path(recipe.data or "data").name  # a folder's name alone: a page carries no paths
    shown = recipe.model_dump(exclude_none=True)
    test = _figures(run, "test.json")
    report = TrainingReport(
        title=f"{recipe.network} on {name}",
        data=name,
        network=recipe.network,
        classes=classifier.classes,
        recipe=shown | {"data": name},
        environment=run.read_json("environment.json"),
        history=history,
        best_epoch=status.get("best_epoch", 0),
        validation=_figures(run, "validation.json"),
        splits={
            split: sum(row["split"] == split for row in rows)
            for split in ("train", "validation", "test")
        },
        parameters=sum(p.numel() for p in classifier.network.parameters() if p.requires_grad),
        seconds=status.get("seconds", 0.0),
        test=test,
        misses=misses(classifier, loaded, logits) if (on == "test") == (test is not None) else (),
        first_layer=first_layer(classifier),
        stopped=str(status.get("state", "unknown")),
        notices=status.get("notices", ()),
    )
    run.write("README.md", model_card(report))
    return run.write("report.html", training_page(report))


def misses(classifier: Classifier, loaded: Loaded, logits: Tensor) -> list[Miss]:
    """The wrong answers given with most confidence, at most 24."""
    probability, predicted = torch.softmax(logits, 1).max(1)
    labels = torch.from_numpy(loaded.labels)
    wrong = torch.nonzero(predicted != labels).flatten()
    worst = wrong[probability[wrong].argsort(descending=True)][:MOST_MISSES]
    return [
        Miss(
            image=np.ascontiguousarray(loaded.images[i].transpose(1, 2, 0)),
            name=loaded.names[i],
            true=classifier.classes[int(labels[i])],
            predicted=classifier.classes[int(predicted[i])],
            probability=float(probability[i]),
        )
        for i in worst.tolist()
    ]


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


def _figures(run: Run, name: str) -> Evaluation | None:
    """Figures that were saved in the run folder, if they were."""
    if not (run.path / name).is_file():
        return None
    facts = run.read_json(name)
    try:
        return Evaluation(
            **facts
            | {
                "interval": tuple(facts["interval"]),
                "classes": tuple(ClassFigures(**row) for row in facts["classes"]),
                "confusion": np.array(facts["confusion"], np.int64),
            }
        )
    except (KeyError, TypeError, ValueError) as wrong:
        raise Failure(f"{run.path / name} is damaged: {wrong}.") from None
