"""From what a test of shape against texture measured to the records and drawings of its page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from hubel.breaking import cues
from hubel.breaking.cue_conflict import Pair
from hubel.breaking.shape_bias import SHAPE, TEXTURE, Bias, Trial
from hubel.figures import percent
from hubel.findings import Drawing
from hubel.report.shape import (
    BiasRow,
    Stimulus,
    accuracy_figure,
    bias_figure,
    conflict_sheet,
    stimuli_sheet,
    three_pictures,
)
from hubel.training.evaluate import wilson
from hubel.verbs.shape_sources import Namer, Sources, as_levels, as_pixels
from hubel.verbs.watch import Watch

AT_ONCE = 256  # pictures turned into stimuli at a time
COLUMNS, EXAMPLES, TOP = 6, 8, 3  # pictures across; conflicts shown; classes named in the three


@dataclass(frozen=True)
class Conflicts:
    """Images uint8 (M, C, H, W), the pairs behind them, and what the network makes of each.

    probabilities (M, K); trials: with the reasons why some do not count.
    """

    images: NDArray[np.uint8]
    pairs: Sequence[Pair]
    probabilities: Tensor
    trials: Sequence[Trial]


def measured(
    sources: Sources, namer: Namer, watch: Watch
) -> tuple[dict[str, NDArray[np.uint8]], dict[str, Tensor]]:
    """(pictures, probabilities (N, K)) of each stimulus, by its name."""
    n, dark = len(sources.images), sources.dark
    parts: dict[str, list[NDArray[np.uint8]]] = {name: [] for name in cues.STIMULI}
    for start in range(0, n, AT_ONCE):
        watch.progress("stimuli", start, n)
        here = slice(start, start + AT_ONCE)
        pixels = as_pixels(sources.images[here])
        made = {
            "original": sources.images[here],
            "greyscale": as_levels(cues.greyscale(pixels)),
            "silhouette": as_levels(cues.silhouettes(pixels, sources.masks[here], dark=dark)),
            "edges": as_levels(cues.edges(pixels, dark=dark)),
            "texture": sources.textures[here],
        }
        for name, images in made.items():
            parts[name].append(images)
    shown = {name: np.concatenate(images) for name, images in parts.items()}
    answers = {}
    for i, (name, images) in enumerate(shown.items()):
        watch.progress("answers", i, len(shown), name)
        answers[name] = namer.probabilities(images)
    watch.progress("answers", len(shown), len(shown))
    return shown, answers


def stimulus_rows(sources: Sources, answers: Mapping[str, Tensor]) -> list[Stimulus]:
    """How many pictures of each kind are named rightly; those of uncertain masks are left out."""
    rows = []
    for name, found in answers.items():
        right = found.argmax(1).numpy() == sources.labels
        if name == "silhouette":
            right = right[sources.certain]
        if name == "texture":
            right = right[sources.patched]
        n, hits = len(right), int(right.sum())
        rows.append(Stimulus(name, hits, n, wilson(hits, n) if n else None))
    return rows


def bias_row(name: str, found: Bias) -> BiasRow:
    return BiasRow(name, found.shape, found.texture, found.other, found.value, found.interval)


def drawings(
    sources: Sources,
    namer: Namer,
    shown: Mapping[str, NDArray[np.uint8]],
    answers: Mapping[str, Tensor],
    stimuli: Sequence[Stimulus],
    conflicts: Conflicts | None,
    overall: BiasRow | None,
    classes: Sequence[BiasRow],
    published: Mapping[str, float],
) -> list[Drawing]:
    """All pictures of the page."""
    there = len(np.unique(sources.labels))
    found = [
        Drawing("accuracy", accuracy_figure(stimuli, 1 / len(namer.classes)), _counted(sources)),
        _stimuli(sources, namer, shown, answers),
    ]
    if conflicts is not None and len(conflicts.images):
        found.append(_three(sources, namer, answers, conflicts))
        found.append(_examples(sources, conflicts))
    if overall is not None and overall.value is not None and there > 1:
        caption = (
            "Shape bias by the class of the shape, with 95 % intervals, and of all images (dashed)."
            " Open: as published (Geirhos et al. 2019), of other pictures."
        )
        found.append(Drawing("bias", bias_figure(overall, classes, published), caption))
    return found


def _counted(sources: Sources) -> str:
    cut, doubtful = int(sources.cut_out.sum()), int((~sources.certain).sum())
    n, middle = len(sources.images), int((~sources.patched).sum())
    said = f"Objects were found by the picture's own alpha channel in {cut} of {n}, by their "
    said += "difference from the corners in the others. "
    if doubtful:
        said += f"In {doubtful} that is uncertain, and their silhouettes are not counted. "
    if middle:
        said += f"{middle} textures come from the picture's middle and are not counted. "
    return said + "Bars: 95 % intervals (Wilson)."


def _stimuli(
    sources: Sources,
    namer: Namer,
    shown: Mapping[str, NDArray[np.uint8]],
    answers: Mapping[str, Tensor],
) -> Drawing:
    """A picture of each class, the first one there is whose mask is certain."""
    columns = []
    for label in np.unique(sources.labels)[:COLUMNS]:
        own = np.flatnonzero(sources.labels == label)
        sure = own[sources.certain[own]]
        columns.append(int((sure if len(sure) else own)[0]))
    rows = {name: [_upright(images[i]) for i in columns] for name, images in shown.items()}
    named = {name: [_best(found[i], namer.classes, 1)[0] for i in columns]
             for name, found in answers.items()}  # fmt: skip
    return Drawing(
        "stimuli", stimuli_sheet(rows, named),
        "A picture of each class as the five stimuli, and what each is named. Textures are a patch "
        "from inside the object, mirrored again and again.",
    )  # fmt: skip


def _three(
    sources: Sources, namer: Namer, answers: Mapping[str, Tensor], found: Conflicts
) -> Drawing:
    """The image whose two pictures the network is surest of: chosen before its own answer."""
    number = demonstration(answers, found)
    pair = found.pairs[number]
    pictures = [
        _upright(sources.textures[pair.texture]), _upright(sources.images[pair.shape]),
        _upright(found.images[number]),
    ]  # fmt: skip
    rows = (answers["texture"][pair.texture], answers["original"][pair.shape],
            found.probabilities[number])  # fmt: skip
    shape, texture = (namer.classes[k] for k in pair[2:])
    return Drawing(
        "demonstration",
        three_pictures(
            pictures, (f"texture: {texture}", f"object: {shape}", "object in the texture"),
            [_best(row, namer.classes, TOP) for row in rows],
        ),
        f"{sources.names[pair.texture]}, {sources.names[pair.shape]}, and the second in the "
        "texture of the first. They were chosen because the network is surest of these two; its "
        "answer to the third played no part.",
    )  # fmt: skip


def demonstration(answers: Mapping[str, Tensor], found: Conflicts) -> int:
    """The image, of those that count if any do, whose two sources are surest of their class.

    By the less sure of the two: the texture alone, and the object as it is.
    """
    counts = [i for i, trial in enumerate(found.trials) if not trial.excluded]
    among = counts or range(len(found.trials))

    def sure(i: int) -> float:
        pair = found.pairs[i]
        texture = float(answers["texture"][pair.texture, pair.texture_class])
        return min(texture, float(answers["original"][pair.shape, pair.shape_class]))

    return max(among, key=sure)


def _examples(sources: Sources, found: Conflicts) -> Drawing:
    """Images spread over the design, each beside its two pictures."""
    n = len(found.images)
    chosen = np.unique(np.linspace(0, n - 1, min(n, EXAMPLES)).round().astype(int)).tolist()
    threes, said = [], []
    verdicts = {SHAPE: "by shape", TEXTURE: "by texture"}
    for i in chosen:
        pair, trial = found.pairs[i], found.trials[i]
        threes.append((
            _upright(sources.images[pair.shape]), _upright(sources.textures[pair.texture]),
            _upright(found.images[i]),
        ))  # fmt: skip
        share = float(found.probabilities[i].max())
        verdict = verdicts.get(trial.cue, "by neither")
        if trial.excluded:
            verdict += ", not counted"
        said += [f"shape: {trial.shape_class}", f"texture: {trial.texture_class}",
                 f"{trial.decision}: {percent(share, 0)}\n{verdict}"]  # fmt: skip
    return Drawing(
        "conflicts", conflict_sheet(threes, said),
        f"{len(chosen)} of {n} images, each behind its two pictures, with what it is named. All "
        "are in the folder conflicts.",
    )  # fmt: skip


def _best(probabilities: Tensor, classes: Sequence[str], most: int) -> list[tuple[str, float]]:
    values, index = probabilities.topk(min(most, len(classes)))
    return [(classes[k], p) for k, p in zip(index.tolist(), values.tolist(), strict=True)]


def _upright(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(C, H, W) → (H, W, C)."""
    return image.transpose(1, 2, 0)
