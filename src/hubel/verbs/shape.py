"""Shape against texture: five stimuli, cue conflicts of the user's own classes, the shape bias."""

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import hubel
from hubel import reading
from hubel.breaking import shape_bias as figures
from hubel.breaking.cue_conflict import METHODS, Painting, balanced
from hubel.breaking.shape_bias import PUBLISHED, RESAMPLES
from hubel.figures import percent
from hubel.mistakes import Failure, Mistake, unknown
from hubel.model import Classifier
from hubel.output import Output
from hubel.report.shape import BiasRow, Shape, TrialRow, shape_page
from hubel.verbs import machine, shape_ready
from hubel.verbs.afford import MINUTES, afforded, check_minutes
from hubel.verbs.early import check_measured
from hubel.verbs.interrupt import interruptible
from hubel.verbs.labelled import Split
from hubel.verbs.load import called, loaded
from hubel.verbs.onward import onward
from hubel.verbs.place import near, place
from hubel.verbs.shape_plan import Plan, Said, conflicts_of, plan_of, said_of
from hubel.verbs.shape_report import Conflicts, bias_row, drawings, measured, stimulus_rows
from hubel.verbs.shape_sources import Namer, Sources, namer, samples_for, sources
from hubel.verbs.shape_words import counted, lead, why_none
from hubel.verbs.shape_work import Work, digest
from hubel.verbs.watch import Watch, about

PAGE, FACTS = "shape.html", "shape.json"
WHAT = "test of shape against texture"
PAIRS, LEAST = 40, 12  # images, where nobody says how many
PICTURES = 500  # at most about so many, where none are named
ASKED = ("model", "referee", "data", "method", "seed")  # facts that make it another test


@dataclass(frozen=True)
class Shaped:
    """What was written, and what it says; lead: in words. stopped: whether images are missing."""

    page: Path
    found: Shape
    lead: str
    stopped: bool = False

    @property
    def lines(self) -> tuple[str, ...]:
        """What it says: what is named of each kind of picture, and what it went by."""
        named = (
            f"{each.name:<11} {percent(each.accuracy)} of {each.n} named rightly"
            for each in self.found.stimuli
            if each.accuracy is not None
        )
        return (*named, self.lead)

    def as_json(self) -> dict[str, Any]:
        return self.found.as_json() | {"page": str(self.page), "stopped": self.stopped}


@machine.undisturbed
def shape_bias(
    model: str | os.PathLike[str] | Classifier,
    data: str | os.PathLike[str] | None = None,
    *,
    referee: str | os.PathLike[str] | Classifier | None = None,
    pairs: int | None = None,
    minutes: float = MINUTES,
    method: str = "style",
    painter: str | os.PathLike[str] | Classifier = "efficientnet-lite0",
    style_weight: float | None = None,
    steps: int | None = None,
    images: int | None = None,
    split: Split | None = None,
    seed: int = 0,
    out: str | os.PathLike[str] | None = None,
    device: str = "auto",
    threads: int | None = None,
    workers: int = 0,
    download: bool = False,
    watch: Watch | None = None,
) -> Shaped:
    """Does the network go by the shape of things, or by what their surface is like?

    model, data, split: as `hubel.evaluate` takes them; or data is a folder of ready-made images,
    called as airplane1-bicycle2.png (`verbs.shape_ready`), of which all count and none is made.
    images: at most about so many pictures (500), of all classes alike; of ready-made ones None is
    all. A model with ImageNet's 1,000 classes, on data of the 16 categories of `breaking.sixteen`,
    is tested by the published protocol. referee: another network that knows the classes: an image
    counts only if it, too, names both of the image's pictures rightly, as the paper's four networks
    did; without one there is no shape bias, and that is said. pairs: how many cue-conflict images,
    rounded down to what balances them (`cue_conflict.design`); None: 40, or as many as are made
    until so many minutes are over, LEAST at least; what goes on keeps its number. method: a row of
    METHODS there. painter, style_weight, steps: of style transfer; None: what `Painting` has. out:
    the folder for shape.html, shape.json, the drawings and conflicts/ with all images, where an
    earlier result is replaced, but for images asked for again; None: break-shape, as `place` says.

    The first Ctrl-C ends it after the image at work; asked again, it goes on with what is missing.
    Raises Mistake for what cannot be asked, data of one class, and a referee that is the model
    itself; Failure where no picture is named rightly.
    """
    watch, began = watch or Watch(), time.monotonic()
    machine.demand_float32()
    _check(method, pairs, minutes, steps)
    results = place(out, near(model, "break-shape"), FACTS, WHAT, data=data)
    check_measured(data, split)
    where = machine.device(device)
    classifier = loaded(model, download=download, watch=watch).to(where)
    ready = shape_ready.stimuli(data)
    if (names := shape_ready.known(ready, classifier, where)) and ready:
        _check_ready(referee, split)
        with machine.threads(threads), results.held() as folder:
            told, known = shape_ready.measured(ready, names, most=images, seed=seed,
                                               workers=workers, watch=watch)  # fmt: skip
            return _shown(folder, model, told, known)
    judge = _judge(referee, classifier, download, watch)
    with machine.threads(threads):
        most = PICTURES if images is None else images
        samples, what, of = samples_for(model, data, split=split, most=most, seed=seed, watch=watch)
        ours = namer(classifier, samples.classes, where)
        found = sources(samples, what, of, ours, workers=workers, watch=watch)
        shown, answers = measured(found, ours, watch)
        said = said_of(found, ours, answers["original"], judge, workers=workers, watch=watch)
        planned = partial(plan_of, found, ours, said, seed=seed, judged=judge is not None)
        plan = planned(pairs=pairs or PAIRS)
        facts = partial(_facts, model, referee, found, ours, method, seed)
        work: Work | None = None
        with results.held(partial(_is_same, asked=facts(plan))) as folder:
            if plan.pairs:
                painting = _painting(method, painter, style_weight, steps, where, download, watch)
                begun = partial(Work, folder, found.images, found.textures, classes=ours.classes,
                                method=method, painting=painting, seed=seed)  # fmt: skip
                plan, work = _settled(plan, planned, begun, pairs, minutes, began, facts(plan))
            for note in plan.notes:
                watch.notice(note)
            images_made = _painted(work, folder, facts(plan), watch) if work else found.images[:0]
            if stopped := len(images_made) < len(plan.pairs):
                plan = plan.cut(len(images_made))
            made = conflicts_of(found, ours, images_made, plan, said, judged=judge is not None)
            bias = _told(found, ours, shown, answers, made, work, plan, said, seed)
            return _shown(folder, model, bias, facts(plan), stopped=stopped)


