"""One picture looked at in every way, as drawings and figures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hubel.findings import Drawing
from hubel.model import Classifier, evaluating
from hubel.report.look import Look, Trial
from hubel.report.seen import (
    Occluded,
    explained,
    feature_maps,
    occlusion_maps,
    strongest_units,
)
from hubel.report.wording import percent
from hubel.understanding.arrangement import MAPS_FIRST, arranged
from hubel.understanding.deconvnet import project
from hubel.understanding.occlusion import Occlusion, occlude
from hubel.understanding.outputs import handed_on
from hubel.understanding.perturbation import perturbation
from hubel.understanding.probes import recording
from hubel.understanding.saliency import (
    grad_cam,
    gradient,
    integrated_gradients,
    of_class,
    smooth_gradient,
    to_map,
)
from hubel.understanding.sanity import Explain, sanity_check
from hubel.verbs.watch import Watch

TOP = 5  # predictions
UNITS = 6  # the strongest that are shown
STEPS = 64  # of integrated gradients
SAMPLES = 25  # of SmoothGrad
LEVELS, PLACES = 12, 3  # of deletion and insertion curves, and of maps moved elsewhere
DRAWS = 6  # networks of random weights
PARTS, TRIALS = 3, 5  # of the work on a picture: maps, occlusion, units; and trials of five maps


@dataclass(frozen=True)
class Choice:
    """What is asked of every picture; None: it is chosen, and said."""

    target: int | None
    layer: str
    unit: int | None
    square: int | None
    stride: int | None
    fill: str
    trust: bool


def looked(
    classifier: Classifier, name: str, pixels: Tensor, choice: Choice, watch: Watch,
    on_part: Callable[[], None] = lambda: None,
) -> Look:  # fmt: skip
    """pixels (C, H, W) in [0, 1] → all that the page says of this picture.

    on_part: called after each of the PARTS, and of the TRIALS where there are some.
    """
    with evaluating(classifier) as classifier:
        probabilities = classifier.probabilities(pixels[None])[0]
    values, labels = probabilities.topk(min(TOP, len(probabilities)))
    target = int(labels[0]) if choice.target is None else choice.target
    maps, lines = _maps(classifier, pixels, target, choice.layer)
    on_part()
    found = occlude(
        classifier, pixels, target, square=choice.square, stride=choice.stride, fill=choice.fill,
        layer=choice.layer, unit=choice.unit,
        progress=lambda done, total: watch.progress("occlusion", done, total, name),
    )  # fmt: skip
    on_part()
    picture = _picture(pixels)
    title = classifier.classes[target]
    drawings = [
        Drawing(
            "maps",
            explained(picture, {what: _array(values) for what, values in maps.items()}),
            f"What the score of {title!r} answers to, by pixel: the size of its gradient, the mean "
            f"over noisy copies, integrated gradients from black, and Grad-CAM at {choice.layer}. "
            "Each lies over the picture, on its own scale: 0 shows the picture alone.",
        ),
        _occlusion(classifier, pixels, picture, found, title),
        *_units(classifier, pixels, picture, choice),
        _first_maps(classifier, pixels),
    ]
    on_part()
    trust: list[Trial] = []
    if choice.trust:
        trust = _trust(classifier, pixels, target, maps, found, choice.layer, on_part)
    return Look(
        name,
        [(classifier.classes[k], p) for k, p in zip(labels.tolist(), values.tolist(), strict=True)],
        title,
        ", the most probable class" if choice.target is None else "",
        _rests(found, title, pixels.shape[1:]),
        np.round(picture * 255).astype(np.uint8),
        drawings,
        trust,
        [*lines, _method(found)],
    )


def _maps(
    network: nn.Module, pixels: Tensor, target: int, layer: str
) -> tuple[dict[str, Tensor], list[str]]:
    """Maps (H, W) by name, and what is to be said of them."""
    one, score = pixels[None], of_class(target)
    integrated = integrated_gradients(network, one, score, steps=STEPS)
    cam = grad_cam(network, one, score, layer=layer)
    maps = {
        "gradient": to_map(gradient(network, one, score))[0],
        "SmoothGrad": to_map(smooth_gradient(network, one, score, samples=SAMPLES))[0],
        "integrated gradients": to_map(integrated.attributions)[0],
        "Grad-CAM": cam.enlarged[0],
    }
    relative = float(integrated.relative[0])
    lines = [
        f"Integrated gradients miss the score's difference from black by {relative:.1%} at {STEPS} "
        "steps; exact ones would not."
    ]
    if not float(cam.maps.max()) > 0:
        lines.append(f"Grad-CAM at {layer} is 0 everywhere: nothing there speaks for the class.")
    return maps, lines


def _occlusion(
    classifier: Classifier, pixels: Tensor, picture: NDArray[np.float32], found: Occlusion,
    title: str,
) -> Drawing:  # fmt: skip
    projection = project(classifier, pixels[None], found.layer, found.unit, rule="guided")
    activity = found.activity
    drawn = occlusion_maps(
        picture,
        Occluded(
            found.square, found.tops, found.lefts, _array(found.probability),
            float(found.clean.softmax(0)[found.target]), title, found.winner.numpy(),
            classifier.classes, None if activity is None else _array(activity),
            f"{found.layer} {found.unit}", _array(projection.pixels[0].permute(1, 2, 0)),
        ),
    )  # fmt: skip
    return Drawing(
        "occlusion",
        drawn,
        f"As the square hides one part after another: the probability of {title!r}, the activity "
        f"of {found.layer}'s map {found.unit} beside its projection by guided backpropagation, and "
        "the most probable class; each where the square's middle is, over the picture. Dark: it "
        "hides evidence.",
    )


def _rests(found: Occlusion, title: str, size: Sequence[int]) -> str:
    """On what the answer rests, in a sentence: the square that costs the class most."""
    clean = float(found.clean.softmax(0)[found.target])
    lowest = found.probability.flatten().argmin()
    row, column = divmod(int(lowest), found.probability.shape[1])
    least = float(found.probability[row, column])
    starts, words = (found.tops[row], found.lefts[column]), []
    for start, length, names in zip(
        starts, size, (("upper", "", "lower"), ("left", "", "right")), strict=True
    ):
        third = int(3 * (start + found.square / 2) / length)
        words.append(names[min(max(third, 0), 2)])
    where = " ".join(filter(None, words)) or "middle"
    hidden = f"with a square of {found.square}×{found.square} pixels hidden there"
    change = f"the probability of {title!r} goes from {percent(clean)} to {percent(least)}"
    if least > clean / 2:
        return (
            f"No single part decides the answer: at worst, in the {where} part, {hidden}, {change}."
        )
    return f"The answer rests most on the {where} part of the picture: {hidden}, {change}."


def _units(
    classifier: Classifier, pixels: Tensor, picture: NDArray[np.float32], choice: Choice
) -> list[Drawing]:
    """The strongest units of the layer: their maps, what they saw, their projections."""
    with evaluating(classifier) as classifier, recording(classifier, [choice.layer]) as found:
        classifier(pixels[None])
    maps = found[choice.layer][0]
    if maps.ndim != 3:
        return []
    order, tied = ranked(maps)
    units = [choice.unit] if choice.unit is not None else order[:UNITS]
    many = pixels.expand(len(units), *pixels.shape)
    found_by = {
        rule: project(classifier, many, choice.layer, units, rule=rule)
        for rule in ("deconvnet", "guided")
    }
    told = found_by["deconvnet"].told
    signed = {rule: _array(each.pixels) for rule, each in found_by.items()}
    projections = {rule: each.transpose(0, 2, 3, 1) for rule, each in signed.items()}
    drawn = strongest_units(
        picture, _array(maps[units]), projections, [f"unit {unit}" for unit in units],
        [_box(each) for each in projections["deconvnet"]],
    )  # fmt: skip
    which = "The unit asked for" if choice.unit is not None else "The strongest units"
    caption = (
        f"{which} of {choice.layer}: the map, the part of the picture that its strongest place "
        "saw, and what there it answered to: by a deconvnet (Zeiler & Fergus 2014) and by guided "
        "backpropagation (Springenberg et al. 2015)."
    )
    if told:
        caption += f" What may be a ReLU keeps its own gradient here: {', '.join(told)}."
    if choice.unit is None and tied > 1:
        caption += (
            f" {tied} of {len(maps)} units reach {float(maps.amax()):.3g}, the most that any does: "
            "of these, those of the highest mean over their map come first."
        )
    return [Drawing("units", drawn, caption)]


def ranked(maps: Tensor) -> tuple[list[int], int]:
    """Maps (K, h, w) → the units from the strongest on, and how many share the first place.

    By the strongest place of each; where several stand at the same, as at the ceiling of a ReLU6
    half a layer may, by the mean over the map.
    """
    peaks, order = maps.amax((1, 2)), maps.mean((1, 2)).argsort(descending=True, stable=True)
    order = order[peaks[order].argsort(descending=True, stable=True)]
    return order.tolist(), int((peaks == peaks.amax()).sum())


def _box(signed: NDArray[np.float32]) -> tuple[int, int, int, int]:
    """Top, left, bottom, right of what a projection (H, W, C) reaches; all of it, if nothing."""
    reached = np.abs(signed).max(2) > 0
    if not reached.any():
        return 0, 0, *signed.shape[:2]
    rows, columns = (np.flatnonzero(reached.any(axis)) for axis in (1, 0))
    return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1


def _first_maps(classifier: Classifier, pixels: Tensor) -> Drawing:
    """The feature maps of the first layer that makes some: more or fewer than the channels."""
    one = pixels[None]
    handed = [
        each
        for each in handed_on(classifier, one)
        if len(each.shape) == 4 and arranged(each, one.shape[2:]) == MAPS_FIRST
    ]
    made = (each.name for each in handed if each.shape[1] != len(pixels))
    layer = next(made, handed[0].name)
    with evaluating(classifier) as classifier, recording(classifier, [layer]) as found:
        classifier(pixels[None])
    maps = found[layer][0]
    drawn = feature_maps(_array(maps), [str(i) for i in range(len(maps))])
    return Drawing(
        "feature-maps", drawn, f"Feature maps of {layer}, each on its own scale; mid-grey is 0."
    )


def _trust(
    classifier: Classifier, pixels: Tensor, target: int, maps: dict[str, Tensor],
    found: Occlusion, layer: str, on_part: Callable[[], None],
) -> list[Trial]:  # fmt: skip
    score = of_class(target)
    quick: dict[str, Explain] = {
        "gradient": lambda network, x: to_map(gradient(network, x, score)),
        "Grad-CAM": lambda network, x: grad_cam(network, x, score, layer=layer).enlarged,
    }
    hides = float(found.clean[target]) - found.logits[..., target]
    side = torch.nn.functional.interpolate(
        hides[None, None], size=pixels.shape[1:], mode="bilinear"
    )[0, 0].to(pixels)  # fmt: skip
    trials = []
    for what, values in (maps | {"occlusion": side}).items():
        trials.append(_trial(classifier, pixels, target, what, values, quick.get(what)))
        on_part()
    return trials


def _trial(
    classifier: Classifier, pixels: Tensor, target: int, what: str, values: Tensor,
    explain: Callable[[nn.Module, Tensor], Tensor] | None,
) -> Trial:  # fmt: skip
    one, score = pixels[None], of_class(target, probability=True)
    gone, come = (
        perturbation(
            classifier, one, values, kind=kind, score=score, steps=LEVELS, places=PLACES
        )
        for kind in ("deletion", "insertion")
    )  # fmt: skip
    sanity = sanity_check(classifier, one, explain, points=1, repeats=DRAWS) if explain else None
    return Trial(
        what, float(sanity.last.mean()) if sanity else None, float(gone.by_map.area[0]),
        float(gone.moved.area[0]), float(come.by_map.area[0]), float(come.moved.area[0]),
        None if sanity is None else not sanity.changes,
    )  # fmt: skip


def _method(found: Occlusion) -> str:
    how = found.method
    if not how.boxes:
        return f"Occlusion was computed in full: {how.why}."
    whole = f" On whole maps, for want of a rule: {', '.join(how.whole)}." if how.whole else ""
    return (
        f"Occlusion took {how.work:.0%} of the full computation's multiply-adds; at {how.checked} "
        f"positions that were computed in full as well it differs by at most {how.difference:.1g}."
        f"{whole}"
    )


def _picture(pixels: Tensor) -> NDArray[np.float32]:
    return _array(pixels.permute(1, 2, 0))


def _array(values: Tensor) -> NDArray[np.float32]:
    found: NDArray[np.float32] = values.detach().float().cpu().numpy()
    return found
