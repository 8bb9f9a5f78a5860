"""One picture looked at in every way, as drawings and figures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hubel.figures import percent
from hubel.findings import Drawing
from hubel.model import Classifier, evaluating
from hubel.report.look import Look, Part, Trial
from hubel.report.seen import (
    MOST_MAPS,
    Occluded,
    alone,
    around_grey,
    costliest,
    feature_maps,
    hiding,
    overlay,
    strongest_units,
    winners,
)
from hubel.understanding.arrangement import MAPS_FIRST, arranged
from hubel.understanding.deconvnet import Projection, project
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
RIM = 1 / 40  # of a projection's squares, at each side, is not shown
DRAWS = 6  # networks of random weights
SAME = 0.999  # as a cosine: the rest is rounding
PARTS, TRIALS = 3, 5  # of the work on a picture: maps, occlusion, units; and trials of five maps


@dataclass(frozen=True)
class Choice:
    """What is asked of every picture; None: it is chosen, and said."""

    target: int | None
    layer: str  # of Grad-CAM
    units: str  # the layer of these
    unit: int | None
    square: int | None
    stride: int | None
    fill: str
    trust: bool


class Strong(NamedTuple):
    """The maps (K, h, w) of a layer; its strongest units, or the one asked for; how many share the
    first place. No units of a layer that hands on no maps."""

    maps: Tensor
    units: list[int]
    tied: int


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
    strong = _strongest(classifier, pixels, choice)
    found = occlude(
        classifier, pixels, target, square=choice.square, stride=choice.stride, fill=choice.fill,
        layer=choice.units, unit=strong.units[0] if strong.units else choice.unit,
        progress=lambda done, total: watch.progress("occlusion", done, total, name),
    )  # fmt: skip
    on_part()
    picture = _picture(pixels)
    title = classifier.classes[target]
    occluded = _occluded(found, title, classifier.classes)
    drawn = _drawn(picture, maps, title, choice.layer)
    parts = [
        Part("Which parts of the picture", [drawn["Grad-CAM"], *_hidden(picture, occluded)],
             small=True),
        Part(
            "Which pixels", [drawn[what] for what in maps if what != "Grad-CAM"],
            "The brighter, the more that pixel changes the score. Each map has its own scale; 0 "
            "shows the picture alone.", small=True,
        ),
        _units(classifier, pixels, picture, choice, strong),
        _activity(classifier, pixels, picture, occluded, found),
        Part("The first layer's maps", [_first_maps(classifier, pixels)]),
    ]  # fmt: skip
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
        [part for part in parts if part.drawings],
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
        "Integrated gradients should add up to the score less that of a black picture; with "
        f"{STEPS} steps they miss it by {percent(relative)}."
    ]
    if not float(cam.maps.max()) > 0:
        lines.append(f"Grad-CAM at {layer} is 0 everywhere: nothing there speaks for the class.")
    return maps, lines


def _drawn(
    picture: NDArray[np.float32], maps: dict[str, Tensor], title: str, layer: str
) -> dict[str, Drawing]:
    words = {
        "gradient": f"Gradient: how much the score of {title!r} changes with that pixel.",
        "SmoothGrad": f"SmoothGrad: the mean of that over {SAMPLES} noisy copies.",
        "integrated gradients": "Integrated gradients: what each pixel adds to the score on the "
        "way from a black picture to this one.",
        "Grad-CAM": f"Grad-CAM: where the maps of {layer} speak for {title!r}; the brighter, the "
        "more.",
    }
    return {
        what: Drawing(what.lower().replace(" ", "-"), overlay(picture, _array(values)), words[what])
        for what, values in maps.items()
    }


def _occluded(found: Occlusion, title: str, classes: Sequence[str]) -> Occluded:
    clean = float(found.clean.softmax(0)[found.target])
    return Occluded(
        found.square, found.tops, found.lefts, _array(found.probability), clean, title,
        found.winner.numpy(), classes,
    )  # fmt: skip


def _hidden(picture: NDArray[np.float32], found: Occluded) -> list[Drawing]:
    """What happens as a square hides one part of the picture after another."""
    return [
        Drawing(
            "occlusion", hiding(picture, found, found.probability, low=0.0),
            f"Occlusion: the probability of {found.target!r} with a square of "
            f"{found.square}×{found.square} pixels at that place, {percent(found.clean)} without. "
            "Dark: evidence was hidden.",
        ),
        Drawing("costliest", costliest(picture, found), "The square where it costs most."),
        Drawing(
            "winners", winners(picture, found),
            "The most probable class with the square at that place.",
        ),
    ]  # fmt: skip


def _activity(
    classifier: Classifier, pixels: Tensor, picture: NDArray[np.float32], occluded: Occluded,
    found: Occlusion,
) -> Part:  # fmt: skip
    """The unit that is followed as the square hides one part after another."""
    if found.activity is None:
        return Part("", [])
    projection = project(classifier, pixels[None], found.layer, found.unit, rule="guided")
    signed = _array(projection.pixels[0].permute(1, 2, 0))
    return Part(
        f"What unit {found.unit} of {found.layer} answers to",
        [
            Drawing(
                "activity", hiding(picture, occluded, _array(found.activity), low=None),
                f"Its activity, summed over its map, with the square at that place, "
                f"{found.clean_activity:.3g} without. Dark: what it answers to was hidden.",
            ),
            Drawing(
                "projection", alone(around_grey(signed)),
                "What in the picture its strongest place answers to, by guided backpropagation.",
            ),
        ],
        small=True,
    )  # fmt: skip


def _rests(found: Occlusion, title: str, size: Sequence[int]) -> str:
    """On what the answer rests, in a sentence: the square that costs the class most."""
    clean = float(found.clean.softmax(0)[found.target])
    row, column = divmod(int(found.probability.flatten().argmin()), found.probability.shape[1])
    least = float(found.probability[row, column])
    square = f"a square of {found.square}×{found.square} pixels"
    if least >= clean:
        return f"No part decides the answer: no {square[2:]} lowers the probability of {title!r}."
    words = []
    for start, length, names in zip(
        (found.tops[row], found.lefts[column]), size,
        (("upper", "", "lower"), ("left", "", "right")), strict=True,
    ):  # fmt: skip
        third = int(3 * (start + found.square / 2) / length)
        words.append(names[min(max(third, 0), 2)])
    part = " ".join(filter(None, words))
    where = f"{part} part" if part else "middle"
    change = f"the probability of {title!r} from {percent(clean)} to {percent(least)}"
    if least > clean / 2:
        return (
            f"No single part decides the answer: even where it costs most, in the {where} of the "
            f"picture, {square} only lowers {change}."
        )
    return (
        f"The answer rests most on the {where} of the picture: {square} that hides it lowers "
        f"{change}."
    )


def _strongest(classifier: Classifier, pixels: Tensor, choice: Choice) -> Strong:
    with evaluating(classifier) as classifier, recording(classifier, [choice.units]) as found:
        classifier(pixels[None])
    maps = found[choice.units][0]
    if maps.ndim != 3:
        return Strong(maps, [], 0)
    order, tied = ranked(maps)
    if choice.unit is None:
        return Strong(maps, order[:UNITS], tied)
    return Strong(maps, [choice.unit] if 0 <= choice.unit < len(maps) else [], 1)


def _units(
    classifier: Classifier, pixels: Tensor, picture: NDArray[np.float32], choice: Choice,
    strong: Strong,
) -> Part:  # fmt: skip
    """The strongest units of the layer: their maps, what they saw, their projections."""
    layer, (maps, units, tied) = choice.units, strong
    if not units:
        return Part("", [])
    many = pixels.expand(len(units), *pixels.shape)
    found_by = {
        rule: project(classifier, many, layer, units, rule=rule) for rule in ("deconvnet", "guided")
    }
    told = found_by["deconvnet"].told
    blind = _blind(classifier, many, layer, units, found_by["deconvnet"])
    if blind:
        del found_by["deconvnet"]
    signed = {rule: _array(each.pixels) for rule, each in found_by.items()}
    projections = {rule: each.transpose(0, 2, 3, 1) for rule, each in signed.items()}
    drawn = strongest_units(
        picture, _array(maps[units]), projections, [f"unit {unit}" for unit in units],
        [_box(each) for each in projections["guided"]],
    )  # fmt: skip
    one = choice.unit is not None
    net = "" if blind else "by a deconvnet (Zeiler & Fergus 2014) and "
    caption = (
        f"{'A column' if one else 'A column for each unit'}: its map, bright where it is active; "
        "the part of the picture that its most active place answers to; and what in that part it "
        f"answers to, grey being nothing: {net}by "
        "guided backpropagation (Springenberg et al. 2015)."
    )
    if blind:
        caption += (
            " A deconvnet (Zeiler & Fergus 2014) has nothing to show here: on the way to this "
            "layer nothing is max-pooled, and it would show the same of any picture."
        )
    if told:
        caption += f" What may be a ReLU keeps its own gradient here: {', '.join(told)}."
    if not one and tied > 1:
        caption += (
            f" {tied} of {len(maps)} units reach {float(maps.amax()):.3g}, the most that any does: "
            "of these, those of the highest mean over their map come first."
        )
    title = f"Unit {choice.unit} of {layer}" if one else f"The strongest units of {layer}"
    return Part(title, [Drawing("units", drawn, caption)])


def _blind(
    network: nn.Module, pixels: Tensor, layer: str, units: Sequence[int], found: Projection
) -> bool:
    """Whether a deconvnet's projections are the same whatever the picture (N, C, H, W).

    Its rule keeps nothing of the way forward but the places that max-pooling chose (Springenberg et
    al. 2015, section 3.4). Tried on the picture upside down, at the same places, on the units that
    are active there as well; where there is none, it is not known to be so.
    """
    places = [(row, column) for row, column in found.places.tolist()]
    other = project(network, pixels.flip(-2), layer, units, places=places, rule="deconvnet")
    both = (found.values > 0) & (other.values > 0)
    alike = torch.cosine_similarity(found.pixels.flatten(1), other.pixels.flatten(1))[both]
    return len(alike) > 0 and bool((alike > SAME).all())


def ranked(maps: Tensor) -> tuple[list[int], int]:
    """Maps (K, h, w) → the units from the strongest on, and how many share the first place.

    By the strongest place of each; where several stand at the same, as at the ceiling of a ReLU6
    half a layer may, by the mean over the map.
    """
    peaks, order = maps.amax((1, 2)), maps.mean((1, 2)).argsort(descending=True, stable=True)
    order = order[peaks[order].argsort(descending=True, stable=True)]
    return order.tolist(), int((peaks == peaks.amax()).sum())


def _box(signed: NDArray[np.float32]) -> tuple[int, int, int, int]:
    """Top, left, bottom, right of what holds nearly all of a projection (H, W, C)."""
    squares = np.square(signed.astype(np.float64)).sum(2)
    (top, bottom), (left, right) = (_between(squares.sum(axis)) for axis in (1, 0))
    return top, left, bottom, right


def _between(squares: NDArray[np.float64]) -> tuple[int, int]:
    """From where to where all of it lies but for RIM at each end; a quarter of all at least."""
    side, least = len(squares), -(-len(squares) // 4)
    if not squares.any():
        return 0, side
    share = np.cumsum(squares) / squares.sum()
    first, last = (int(np.searchsorted(share, at)) for at in (RIM, 1 - RIM))
    first = max(0, min(first, (first + last + 1 - least) // 2, side - least))
    return first, max(last + 1, first + least)


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
    which = f", the first {MOST_MAPS} of {len(maps)}" if len(maps) > MOST_MAPS else ""
    return Drawing(
        "feature-maps",
        drawn,
        f"The maps of {layer}{which}: light where a unit is active, dark where it is below 0, each "
        "on its own scale.",
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
        f"Occlusion took {percent(how.work, 0)} of the multiply-adds of the full computation; at "
        f"the {how.checked} positions that were computed in full as well, it differs by at most "
        f"{how.difference:.1g}."
        f"{whole}"
    )


def _picture(pixels: Tensor) -> NDArray[np.float32]:
    return _array(pixels.permute(1, 2, 0))


def _array(values: Tensor) -> NDArray[np.float32]:
    found: NDArray[np.float32] = values.detach().float().cpu().numpy()
    return found
