"""Images of some of ImageNet's classes, by a network with published weights."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from hubel.figures import percent
from hubel.findings import Drawing
from hubel.labs.lab import Setting
from hubel.mistakes import Failure
from hubel.networks import weights
from hubel.report.rows import picture_rows
from hubel.understanding.maximise import maximise
from hubel.understanding.objectives import Objective
from hubel.understanding.regularisers import blur

NETWORK = "efficientnet-lite0"
CLASSES = ("ladybug", "strawberry", "Granny Smith", "volcano", "broccoli", "daisy")
# by eye: at half the rate the images stay grey, and with half the blur they ripple
RATE, BLUR = 0.1, blur(0.7, 8)


@dataclass(frozen=True)
class Photos:
    """What the lab adds to what it shows: nothing but a line where the weights are not at hand."""

    drawings: tuple[Drawing, ...] = ()
    numbers: Mapping[str, Any] = field(default_factory=dict)
    lines: tuple[str, ...] = ()


def photo_classes(setting: Setting) -> Photos:
    """Six of ImageNet's classes from EfficientNet-Lite0; of a quick lab none."""
    side, steps = setting.pick((0, 0), (160, 256), (224, 512))
    if not steps:
        return Photos()
    try:
        classifier = weights.load(NETWORK)
    except Failure as wrong:
        return Photos(lines=(f"Images of ImageNet's classes are left out. {wrong}",))
    units = [classifier.classes.index(name) for name in CLASSES]
    found = maximise(
        classifier, [Objective(unit) for unit in units], shape=(3, side, side), steps=steps,
        lr=RATE, regularisers=(BLUR,), seed=setting.seed,
        on_step=lambda number, _images, _scores: setting.watch.progress("photos", number, steps),
    )  # fmt: skip
    with torch.no_grad():
        shares = classifier(found.images).softmax(1)[range(len(units)), units].tolist()
    titles = [f"{name}\n{percent(share)}" for name, share in zip(CLASSES, shares, strict=True)]
    tiles = [image.permute(1, 2, 0).numpy() for image in found.images]
    return Photos(
        (
            Drawing(
                "photo-classes",
                picture_rows({"": tiles}, titles, side=160, margin=8),
                f"Images that raise a class of ImageNet in {NETWORK}, and its probability: "
                f"{steps} steps at {side}×{side}, Fourier, jitter and blur. The classes were "
                "chosen among those that come out well.",
            ),
        ),
        {"photos": dict(zip(CLASSES, shares, strict=True))},
    )
