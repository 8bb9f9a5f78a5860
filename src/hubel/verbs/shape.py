"""Shape against texture: five stimuli, cue conflicts of the user's own classes, the shape bias."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import hubel
from hubel import atomic
from hubel.breaking import shape_bias as figures
from hubel.breaking.cue_conflict import METHODS, Painting
from hubel.breaking.shape_bias import PUBLISHED, RESAMPLES, SHAPE, TEXTURE, Trial
from hubel.mistakes import Mistake, unknown
from hubel.model import Classifier
from hubel.report.shape import BiasRow, Shape, TrialRow, shape_page
from hubel.report.wording import percent
from hubel.training.evaluate import wilson
from hubel.verbs import machine
from hubel.verbs.early import check_measured
from hubel.verbs.interrupt import interruptible
from hubel.verbs.labelled import Split
from hubel.verbs.load import called, loaded
from hubel.verbs.place import place
from hubel.verbs.shape_plan import Plan, Said, conflicts_of, plan_of, said_of
from hubel.verbs.shape_report import Conflicts, bias_row, drawings, measured, stimulus_rows
from hubel.verbs.shape_sources import Namer, Sources, namer, samples_for, sources
from hubel.verbs.shape_work import Work, clear, digest
from hubel.verbs.watch import Watch

PAGE, FACTS = "shape.html", "shape.json"
PAIRS = 40  # images


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


def shape_bias(
    model: str | os.PathLike[str] | Classifier,
    data: str | os.PathLike[str] | None = None,
    *,
    referee: str | os.PathLike[str] | Classifier | None = None,
    pairs: int = PAIRS,
    method: str = "style",
    painter: str | os.PathLike[str] | Classifier = "efficientnet-lite0",
    style_weight: float | None = None,
    steps: int | None = None,
    images: int = 500,
    split: Split | None = None,
    seed: int = 0,
    out: str | os.PathLike[str] = "break-shape",
    device: str = "auto",
    threads: int | None = None,
    workers: int = 0,
    download: bool = False,
    watch: Watch | None = None,
) -> Shaped:
    """Does the network go by the shape of things, or by what their surface is like?

    model, data, split: as `hubel.evaluate` takes them. images: at most about so many pictures, of
    all classes alike. A model with ImageNet's 1,000 classes, on data whose classes are some of the
    16 categories of `breaking.sixteen`, is tested by the published protocol. referee: another
    network that knows the classes: an image counts only if it, too, names both of the image's
    pictures rightly, as the paper's four networks did; without one there is no shape bias, and
    that is said. pairs: how many cue-conflict images; rounded down to what makes the design
    balanced (`breaking.cue_conflict.design`). method: a row of METHODS there. painter,
    style_weight, steps: of style transfer; None: what `Painting` has. out: the folder for
    shape.html, shape.json, the drawings and conflicts/ with all images; an earlier result there is
    replaced, but for images that are asked for again.

    The first Ctrl-C ends it after the image at work, and what there is is written; asked again, it
    goes on with what is missing.
    Raises Mistake for what cannot be asked, data of one class, and a referee that is the model
    itself; Failure where no picture is named rightly.
    """
    watch = watch or Watch()
    _check(method, pairs, steps)
    folder = place(Path(out), FACTS, "test of shape against texture", data=data)
    check_measured(data, split)
    where = machine.device(device)
    classifier = loaded(model, download=download, watch=watch).to(where)
    judge = None if referee is None else loaded(referee, download=download, watch=watch).to(where)
    if judge is not None and (judge is classifier or digest(judge) == digest(classifier)):
        raise Mistake("The referee is the model itself: name another network, or none.")
    with machine.threads(threads):
        samples, what, of = samples_for(model, data, split=split, most=images, seed=seed,
                                        watch=watch)  # fmt: skip
        ours = namer(classifier, samples.classes, where)
        found = sources(samples, what, of, ours, workers=workers, watch=watch)
        shown, answers = measured(found, ours, watch)
        said = said_of(found, ours, answers["original"], judge, workers=workers, watch=watch)
        judged = judge is not None
        plan = plan_of(found, ours, said, pairs=pairs, seed=seed, judged=judged)
        for note in plan.notes:
            watch.notice(note)
        made: Conflicts | None = None
        files, stopped = list[str](), False
        if plan.pairs:
            painting = _painting(method, painter, style_weight, steps, where, download, watch)
            work = Work(
                folder, found.images, found.textures, plan.pairs, ours.classes,
                method=method, painting=painting, seed=seed,
            )  # fmt: skip
            painted = _painted(work, folder, watch)
            files, stopped = [file.name for file in work.files], len(painted) < len(plan.pairs)
            if stopped:
                plan = plan.cut(len(painted))
            made = conflicts_of(found, ours, painted, plan, said, judged=judged)
        else:
            clear(folder)
        told = _told(found, ours, shown, answers, made, files, plan, said, seed)
    judged_by = None if referee is None else called(referee, "the referee")
    facts = _facts(found, ours, called(model), judged_by, method, seed, plan)
    _write(folder, told, facts, finished=not stopped)
    return Shaped(folder / PAGE, told, _lead(told, facts["chance"]), stopped)


def _check(method: str, pairs: int, steps: int | None) -> None:
    if method not in METHODS:
        raise unknown("method", method, METHODS)
    if pairs < 1:
        raise Mistake(f"--pairs is 1 or more images, not {pairs}.")
    if steps is not None and steps < 1:
        raise Mistake(f"--steps is 1 or more, not {steps}.")


def _painted(work: Work, folder: Path, watch: Watch) -> NDArray[np.uint8]:
    """The images uint8 (M, C, H, W); fewer than planned where a stop was asked for."""
    if not (folder / FACTS).is_file():
        atomic.write(folder / FACTS, '{"finished": false}\n')  # known as ours from now on
    with interruptible() as request:
        made = work.make(request, watch)
    if len(made) < len(work.pairs):
        watch.notice("Stopping: what there is is being written.")
    else:
        work.tidy()
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
    files: Sequence[str],
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
    if made is not None:
        bias, by_class = figures.shape_bias(made.trials, seed=seed)
        overall = bias_row("all classes", bias)
        classes = [bias_row(name, by_class[name]) for name in ours.classes if name in by_class]
        why = _why_none(overall, made.trials)
        probabilities = made.probabilities.max(1).values.tolist()
        trials = [
            TrialRow(file, t.shape, t.texture, t.shape_class, t.texture_class, t.decision, p, t.cue,
                     t.excluded)
            for file, t, p in zip(files, made.trials, probabilities, strict=False)
        ]  # fmt: skip
    drawn = drawings(found, ours, shown, answers, stimuli, made, overall, classes, PUBLISHED)
    passed = [
        (name, reason) for name, reason in zip(found.names, said.wrong, strict=True) if reason
    ]
    return Shape(stimuli, overall, classes, trials, passed, PUBLISHED, plan.notes, why, drawn)


def _why_none(overall: BiasRow, trials: Sequence[Trial]) -> str:
    """Why there is no shape bias, in a sentence; "" where there is one."""
    if overall.value is not None:
        return ""
    cues = [trial.cue for trial in trials]
    shape, texture = cues.count(SHAPE), cues.count(TEXTURE)
    if all(trial.excluded for trial in trials):
        reasons = {trial.excluded for trial in trials}
        because = next(iter(reasons)) if len(reasons) == 1 else "the referee vouches for none"
        return (
            f"There is no shape bias, as no image counts: {because}. Of the {len(trials)} images, "
            f"{shape} were named by their shape and {texture} by their texture."
        )
    return "There is no shape bias: no image that counts was named by its shape or its texture."


def _facts(
    found: Sources, ours: Namer, model: str, referee: str | None, method: str, seed: int,
    plan: Plan,
) -> dict[str, Any]:  # fmt: skip
    protocol = "the 16 categories of Geirhos et al., by the mean probability of their classes"
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "hubel": hubel.__version__,
        "torch": torch.__version__,
        "model": model,
        "referee": referee,
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


def _lead(found: Shape, chance: float) -> str:
    """The page's first sentences. chance: of naming one of two cues by guessing."""
    overall = found.overall
    if overall is None:
        return "No cue-conflict images could be made; below is what the five stimuli say."
    if overall.value is None:
        return found.why_none
    n = overall.shape + overall.texture + overall.other
    kind = "more by the texture" if overall.value < 0.5 else "more by the shape"
    kind = "as much by one as by the other" if overall.value == 0.5 else kind
    if overall.interval is None or overall.interval[0] <= 0.5 <= overall.interval[1]:
        kind += ", though chance explains that"
    told = (
        f"Of {n} images with the shape of one class and the texture of another, it names "
        f"{overall.shape} by the shape, {overall.texture} by the texture and {overall.other} "
        f"otherwise: a shape bias of {overall.value:.1%}. It goes {kind}."
    )
    if chance < 1 and wilson(n - overall.other, n)[0] <= chance:
        told += (
            f" But by guessing it would name one of both in {chance:.0%}, which is not clearly "
            "less: in these images it recognises little, and the figure says little."
        )
    return told


def _counted(found: Shape, facts: dict[str, Any]) -> str:
    out = sum(bool(row.excluded) for row in found.trials)
    said = f"Images by {facts['method']}; answers among {facts['protocol']}. "
    if facts["referee"] is not None:
        said += f"Counted are images of whose two pictures {facts['referee']} is right, too. "
    return said + (f"{out} of {len(found.trials)} do not count. " if out else "")


def _write(folder: Path, found: Shape, facts: dict[str, Any], *, finished: bool) -> None:
    """The page last of all but the facts; images are there already."""
    page = shape_page(
        found, facts | {"lead": _lead(found, facts["chance"]), "counted": _counted(found, facts)}
    )
    drawn = {f"{drawing.name}.png": drawing.png for drawing in found.drawings}
    for name in ("bias", "conflicts", "demonstration"):
        if f"{name}.png" not in drawn:
            (folder / f"{name}.png").unlink(missing_ok=True)  # an earlier result's
    for name, content in drawn.items():
        atomic.write(folder / name, content)
    atomic.write(folder / PAGE, page)
    told = facts | found.as_json() | {"finished": finished}
    atomic.write(folder / FACTS, json.dumps(told, indent=2, ensure_ascii=False) + "\n")
