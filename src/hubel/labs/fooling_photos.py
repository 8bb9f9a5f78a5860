"""Fooling images for a network of photographs, with published weights."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from hubel.breaking.fooling import Fooling, fool, fooled
from hubel.figures import percent
from hubel.findings import Drawing
from hubel.labs.lab import Setting
from hubel.labs.photo_classes import CLASSES, NETWORK
from hubel.mistakes import Failure
from hubel.networks import weights
from hubel.report.drawing import shortened
from hubel.report.rows import picture_rows

SHOWN, OFFSPRING = 6, 100


@dataclass(frozen=True)
class Photos:
    """What the lab adds to what it shows: nothing but a line where the weights are not at hand."""

    drawings: tuple[Drawing, ...] = ()
    numbers: Mapping[str, Any] = field(default_factory=dict)
    lines: tuple[str, ...] = ()


def fooling_photos(setting: Setting) -> Photos:
    """All of ImageNet's classes by CPPNs, six of them by gradient; of a quick lab none."""
    evaluations = setting.pick(0, 1200, 40_000)
    if not evaluations:
        return Photos()
    try:
        classifier = weights.load(NETWORK)
    except Failure as wrong:
        return Photos(lines=(f"Fooling images for photographs' classes are left out. {wrong}",))
    state: dict[str, Tensor] = {}
    for at in fool(
        classifier, "cppn", evaluations=evaluations, offspring=OFFSPRING, seed=setting.seed,
        state=state,
    ):  # fmt: skip
        setting.watch.progress("photos", at.evaluations, evaluations)
    surest = state["confidences"].argsort(descending=True)[:SHOWN].tolist()
    median = float(state["confidences"].double().quantile(0.5))
    some = {name: value[surest] if name.startswith("genome/") else value
            for name, value in state.items()}  # fmt: skip
    evolved = fooled(classifier, "cppn", some, classes=surest)
    units = [classifier.classes.index(name) for name in CLASSES]
    climbed: dict[str, Tensor] = {}
    for _ in fool(classifier, "gradient", classes=units, seed=setting.seed, state=climbed):
        pass
    found = fooled(classifier, "gradient", climbed, classes=units)
    rows = [_row(each, classifier.classes) for each in (evolved, found)]
    return Photos(
        (
            Drawing(
                "fooling-photos-evolved",
                rows[0],
                f"Evolved by CPPNs for {NETWORK}: the {SHOWN} surest of 1,000 classes after "
                f"{evaluations:,} images answered; the median over all classes is "
                f"{percent(median)} (published, after 2 million, for another network: 88.1 %).",
            ),
            Drawing(
                "fooling-photos-gradient",
                rows[1],
                f"By gradient ascent from noise, {found.evaluations / len(units):.0f} looks at "
                "each on average.",
            ),
        ),
        {
            "photos": {
                "cppn": state["confidences"], "median": median, "evaluations": evaluations,
                "gradient": dict(zip(CLASSES, found.confidences.tolist(), strict=True)),
            }
        },
        (
            f"{NETWORK}, 1,000 classes by CPPNs: median confidence {percent(median)} after "
            f"{evaluations:,} images answered; {len(units)} classes by gradient: "
            f"{percent(float(found.confidences.min()))} or more.",
        ),
    )  # fmt: skip


def _row(found: Fooling, classes: tuple[str, ...]) -> bytes:
    titles = [
        f"{shortened(classes[k], 24)}\n{percent(sure)}"
        for k, sure in zip(found.classes, found.confidences.tolist(), strict=True)
    ]
    tiles = list((found.images.permute(0, 2, 3, 1).float() / 255).numpy())
    return picture_rows({"": tiles}, titles, side=160, margin=8)