def _is_same(folder: Path, *, asked: dict[str, Any]) -> bool:
    """Whether the folder holds an unfinished test of the same things."""
    return _planned(folder, asked) > 0


def _planned(folder: Path, asked: dict[str, Any]) -> int:
    """How many images the unfinished test of the same things was to have; 0 where there is none."""
    try:
        facts = reading.record(folder / FACTS, dict[str, Any])
        same = not facts["finished"] and all(facts[key] == asked[key] for key in ASKED)
        n = reading.typed(facts["planned"], int)
    except (Failure, KeyError, reading.Wrong):
        return 0
    return int(n) if same and n > 0 else 0


def _settled(
    plan: Plan, planned: Callable[..., Plan], begun: Callable[..., Work], pairs: int | None,
    minutes: float, began: float, asked: dict[str, Any],
) -> tuple[Plan, Work]:  # fmt: skip
    """The plan as far as it is paid for, and the work on it.

    Where nobody says how many pairs: as many as the same test, unfinished in the folder, was to
    have, or as are made until the minutes, since `began`, are over, by what the first takes.
    """
    work = begun(pairs=plan.pairs)
    if pairs is None and (before := _planned(work.folder.path, asked)):
        plan = planned(pairs=before)
    elif pairs is None:
        most, each = len(plan.pairs), work.cost(time.monotonic)
        left = 60 * minutes - (time.monotonic() - began)
        paid = afforded(left, each, least=min(LEAST, most), most=most)
        n = balanced(paid, len({pair.shape_class for pair in plan.pairs}))
        if n < most:
            told = (
                f"Made are {n} of {most} images: that is {about(n * each)} of work, of --minutes "
                f"{minutes:g}."
            )
            fewer = planned(pairs=n)
            plan = replace(fewer, notes=(told, *fewer.notes))
    return plan, begun(pairs=plan.pairs)


def _check(method: str, pairs: int | None, minutes: float, steps: int | None) -> None:
    check_minutes(minutes)
    if method not in METHODS:
        raise unknown("method", method, METHODS)
    if pairs is not None and pairs < 1:
        raise Mistake(f"--pairs is 1 or more images, not {pairs}.")
    if steps is not None and steps < 1:
        raise Mistake(f"--steps is 1 or more, not {steps}.")


def _judge(
    referee: str | os.PathLike[str] | Classifier | None, classifier: Classifier, download: bool,
    watch: Watch,
) -> Classifier | None:  # fmt: skip
    """The referee, if there is one, where the classifier is. Raises Mistake for the same model."""
    if referee is None:
        return None
    judge = loaded(referee, download=download, watch=watch).to(classifier.mean.device)
    if judge is classifier or digest(judge) == digest(classifier):
        raise Mistake("The referee is the model itself: name another network, or none.")
    return judge


def _check_ready(referee: object, split: Split | None) -> None:
    if referee is not None or split is not None:
        raise Mistake(
            "These images are ready-made, and all of them count: leave out --referee and --split."
        )


def _painted(work: Work, folder: Output, asked: dict[str, Any], watch: Watch) -> NDArray[np.uint8]:
    """The images uint8 (M, C, H, W); fewer than planned where a stop was asked for."""
    folder.write(FACTS, json.dumps(asked | {"finished": False}, indent=2) + "\n")
    with interruptible() as request:
        made = work.make(request, watch)
    if len(made) < len(work.pairs):
        watch.notice("Stopping: what there is is being written.")
    return made


def _painting(
    method: str,
    painter: str | os.PathLike[str] | Classifier,
    style_weight: float | None,
    steps: int | None,
    where: torch.device,
    download: bool,
    watch: Watch,
) -> Painting:
    if not METHODS[method].paints:
        return Painting()
    usual = Painting()
    network = loaded(painter, download=download, watch=watch).to(where)
    return Painting(
        network,
        style_weight=usual.style_weight if style_weight is None else style_weight,
        steps=usual.steps if steps is None else steps,
    )


def _told(
    found: Sources,
    ours: Namer,
    shown: dict[str, NDArray[np.uint8]],
    answers: dict[str, Tensor],
    made: Conflicts | None,
    work: Work | None,
    plan: Plan,
    said: Said,
    seed: int,
) -> Shape:
    """All that stands on the page."""
    stimuli = stimulus_rows(found, answers)
    overall: BiasRow | None = None
    classes: list[BiasRow] = []
    trials: list[TrialRow] = []
    why = ""
    if made is not None and work is not None:
        bias, by_class = figures.shape_bias(made.trials, seed=seed)
        overall = bias_row("all classes", bias)
        classes = [bias_row(name, by_class[name]) for name in ours.classes if name in by_class]
        why = why_none(overall, made.trials)
        probabilities = made.probabilities.max(1).values.tolist()
        trials = [
            TrialRow(file, t.shape, t.texture, t.shape_class, t.texture_class, t.decision, p, t.cue,
                     t.excluded)
            for file, t, p in zip(work.names, made.trials, probabilities, strict=False)
        ]  # fmt: skip
    drawn = drawings(found, ours, shown, answers, stimuli, made, overall, classes, PUBLISHED)
    passed = [
        (name, reason) for name, reason in zip(found.names, said.wrong, strict=True) if reason
    ]
    return Shape(stimuli, overall, classes, trials, passed, PUBLISHED, plan.notes, why, drawn)


def _facts(
    model: str | os.PathLike[str] | Classifier,
    referee: str | os.PathLike[str] | Classifier | None,
    found: Sources, ours: Namer, method: str, seed: int, plan: Plan,
) -> dict[str, Any]:  # fmt: skip
    protocol = "the 16 categories of Geirhos et al., by the mean probability of their classes"
    return {
        "model": called(model),
        "planned": len(plan.pairs),
        "referee": None if referee is None else called(referee, "the referee"),
        "data": found.what,
        "pictures": len(found.images),
        "of": found.of,
        "named": plan.sources,
        "method": METHODS[method].what,
        "protocol": protocol if ours.sixteen else f"its own {len(ours.classes)} classes",
        "chance": 2 / len(ours.classes),
        "seed": seed,
        "resamples": RESAMPLES,
    }


def _shown(
    folder: Output,
    model: str | os.PathLike[str] | Classifier,
    found: Shape,
    facts: dict[str, Any],
    *,
    stopped: bool = False,
) -> Shaped:
    """The page and the facts; images are there already, and an earlier test's go."""
    facts = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "hubel": hubel.__version__,
        "torch": torch.__version__,
        "model": called(model),
    } | facts
    end = onward("shape", model, folder.path / PAGE)
    page = shape_page(
        found, facts | {"lead": lead(found, facts["chance"]), "counted": counted(found, facts)}, end
    )
    drawn = {f"{drawing.name}.png": drawing.png for drawing in found.drawings}
    told = facts | found.as_json() | {"finished": not stopped}
    text = json.dumps(told, indent=2, ensure_ascii=False) + "\n"
    folder.write_all({**drawn, PAGE: page, FACTS: text})
    folder.finish()
    return Shaped(folder.path / PAGE, found, lead(found, facts["chance"]), stopped)
